"""Means over seeds that refuse to average fewer runs than were asked for."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfm_fusion.errors import ReportingError

Evaluation = Mapping[str, Any]
"""One parsed ``evaluation.json`` (see :func:`vfm_fusion.reporting.inputs.read_evaluation`)."""


@dataclass(frozen=True)
class Summary:
    """One number over seeds.

    Attributes:
        mean: mean over all expected seeds; NaN where one is missing or undefined.
        std: sample standard deviation (n - 1); NaN with fewer than two seeds.
        reason: why the mean is NaN; empty otherwise.
    """

    mean: float
    std: float
    reason: str


@dataclass(frozen=True)
class RunResults:
    """What was found of one run.

    Attributes:
        key: the run's name in the configuration.
        label: its name in print.
        by_seed: evaluations that exist, by seed, in the order of the expected seeds.
        missing: expected seeds without an evaluation.
    """

    key: str
    label: str
    by_seed: Mapping[int, Evaluation]
    missing: tuple[int, ...]

    @property
    def any(self) -> Evaluation | None:
        """An evaluation from which seed-independent facts (encoders, sizes) are read; None without any."""
        return next(iter(self.by_seed.values()), None)

    @property
    def reason(self) -> str:
        """Why the run has no means; empty for a complete run."""
        if not self.missing:
            return ""
        return f"not evaluated: seed {', '.join(str(seed) for seed in self.missing)}"

    @property
    def problem(self) -> str:
        """What is missing, in words; empty for a complete run."""
        if not self.missing:
            return ""
        found = len(self.by_seed)
        return (
            f"run {self.label!r} has {found} of {found + len(self.missing)} seeds ({self.reason}); "
            "no mean is shown over fewer"
        )

    def summarise(self, values: Mapping[int, tuple[float | None, str]]) -> Summary:
        """Averages one number over the expected seeds.

        Args:
            values: seed to ``(value, reason)``; the value is None where undefined, and then a reason is due.

        Raises:
            ReportingError: a value is undefined without a reason.
        """
        if self.missing:
            return Summary(math.nan, math.nan, self.reason)
        for seed, (value, reason) in values.items():
            if value is None or math.isnan(value):
                if not reason:
                    raise ReportingError(f"run {self.key!r}, seed {seed}: undefined metric without a reason")
                return Summary(math.nan, math.nan, reason if len(values) == 1 else f"seed {seed}: {reason}")
        numbers = [value for value, _ in values.values() if value is not None]
        std = statistics.stdev(numbers) if len(numbers) > 1 else math.nan
        return Summary(statistics.fmean(numbers), std, "")


def collect_runs(
    evaluations: Iterable[Evaluation], runs: Mapping[str, str], seeds: Sequence[int]
) -> list[RunResults]:
    """Sorts evaluations into the expected runs and seeds.

    Args:
        evaluations: parsed ``evaluation.json`` files.
        runs: expected runs, key to label, in the order of the table.
        seeds: expected seeds.

    Raises:
        ReportingError: an unexpected run or seed, the same run and seed twice, a run whose encoders differ
            between seeds, or runs evaluated on different data sets, tasks or numbers of images.
    """
    found: dict[tuple[str, int], Evaluation] = {}
    for evaluation in evaluations:
        key = (evaluation["run"], evaluation["seed"])
        if key[0] not in runs or key[1] not in seeds:
            raise ReportingError(
                f"evaluation of run {key[0]!r}, seed {key[1]} was not asked for; "
                f"expected runs {list(runs)} and seeds {list(seeds)}"
            )
        if key in found:
            raise ReportingError(f"run {key[0]!r}, seed {key[1]} was given twice")
        found[key] = evaluation
    _check_same(
        found, ("dataset", "trained_on", "task", "images", "instance_protocol"), "the runs of one table"
    )
    results = []
    for run, label in runs.items():
        by_seed = {seed: found[run, seed] for seed in seeds if (run, seed) in found}
        own = {(run, seed): evaluation for seed, evaluation in by_seed.items()}
        _check_same(
            own, ("master", "auxiliary", "strides", "operator", "parameters"), f"the seeds of run {run!r}"
        )
        missing = tuple(seed for seed in seeds if seed not in by_seed)
        results.append(RunResults(run, label, by_seed, missing))
    return results


def seeds_note(seeds: Sequence[int]) -> str:
    """Says what the numbers are means of."""
    if len(seeds) == 1:
        return f"One seed ({seeds[0]}): no spread is known."
    names = ", ".join(str(seed) for seed in seeds)
    return f"Mean ± sample standard deviation over {len(seeds)} seeds ({names})."


def _check_same(found: Mapping[tuple[str, int], Evaluation], keys: Sequence[str], who: str) -> None:
    items = list(found.items())
    for (run, seed), evaluation in items[1:]:
        (first_run, first_seed), first = items[0]
        for key in keys:
            if evaluation[key] != first[key]:
                raise ReportingError(
                    f"{who} differ in {key!r}: {first[key]!r} (run {first_run!r}, seed {first_seed}) and "
                    f"{evaluation[key]!r} (run {run!r}, seed {seed}); evaluate them alike"
                )
