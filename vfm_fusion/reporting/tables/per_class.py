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
from vfm_fusion.reporting.evaluation_text import below, boundary_note, protocol, where
from vfm_fusion.reporting.inputs import read_evaluation
from vfm_fusion.reporting.labels import EncoderLabels, run_encoders
from vfm_fusion.reporting.seeds import Evaluation, RunResults, collect_runs, seeds_note
from vfm_fusion.reporting.table import Column, Section, Table

GROUPS = ("Boundary-sensitive classes (ratio above the median)", "Large classes (ratio up to the median)")
NO_PIXEL = "Classes without a ground-truth pixel"
BOUNDARY = {"AP": "boundary_AP", "IoU": "boundary_IoU"}
NO_SUCH_CLASS = "the class is not in the run's evaluation"


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
    first = next((result.any for result in results if result.any), None)
    metric = "IoU" if first is not None and first["task"] == "semantic" else "AP"
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
        caption=_caption(first, metric),
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
        notes=tuple(_notes(results, labels, seeds, median, first)),
        problems=tuple(result.problem for result in results if result.problem),
        best_in="row",
    )


def _caption(first: Evaluation | None, metric: str) -> str:
    what = f"Instance AP (by {protocol(first)})" if metric == "AP" else "IoU"
    return (
        f"{what} per class{where(first)}, in percent. Ratio: boundary pixels over area in the ground truth, "
        "which groups the classes."
    )


def _classes(results: Sequence[RunResults], metric: str) -> list[str]:
    """Class names in the order of the data set; for AP only things."""
    names: dict[str, None] = {}
    for result in results:
        for evaluation in result.by_seed.values():
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
        boundary = _values(result, name, BOUNDARY[metric])
        row |= _summary(result, _values(result, name, metric), boundary)
    return row


def _average(results: Sequence[RunResults], metric: str, classes: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "class": "mean",
        "ratio": "",
        "ratio_reason": "",
    }
    for result in results:
        means, boundary = (
            {
                seed: _class_mean([_values(result, name, key)[seed] for name in classes])
                for seed in result.by_seed
            }
            for key in (metric, BOUNDARY[metric])
        )
        row |= _summary(result, means, boundary)
    return row


def _class_mean(values: Sequence[tuple[float | None, str]]) -> tuple[float | None, str]:
    if any(reason == NO_SUCH_CLASS for value, reason in values if value is None):
        return None, NO_SUCH_CLASS
    defined = [value for value, _ in values if value is not None]
    return (math.fsum(defined) / len(defined), "") if defined else (None, "undefined for every class")


def _summary(
    result: RunResults,
    values: Mapping[int, tuple[float | None, str]],
    boundary: Mapping[int, tuple[float | None, str]],
) -> dict[str, Any]:
    summary = result.summarise(values)
    return {
        result.key: summary.mean,
        f"{result.key}|std": summary.std,
        f"{result.key}|below": below(result.summarise(boundary).mean),
        f"{result.key}|reason": summary.reason,
    }


def _values(result: RunResults, name: str, metric: str) -> dict[int, tuple[float | None, str]]:
    values: dict[int, tuple[float | None, str]] = {}
    for seed, evaluation in result.by_seed.items():
        entry = next((e for e in evaluation["per_class"] if e["category"] == name), None)
        if entry is None:
            values[seed] = (None, NO_SUCH_CLASS)
        else:
            values[seed] = (entry[metric], f"{metric} of the class is undefined (no ground truth)")
    return values


def _records(
    name: str, group: str, results: Sequence[RunResults], metric: str, ratio: float, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    records = []
    for result, key in itertools.product(results, (metric, BOUNDARY[metric])):
        values = _values(result, name, key)
        for seed in seeds:
            value, reason = values.get(seed, (None, "not evaluated"))
            records.append(
                {
                    "class": name,
                    "group": group,
                    "ratio": ratio,
                    "run": result.key,
                    "label": result.label,
                    "seed": seed,
                    "metric": key,
                    "value": math.nan if value is None else value,
                    "reason": reason if value is None else "",
                }
            )
    return records


def _notes(
    results: Sequence[RunResults],
    labels: EncoderLabels,
    seeds: Sequence[int],
    median: float,
    first: Evaluation | None,
) -> list[str]:
    notes = [f"{result.label}: {run_encoders(result.any, labels)}." for result in results if result.any]
    if first is not None:
        notes.append(
            f"n = {first['images']} validation images. Median ratio: {median:.3f} per pixel. Mean: over "
            "the classes with a defined value. Bold: best run of the row."
        )
        notes.append(boundary_note(first))
    return [*notes, seeds_note(seeds)]


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_per_class``."""
    dataset = open_indexed(settings["dataset"], inputs["val"][0], Path(settings["generated"]))
    return per_class_table(
        [read_evaluation(path) for path in inputs["evaluations"]],
        dict(settings["encoders"]),
        dict(settings["runs"]),
        settings["seeds"],
        class_ratios(dataset),
    )
