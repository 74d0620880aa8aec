"""Quality per class and run, classes grouped by boundary-to-area ratio (the paper's Table 4)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.reporting.boundary_ratio import class_ratios, group_by_ratio
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, run_encoders
from vfm_fusion.reporting.records import (
    NO_SUCH_CLASS,
    Evaluation,
    RunResults,
    average_note,
    boundary_line,
    boundary_note,
    collect_runs,
    main_metrics,
    one_per_target,
    protocol,
    read_evaluation,
    seeds_note,
    where,
)
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

TITLES = {
    "boundary-sensitive": "Boundary-sensitive classes (ratio above the median)",
    "large": "Large classes (ratio up to the median)",
    "": "Classes without a ground-truth pixel",
}
OF_CLASS = {"AP": "AP", "mIoU": "IoU", "PQ": "PQ"}
"""Metrics of whole tasks, and what they are the mean over classes of."""

BOUNDARY = {"AP": "boundary_AP", "IoU": "boundary_IoU"}
"""Metrics with their counterpart of boundary regions, which stands below them."""


def per_class_table(
    evaluations: Iterable[Evaluation],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    seeds: Sequence[int],
    ratios: Mapping[str, float],
    targets: Sequence[str] = (),
    leading: str = "AP",
) -> Table:
    """Builds the table of classes (rows) by runs (columns).

    Shows what the leading metric is the mean of: AP of the thing classes, IoU or PQ of all classes. Below AP
    and IoU stands what the boundary regions give. Of several targets the table shows the average, and the CSV
    file each of them.

    Args:
        evaluations: parsed ``evaluation.json`` of every run, seed and target that exists.
        labels: names of the encoders in print.
        runs: expected runs, key to label, in the order of the columns.
        seeds: expected seeds.
        ratios: class name to boundary-to-area ratio, see
            :func:`vfm_fusion.reporting.boundary_ratio.boundary_to_area`.
        targets: expected data sets; empty for the one that all runs have.
        leading: the metric that leads where the runs have it.

    Raises:
        ReportingError: evaluations that do not belong into one table.
    """
    results = collect_runs(evaluations, runs, seeds, targets)
    evaluated = one_per_target(results)
    semantic = bool(evaluated) and evaluated[0]["task"] == "semantic"
    metric = "IoU" if semantic else OF_CLASS[next(iter(main_metrics(results, leading)), "AP")]
    classes = _classes(results, metric)
    shown_ratios = {name: ratios.get(name, math.nan) for name in classes}
    sensitive, large, median = group_by_ratio(shown_ratios)
    unmeasured = [name for name in classes if math.isnan(shown_ratios[name])]
    groups = (("boundary-sensitive", sensitive), ("large", large), ("", unmeasured))
    sections = [
        Section(TITLES[group], [_row(name, results, metric, shown_ratios[name]) for name in names])
        for group, names in groups
        if names
    ]
    if classes:
        sections.append(Section("All classes", [_average(results, metric, classes)]))
    return Table(
        name="per_class",
        caption=_caption(evaluated, metric),
        data=pd.DataFrame(
            {"class": name, "group": group, "ratio": shown_ratios[name]} | record
            for group, names in groups
            for name in names
            for record in _records(name, results, metric)
        ),
        columns=_columns(results),
        sections=sections,
        notes=_notes(results, labels, seeds, median, evaluated, metric),
        problems=[result.problem for result in results],
        best_in="row",
    )


def _columns(results: Sequence[RunResults]) -> tuple[Column, ...]:
    runs = (Column(r.key, r.label, digits=1, best="max", shows="std") for r in results)
    return (Column("class", "Class"), Column("ratio", "Ratio", digits=3), *runs)


def _caption(evaluated: Sequence[Evaluation], metric: str) -> str:
    what = f"Instance AP (by {protocol(evaluated)})" if metric == "AP" else metric
    return (
        f"{what} per class{where(evaluated)}, in percent. Ratio: boundary pixels over area in the ground "
        "truth, which groups the classes."
    )


def _classes(results: Sequence[RunResults], metric: str) -> list[str]:
    """Class names in the order of the data set; for AP only things."""
    entries = (e for r in results for found in r.evaluations.values() for e in found["per_class"])
    return list(dict.fromkeys(e["category"] for e in entries if metric != "AP" or e["isthing"]))


def _row(name: str, results: Sequence[RunResults], metric: str, ratio: float) -> Row:
    shown = Value.missing("no ground-truth pixel") if math.isnan(ratio) else ratio
    row: dict[str, Any] = {"class": name, "ratio": shown}
    for result in results:
        level, *boundary = (result.level(key, name) for key in _with_boundary(metric))
        row[result.key] = Entry(level, *map(boundary_line, boundary))
    return row


def _with_boundary(metric: str) -> tuple[str, ...]:
    return (metric, BOUNDARY[metric]) if metric in BOUNDARY else (metric,)


def _average(results: Sequence[RunResults], metric: str, classes: Sequence[str]) -> Row:
    row: dict[str, Any] = {"class": "mean", "ratio": ""}
    for result in results:
        mean, *boundary = (_class_mean(result, key, classes) for key in _with_boundary(metric))
        row[result.key] = Entry(mean, *map(boundary_line, boundary))
    return row


def _class_mean(result: RunResults, metric: str, classes: Sequence[str]) -> Value:
    """The mean over the classes with a value; undefined where the run lacks a class."""
    of = [result.values(metric, name) for name in classes]
    means = {}
    for seed in result.found:
        absent = next((values[seed][1] for values in of if values[seed][1].endswith(NO_SUCH_CLASS)), "")
        defined = [values[seed][0] for values in of if not math.isnan(values[seed][0])]
        if absent or not defined:
            means[seed] = math.nan, absent or "undefined for every class"
        else:
            means[seed] = math.fsum(defined) / len(defined), ""
    return result.average(means)


def _records(name: str, results: Sequence[RunResults], metric: str) -> list[dict[str, Any]]:
    """Tidy rows: one per run, seed and metric, and that for each of several targets."""
    records = []
    for result in results:
        who = {"run": result.key, "label": result.label}
        for key, target in itertools.product(_with_boundary(metric), result.targets):
            of = {"target": target} if len(result.targets) > 1 else {}
            records += [
                who | of | {"seed": seed, "metric": key, "value": value, "reason": reason}
                for seed, value, reason in result.on(target).every(key, name)
            ]
    return records


def _notes(
    results: Sequence[RunResults],
    labels: EncoderLabels,
    seeds: Sequence[int],
    median: float,
    evaluated: Sequence[Evaluation],
    metric: str,
) -> list[str]:
    notes = [f"{result.label}: {run_encoders(result.facts, labels)}." for result in results if result.facts]
    if evaluated:
        notes.append(
            f"n = {sum(e['images'] for e in evaluated)} validation images. Median ratio: {median:.3f} per "
            "pixel. Mean: over the classes with a defined value. Bold: best run of the row."
        )
        notes += [average_note(evaluated), boundary_note(evaluated) if metric in BOUNDARY else ""]
    return [*notes, seeds_note(seeds)]


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_per_class``."""
    evaluated = zip(settings["evaluated"], inputs["val"], strict=True)
    splits = [open_indexed(of["dataset"], index, Path(of["generated"])) for of, index in evaluated]
    return per_class_table(
        [read_evaluation(path) for path in inputs["evaluations"]],
        dict(settings["encoders"]),
        dict(settings["runs"]),
        settings["seeds"],
        class_ratios(*splits),
        settings["targets"],
        settings["leading"],
    )
