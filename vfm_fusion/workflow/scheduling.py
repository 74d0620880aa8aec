"""How Snakemake looks for the next jobs."""

from __future__ import annotations

from typing import Any

DEFAULT_RATE = (100, 1)
"""Jobs and seconds of Snakemake's default ``--max-jobs-per-timespan``."""


def let_no_timers_pile_up(workflow: Any) -> None:
    """Takes back the limit on jobs per second, unless another than the default was asked for.

    With a limit, Snakemake (9.27) looks for jobs again a second after every look, and every job that finishes
    begins a series of such looks of its own, which does not end: after 100 jobs it looks 100 times a second
    at the inputs of all jobs that are ready, a third of a core in a study of 700 jobs. Neither submissions to
    a cluster, made one by one, nor local jobs, as many as there are cores, need a limit.

    Args:
        workflow: Snakemake's, with the scheduler that it is about to start.
    """
    rate = workflow.scheduling_settings.max_jobs_per_timespan
    if rate is not None and (rate.max_jobs, rate.timespan) == DEFAULT_RATE:
        workflow.scheduler.job_rate_limiter = None
