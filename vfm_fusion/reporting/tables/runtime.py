"""Time and memory per rule, from Snakemake's benchmark files (part of the paper's Table 11)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.result_files import read_benchmarks
from vfm_fusion.reporting.table import Column, Section, Table

NOT_SAMPLED = "no job of the rule ran long enough for Snakemake to sample its memory and CPU time"


def runtime_table(jobs: pd.DataFrame, order: Sequence[str] = ()) -> Table:
    """Builds the table of rules: number of jobs, wall-clock and CPU time, peak memory.

    Args:
        jobs: one row per job, see :func:`vfm_fusion.reporting.result_files.read_benchmarks`.
        order: rules in the order of the rows; rules it does not name follow alphabetically.
    """
    known = [rule for rule in order if rule in set(jobs["rule"])]
    rules = [*known, *sorted(set(jobs["rule"]) - set(known))]
    rows = [_row(rule, jobs[jobs["rule"] == rule]) for rule in rules]
    sampled = ("cpu_seconds_total", "max_rss_mb")
    shown = [row | {key: Value(row[key]).because(NOT_SAMPLED) for key in sampled} for row in rows]
    unsampled = int(jobs["max_rss"].isna().sum())
    notes = [
        "Seconds are wall-clock time; the total is the sum over jobs, which may have run side by side.",
        "Peak RSS: largest resident memory of any job of the rule, in MB, sampled by Snakemake.",
    ]
    if unsampled:
        notes.append(
            f"{unsampled} of {len(jobs)} jobs ended before the first sample; they count in the times, "
            "not in peak RSS and CPU time."
        )
    return Table(
        name="runtime",
        caption="Cost of every stage: jobs, wall-clock time, CPU time and peak memory.",
        data=pd.DataFrame(rows),
        columns=(
            Column("rule", "Rule"),
            Column("jobs", "Jobs", digits=0),
            Column("seconds_total", "Total (s)", digits=1),
            Column("seconds_mean", "Per job (s)", digits=1),
            Column("seconds_max", "Longest (s)", digits=1),
            Column("cpu_seconds_total", "CPU (s)", digits=1),
            Column("max_rss_mb", "Peak RSS (MB)", digits=0),
        ),
        sections=(Section("", shown),),
        notes=notes,
    )


def _row(rule: str, jobs: pd.DataFrame) -> dict[str, Any]:
    return {
        "rule": rule,
        "jobs": len(jobs),
        "seconds_total": math.fsum(jobs["seconds"]),
        "seconds_mean": math.fsum(jobs["seconds"]) / len(jobs),
        "seconds_max": float(jobs["seconds"].max()),
        "cpu_seconds_total": float(jobs["cpu_seconds"].sum(min_count=1)),
        "max_rss_mb": float(jobs["max_rss"].max()),
        "jobs_sampled": int(jobs["max_rss"].notna().sum()),
    }


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_runtime`` of benchmark files by their rule."""
    files = {path: rule for rule, paths in inputs.items() for path in paths}
    return runtime_table(read_benchmarks(files), order=list(inputs))
