"""Quality per class and run, classes grouped by boundary-to-area ratio (the paper's Table 4)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from vfm_fusion.reporting.boundary_ratio import group_by_ratio
from vfm_fusion.reporting.labels import EncoderLabels, run_encoders
from vfm_fusion.reporting.records import (
    NO_SUCH_CLASS,
    Evaluation,
    RunResults,
    boundary_line,
    boundary_note,
    collect_runs,
    one_per_target,
    protocol,
    seeds_note,
    where,
)
from vfm_fusion.reporting.table import Column, Section, Table

GROUPS = ("Boundary-sensitive classes (ratio above the median)", "Large classes (ratio up to the median)")
NO_PIXEL = "Classes without a ground-truth pixel"
BOUNDARY = {"AP": "boundary_AP", "IoU": "boundary_IoU"}


def per_class_table(
    evaluations: Iterable[Evaluation],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    seeds: Sequence[int],
    ratios: Mapping[str, float],
) -> Table:
    """Builds the table of classes (rows) by runs (columns).

    Shows AP of the thing classes, or IoU of all classes where the task is semantic, and below it what the
    boundary regions give.

    Args:
        evaluations: parsed ``evaluation.json`` of every run and seed that exists.
        labels: names of the encoders in print.
        runs: expected runs, key to label, in the order of the columns.
        seeds: expected seeds.
        ratios: class name to boundary-to-area ratio, see
            :func:`vfm_fusion.reporting.boundary_ratio.boundary_to_area`.

    Raises:
        ReportingError: evaluations that do not belong into one table.
    """
    results = collect_runs(evaluations, runs, seeds)
    evaluated = one_per_target(results)
    metric = "IoU" if evaluated and evaluated[0]["task"] == "semantic" else "AP"
    classes = _classes(results, metric)
    shown_ratios = {name: ratios.get(name, math.nan) for name in classes}
    sensitive, large, median = group_by_ratio(shown_ratios)
    unmeasured = [name for name in classes if math.isnan(shown_ratios[name])]
    cells = {name: _row(name, results, metric, shown_ratios[name]) for name in classes}
    groups = zip((*GROUPS, NO_PIXEL), (sensitive, large, unmeasured), strict=True)
    sections = [
        Section(title, pd.DataFrame([cells[name] for name in names])) for title, names in groups if names
    ]
    if classes:
        sections.append(Section("All classes", pd.DataFrame([_average(results, metric, classes)])))
    return Table(
        name="per_class",
        caption=_caption(evaluated, metric),
        data=pd.DataFrame(
            [
                record
                for group, names in (("boundary-sensitive", sensitive), ("large", large), ("", unmeasured))
                for name in names
                for record in _records(name, group, results, metric, shown_ratios[name], seeds)
            ]
        ),
        columns=_columns(results),
        sections=tuple(sections),
        notes=tuple(_notes(results, labels, seeds, median, evaluated)),
        problems=tuple(result.problem for result in results if result.problem),
        best_in="row",
    )


def _caption(evaluated: Sequence[Evaluation], metric: str) -> str:
    what = f"Instance AP (by {protocol(evaluated)})" if metric == "AP" else "IoU"
    return (
        f"{what} per class{where(evaluated)}, in percent. Ratio: boundary pixels over area in the ground "
        "truth, which groups the classes."
    )


def _classes(results: Sequence[RunResults], metric: str) -> list[str]:
    """Class names in the order of the data set; for AP only things."""
    names: dict[str, None] = {}
    for result in results:
        for evaluation in result.evaluations.values():
            for entry in evaluation["per_class"]:
                if metric == "IoU" or entry["isthing"]:
                    names[entry["category"]] = None
    return list(names)


def _columns(results: Sequence[RunResults]) -> tuple[Column, ...]:
    return (
        Column("class", "Class"),
        Column("ratio", "Ratio", digits=3, reason="ratio_reason"),
        *(
            Column(
                result.key,
                result.label,
                digits=1,
                best="max",
                spread=f"{result.key}|std",
                below=f"{result.key}|below",
                reason=f"{result.key}|reason",
            )
            for result in results
        ),
    )


def _row(name: str, results: Sequence[RunResults], metric: str, ratio: float) -> dict[str, Any]:
    row: dict[str, Any] = {"class": name, "ratio": ratio, "ratio_reason": "no ground-truth pixel"}
    for result in results:
        row |= _summary(result, *(result.values(key, name) for key in (metric, BOUNDARY[metric])))
    return row


def _average(results: Sequence[RunResults], metric: str, classes: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "class": "mean",
        "ratio": "",
        "ratio_reason": "",
    }
    for result in results:
        means, boundary = (
            {seed: _class_mean([result.values(key, name)[seed] for name in classes]) for seed in result.found}
            for key in (metric, BOUNDARY[metric])
        )
        row |= _summary(result, means, boundary)
    return row


def _class_mean(values: Sequence[tuple[float, str]]) -> tuple[float, str]:
    absent = next((reason for _, reason in values if reason.endswith(NO_SUCH_CLASS)), "")
    if absent:
        return math.nan, absent
    defined = [value for value, _ in values if not math.isnan(value)]
    return (math.fsum(defined) / len(defined), "") if defined else (math.nan, "undefined for every class")


def _summary(
    result: RunResults,
    values: Mapping[int, tuple[float, str]],
    boundary: Mapping[int, tuple[float, str]],
) -> dict[str, Any]:
    summary = result.average(values)
    return {
        result.key: summary.mean,
        f"{result.key}|std": summary.std,
        f"{result.key}|below": boundary_line(result.average(boundary)),
        f"{result.key}|reason": summary.reason,
    }


def _records(
    name: str, group: str, results: Sequence[RunResults], metric: str, ratio: float, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    records = []
    for result, key in itertools.product(results, (metric, BOUNDARY[metric])):
        values = result.values(key, name)
        for seed in seeds:
            value, reason = values.get(seed, (math.nan, "not evaluated"))
            records.append(
                {
                    "class": name,
                    "group": group,
                    "ratio": ratio,
                    "run": result.key,
                    "label": result.label,
                    "seed": seed,
                    "metric": key,
                    "value": value,
                    "reason": reason,
                }
            )
    return records


def _notes(
    results: Sequence[RunResults],
    labels: EncoderLabels,
    seeds: Sequence[int],
    median: float,
    evaluated: Sequence[Evaluation],
) -> list[str]:
    notes = [f"{result.label}: {run_encoders(result.facts, labels)}." for result in results if result.facts]
    if evaluated:
        notes.append(
            f"n = {evaluated[0]['images']} validation images. Median ratio: {median:.3f} per pixel. Mean: "
            "over the classes with a defined value. Bold: best run of the row."
        )
        notes.append(boundary_note(evaluated))
    return [*notes, seeds_note(seeds)]
