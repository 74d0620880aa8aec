"""Every score of every run as one tidy record, and the means over seeds and targets that are read from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value, number
from vfm_fusion.reporting.result_files import read_keys

EVALUATION_KEYS = (
    *("run", "seed", "dataset", "trained_on", "task", "images", "master", "auxiliary", "strides", "operator"),
    *("instance_protocol", "boundary_ratio", "metrics", "reasons", "per_class", "parameters"),
)
NO_SUCH_CLASS = "the class is not in the run's evaluation"

MAIN_METRICS = ("AP", "mIoU", "PQ")
"""Metrics of whole tasks, in percent."""

Evaluation = Mapping[str, Any]
"""One parsed ``evaluation.json``: what a run, trained with one seed, reaches on one data set."""


class Score(NamedTuple):
    """One row of the record.

    Attributes:
        run: the run's name in the configuration.
        seed: training seed.
        target: the data set that it was evaluated on.
        metric: such as ``AP``.
        category: name of a class; empty for all of them.
        value: in percent; NaN where undefined.
        reason: why the value is undefined; empty otherwise.
    """

    run: str
    seed: int
    target: str
    metric: str
    category: str
    value: float
    reason: str


def read_evaluation(path: Path) -> dict[str, Any]:
    """Reads one ``evaluation.json``.

    Raises:
        ReportingError: the file is not a JSON object with the keys of an evaluation.
    """
    return read_keys(path, EVALUATION_KEYS)


def scores_of(evaluation: Evaluation) -> Iterator[Score]:
    """Yields the rows of one evaluation: of all classes together, then class by class."""
    who = (evaluation["run"], evaluation["seed"], evaluation["dataset"])
    found = [("", name, value, evaluation["reasons"]) for name, value in evaluation["metrics"].items()]
    for entry in evaluation["per_class"]:
        names = [name for name in entry if name not in ("category", "isthing")]
        reasons = {name: f"{name} of the class is undefined (no ground truth)" for name in names}
        found += [(entry["category"], name, entry[name], reasons) for name in names]
    for category, name, value, reasons in found:
        if value is None or math.isnan(value):
            yield Score(*who, name, category, math.nan, reasons.get(name, ""))
        else:
            yield Score(*who, name, category, value, "")


@dataclass(frozen=True)
class RunResults:
    """What was found of one run.

    Attributes:
        key: the run's name in the configuration.
        label: its name in print.
        seeds: expected seeds.
        targets: expected targets; a score is the mean over them.
        evaluations: what exists, by target and seed; facts are read from it, numbers from ``scores``.
        scores: their rows by target, metric, class and seed.
    """

    key: str
    label: str
    seeds: tuple[int, ...]
    targets: tuple[str, ...]
    evaluations: Mapping[tuple[str, int], Evaluation]
    scores: Mapping[tuple[str, str, str, int], Score]

    @property
    def facts(self) -> Evaluation | None:
        """An evaluation from which seed-independent facts (encoders, sizes) are read; None without any."""
        return next(iter(self.evaluations.values()), None)

    @property
    def found(self) -> list[int]:
        """Seeds that were evaluated on every target, in the order of the expected ones."""
        return [s for s in self.seeds if all((target, s) in self.evaluations for target in self.targets)]

    @property
    def missing(self) -> list[int]:
        """The other expected seeds."""
        return [seed for seed in self.seeds if seed not in self.found]

    @property
    def reason(self) -> str:
        """Why the run has no means; empty for a complete run."""
        parts = []
        for target in self.targets:
            absent = [str(seed) for seed in self.seeds if (target, seed) not in self.evaluations]
            where = f" on {target}" if len(self.targets) > 1 else ""
            parts += [f"not evaluated{where}: seed {', '.join(absent)}"] if absent else []
        return "; ".join(parts)

    @property
    def problem(self) -> str:
        """What is missing, in words; empty for a complete run."""
        if not self.missing:
            return ""
        return (
            f"run {self.label!r} has {len(self.found)} of {len(self.seeds)} seeds ({self.reason}); "
            "no mean is shown over fewer"
        )

    def on(self, target: str) -> RunResults:
        """Returns the same run on one target alone."""
        own = {key: evaluation for key, evaluation in self.evaluations.items() if key[0] == target}
        return replace(self, targets=(target,), evaluations=own)

    def values(self, metric: str, category: str = "") -> dict[int, tuple[float, str]]:
        """Returns seed to ``(value, reason)``: the mean over targets, NaN where one of them has no value."""
        return {seed: self._over_targets(metric, category, seed) for seed in self.found}

    def every(self, metric: str, category: str = "") -> list[tuple[int, float, str]]:
        """Returns ``(seed, value, reason)`` of every expected seed."""
        values = self.values(metric, category)
        return [(seed, *values.get(seed, (math.nan, "not evaluated"))) for seed in self.seeds]

    def level(self, metric: str, category: str = "") -> Value:
        """Averages a metric, of all classes or of one, over targets and seeds; see :meth:`average`."""
        return self.average(self.values(metric, category))

    def average(self, values: Mapping[int, tuple[float, str]]) -> Value:
        """Averages one number over the expected seeds; undefined where one of them was not evaluated.

        Args:
            values: seed to ``(value, reason)``; the value is NaN where undefined, and then a reason is due.

        Raises:
            ReportingError: a value is undefined without a reason.
        """
        if self.missing:
            return Value.missing(self.reason)
        for seed, (value, reason) in values.items():
            if math.isnan(value) and not reason:
                raise ReportingError(f"run {self.key!r}, seed {seed}: undefined metric without a reason")
        return Value.over_seeds(values)

    def has(self, metric: str) -> bool:
        """Whether some seed has a value of the metric on some target."""
        return any(
            not math.isnan(score.value)
            for (_, name, category, _), score in self.scores.items()
            if name == metric and not category
        )

    def _over_targets(self, metric: str, category: str, seed: int) -> tuple[float, str]:
        values = []
        for target in self.targets:
            score = self.scores.get((target, metric, category, seed))
            if score is None or math.isnan(score.value):
                reason = score.reason if score else NO_SUCH_CLASS if category else ""
                return math.nan, f"{target}: {reason}" if reason and len(self.targets) > 1 else reason
            values.append(score.value)
        return statistics.fmean(values), ""


def collect_runs(
    evaluations: Iterable[Evaluation],
    runs: Mapping[str, str],
    seeds: Sequence[int],
    targets: Sequence[str] = (),
) -> list[RunResults]:
    """Sorts evaluations into the expected runs, targets and seeds.

    Args:
        evaluations: parsed ``evaluation.json`` files.
        runs: expected runs, key to label, in the order of the table.
        seeds: expected seeds.
        targets: data sets that every run is evaluated on; empty for the one that all evaluations name.

    Raises:
        ReportingError: an unexpected run, seed or target, the same one twice, a run whose encoders differ
            between seeds, or runs evaluated on different data sets, tasks or numbers of images.
    """
    found: dict[tuple[str, str, int], Evaluation] = {}
    for evaluation in evaluations:
        target, run, seed = key = (evaluation["dataset"], evaluation["run"], evaluation["seed"])
        if run not in runs or seed not in seeds or (targets and target not in targets):
            raise ReportingError(
                f"evaluation of run {run!r}, seed {seed} was not asked for on {target!r}; expected runs "
                f"{list(runs)} and seeds {list(seeds)}" + (f" on {list(targets)}" if targets else "")
            )
        if key in found:
            raise ReportingError(f"run {run!r}, seed {seed} was given twice")
        found[key] = evaluation
    expected = tuple(targets) or tuple(key[0] for key in found)[:1] or ("",)
    for target in expected:
        alike = {key: e for key, e in found.items() if key[0] == target or not targets}
        _check_same(alike, ("dataset", "images", "instance_protocol"), "the runs of one table")
    _check_same(found, ("trained_on", "task"), "the runs of one table")
    results = []
    for run, label in runs.items():
        own = {(t, seed): found[t, run, seed] for t in expected for seed in seeds if (t, run, seed) in found}
        facts = ("master", "auxiliary", "strides", "operator", "parameters")
        _check_same({(t, run, s): e for (t, s), e in own.items()}, facts, f"the seeds of run {run!r}")
        rows = (score for evaluation in own.values() for score in scores_of(evaluation))
        scores = {(row.target, row.metric, row.category, row.seed): row for row in rows}
        results.append(RunResults(run, label, tuple(seeds), expected, own, scores))
    return results


def _check_same(found: Mapping[tuple[str, str, int], Evaluation], keys: Sequence[str], who: str) -> None:
    items = list(found.items())
    for (_, run, seed), evaluation in items[1:]:
        (_, first_run, first_seed), first = items[0]
        for key in keys:
            if evaluation[key] != first[key]:
                raise ReportingError(
                    f"{who} differ in {key!r}: {first[key]!r} (run {first_run!r}, seed {first_seed}) and "
                    f"{evaluation[key]!r} (run {run!r}, seed {seed}); evaluate them alike"
                )


def main_metrics(results: Sequence[RunResults], leading: str) -> list[str]:
    """Returns the metrics of whole tasks that some run has: the ``leading`` one first, then AP, mIoU, PQ."""
    return [metric for metric in led_by(leading, MAIN_METRICS) if any(run.has(metric) for run in results)]


def led_by(leading: str, metrics: Iterable[str]) -> tuple[str, ...]:
    """Puts the leading metric first, where it is among them; the others keep their order.

    >>> led_by("PQ", ("AP", "mIoU", "PQ"))
    ('PQ', 'AP', 'mIoU')
    """
    return tuple(sorted(metrics, key=lambda metric: metric != leading))


def one_per_target(results: Sequence[RunResults]) -> list[Evaluation]:
    """Returns an evaluation on every target that has any, from which facts of the target are read."""
    found: dict[str, Evaluation] = {}
    for result in results:
        for (target, _), evaluation in result.evaluations.items():
            found.setdefault(target, evaluation)
    return [found[target] for target in (results[0].targets if results else ()) if target in found]


def seeds_note(seeds: Sequence[int]) -> str:
    """Says what the numbers are means of."""
    if len(seeds) == 1:
        return f"One seed ({seeds[0]}): no spread is known."
    names = ", ".join(str(seed) for seed in seeds)
    return f"Mean ± sample standard deviation over {len(seeds)} seeds ({names})."


def images_in_words(evaluated: Sequence[Evaluation]) -> str:
    """Says on which images: ``12 validation images of a, 30 of b``."""
    first, *rest = [f"{e['images']} validation images of {e['dataset']}" for e in evaluated]
    return ", ".join([first, *(text.replace("validation images ", "") for text in rest)])


def average_note(evaluated: Sequence[Evaluation]) -> str:
    """Says how several targets are averaged; empty for one."""
    if len(evaluated) < 2:
        return ""
    names = ", ".join(e["dataset"] for e in evaluated)
    return f"Average: over the data sets ({names}), seed by seed; undefined where one of them has no value."


def protocol(evaluated: Sequence[Evaluation]) -> str:
    """Says by whose rules AP was computed."""
    names = {"coco": "the protocol of COCO", "cityscapes": "the protocol of Cityscapes"}
    found = dict.fromkeys(names[e["instance_protocol"]] for e in evaluated)
    return " and ".join(found) or "the protocol of the data set"


def where(evaluated: Sequence[Evaluation]) -> str:
    """Says on which images runs were evaluated, and trained where those are others; begins with a space."""
    if not evaluated:
        return ""
    targets, trained_on = [e["dataset"] for e in evaluated], evaluated[0]["trained_on"]
    moved = "" if targets == [trained_on] else f" after training on {trained_on}"
    return f" on {' and '.join(targets)}{moved}"


def boundary_note(evaluated: Sequence[Evaluation]) -> str:
    """Says what stands below AP and IoU, as far as the task has them; empty without an evaluation."""
    if not evaluated:
        return ""
    width = " and ".join(dict.fromkeys(f"{100 * e['boundary_ratio']:g} %" for e in evaluated))
    measures = {"instance": "Boundary AP", "semantic": "Boundary IoU"}
    shown = measures.get(evaluated[0]["task"], "Boundary AP and Boundary IoU")
    return f"boundary: {shown}, of regions {width} of the image's diagonal wide."


def boundary_line(value: Value) -> str:
    """The line below AP or IoU that holds its counterpart of boundary regions; empty where there is none."""
    return "" if math.isnan(value.mean) else f"boundary {number(value.mean, 1)}"
