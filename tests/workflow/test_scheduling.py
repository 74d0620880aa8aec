"""How often the workflow looks for the next jobs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.settings.types import MaxJobsPerTimespan

from vfm_fusion.workflow.scheduling import let_no_timers_pile_up

TWO_JOBS_IN_TURN = """
from vfm_fusion.workflow.scheduling import let_no_timers_pile_up

rule both:
    input: "1.txt", "2.txt"

rule one:
    output: "{number}.txt"
    shell: "sleep 2.5; touch {output}"

onstart:
    let_no_timers_pile_up(workflow)
"""


def test_jobs_are_looked_for_when_one_has_finished_not_by_the_clock(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(TWO_JOBS_IN_TURN, encoding="utf-8")
    call = [sys.executable, "-m", "snakemake", "--verbose", "--cores", "1"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.count("Ready jobs: ") == 3


@pytest.mark.parametrize(("asked", "kept"), [("100/1s", False), ("50/1s", True), (None, True)])
def test_a_limit_that_was_asked_for_is_kept(asked: str | None, kept: bool) -> None:
    limiter = object()
    workflow = SimpleNamespace(
        scheduling_settings=SimpleNamespace(
            max_jobs_per_timespan=asked and MaxJobsPerTimespan.parse_choice(asked)
        ),
        scheduler=SimpleNamespace(job_rate_limiter=limiter),
    )
    let_no_timers_pile_up(workflow)
    assert (workflow.scheduler.job_rate_limiter is limiter) == kept
