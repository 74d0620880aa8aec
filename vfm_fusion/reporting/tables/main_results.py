"""Segmentation quality of every run (the paper's Tables 1 to 3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import MISSING, Value
from vfm_fusion.reporting.labels import EncoderLabels, in_mode, strides_of
from vfm_fusion.reporting.published import (
    published_note,
    published_results,
    published_section,
    published_table,
    read_published,
)
from vfm_fusion.reporting.records import (
    Evaluation,
    RunResults,
    average_note,
    boundary_line,
    boundary_note,
    collect_runs,
    images_in_words,
    led_by,
    one_per_target,
    protocol,
    read_evaluation,
    seeds_note,
    where,
)
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

METRICS = {"coco": ("AP", "AP50", "AP75", "APs", "mIoU", "PQ"), "cityscapes": ("AP", "AP50", "mIoU", "PQ")}
"""Columns by the protocol of instance AP, all in percent."""

TASK_METRICS = {"instance": ("AP", "AP50", "AP75", "APs"), "semantic": ("mIoU",)}
"""What a task of part of the classes has; panoptic segmentation has all."""

BOUNDARY = {"AP": "boundary_AP", "mIoU": "boundary_mIoU"}
"""Metrics with their counterpart of boundary regions, which stands below them."""

AVERAGE = "Average"

Groups = Mapping[str, Sequence[str]]
"""Heading (a target or the average; empty where there is one target) to the metrics below it."""


def main_results_table(
    evaluations: Iterable[Evaluation],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    seeds: Sequence[int],
    published: pd.DataFrame | None = None,
    targets: Sequence[str] = (),
    leading: str = "AP",
) -> Table:
    """Builds the table of results, in percent, mean and sample standard deviation over seeds.

    A run without all its seeds shows no mean: its cells and the table's ``problems`` say what is missing, and
    the CSV file holds what exists, seed by seed. Of several targets each has its columns, and so has their
    average.

    Args:
        evaluations: parsed ``evaluation.json`` of every run, seed and target that exists.
        labels: names of the encoders in print.
        runs: expected runs, key to label, in the order of the rows.
        seeds: expected seeds.
        published: rows of a published result table, shown below as a section of its own; of several targets
            a column ``target`` says below which a value stands.
        targets: expected data sets, in the order of the columns; empty for the one that all runs have.
        leading: the metric whose column comes first, where the task has it.

    Raises:
        ReportingError: evaluations that do not belong into one table (see
            :func:`vfm_fusion.reporting.records.collect_runs`) or an undefined metric without a reason.
    """
    results = collect_runs(evaluations, runs, seeds, targets)
    evaluated = one_per_target(results)
    groups = _groups(evaluated, leading)
    rows = [_row(result, labels, groups) for result in results]
    sections = [Section("", rows)]
    notes = [
        f"n = {_images(evaluated)}; task: {evaluated[0]['task']}." if evaluated else "",
        average_note(evaluated),
        boundary_note(evaluated),
        seeds_note(seeds),
        "FT: fine-tuned, FZ: frozen. Bold: best measured value.",
    ]
    if published is not None:
        above = published_section(published, _published_rows(published), ", pretrained weights")
        sections = [Section("Measured", rows), above]
        of = "values are of full-size models"
        notes.append(published_note(published, f"; {MISSING}: not published.", of))
    return Table(
        name="main_results",
        caption=_caption(evaluated, [metric for metrics in groups.values() for metric in metrics]),
        data=pd.DataFrame([record for result in results for record in _records(result, labels, groups)]),
        columns=_columns(groups),
        sections=sections,
        notes=notes,
        problems=[result.problem for result in results],
    )


def _groups(evaluated: Sequence[Evaluation], leading: str) -> Groups:
    of = {evaluation["dataset"]: led_by(leading, _metrics(evaluation)) for evaluation in evaluated}
    if len(of) < 2:
        return {"": next(iter(of.values()), METRICS["coco"])}
    first, *rest = of.values()
    return of | {AVERAGE: tuple(metric for metric in first if all(metric in other for other in rest))}


def _metrics(evaluation: Evaluation) -> tuple[str, ...]:
    metrics = METRICS[evaluation["instance_protocol"]]
    return tuple(metric for metric in metrics if metric in TASK_METRICS.get(evaluation["task"], metrics))


def _of_group(result: RunResults, group: str) -> RunResults:
    """The run on the target of a group, or on all of them."""
    return result.on(group) if group in result.targets else result


def _key(group: str, metric: str) -> str:
    return f"{group} {metric}".strip()


def _images(evaluated: Sequence[Evaluation]) -> str:
    if len(evaluated) == 1:
        return f"{evaluated[0]['images']} validation images"
    return images_in_words(evaluated)


def _caption(evaluated: Sequence[Evaluation], metrics: Sequence[str]) -> str:
    which = "AP, AP50, AP75 and APs (small objects)" if "APs" in metrics else "AP and AP50"
    shown = {"AP": f"instance {which} by {protocol(evaluated)}", "mIoU": "semantic mIoU", "PQ": "panoptic PQ"}
    text = ", ".join(said for metric, said in shown.items() if metric in metrics)
    return (
        f"Segmentation results{where(evaluated)}, in percent: {text}. OS: output stride at which the "
        "auxiliary is injected."
    )


def _columns(groups: Groups) -> tuple[Column, ...]:
    return (
        Column("run", "Run"),
        Column("master", "Master, pretraining"),
        Column("auxiliary", "Auxiliary, pretraining"),
        Column("stride", "OS"),
        *(
            Column(_key(group, metric), metric, group, digits=1, best="max", shows="std")
            for group, metrics in groups.items()
            for metric in metrics
        ),
        Column("parameters", "Params (M)", digits=2),
        Column("seeds", "Seeds"),
    )


def _row(result: RunResults, labels: EncoderLabels, groups: Groups) -> Row:
    of, facts, total = _encoders(result.facts, labels), result.facts, len(result.seeds)
    row: dict[str, Any] = {
        "run": result.label,
        "master": Entry(of["master"], of["master_pretraining"]),
        "auxiliary": Entry(of["auxiliary"], of["auxiliary_pretraining"]),
        "stride": of["stride"],
        "parameters": facts["parameters"]["total"] / 1e6 if facts else Value.missing(result.reason),
        "seeds": f"{len(result.found)} of {total}" if result.missing else str(total),
    }
    for group, metrics in groups.items():
        own = _of_group(result, group)
        for metric in metrics:
            below = boundary_line(own.level(BOUNDARY[metric])) if metric in BOUNDARY else ""
            row[_key(group, metric)] = Entry(own.level(metric), below)
    return row


def _encoders(evaluation: Evaluation | None, labels: EncoderLabels) -> dict[str, str]:
    if evaluation is None:
        names = ("master", "master_pretraining", "auxiliary", "auxiliary_pretraining", "stride")
        return {name: "" if name.endswith("pretraining") else MISSING for name in names}
    master, auxiliary = evaluation["master"], evaluation["auxiliary"]
    return {
        "master": in_mode(master, labels),
        "master_pretraining": master["pretraining"],
        "auxiliary": in_mode(auxiliary, labels) if auxiliary else "none",
        "auxiliary_pretraining": auxiliary["pretraining"] if auxiliary else "",
        "stride": strides_of(evaluation),
    }


def _records(result: RunResults, labels: EncoderLabels, groups: Groups) -> list[dict[str, Any]]:
    """Tidy rows: one per run, metric and seed, and one for the mean over seeds; all that for each target."""
    known = result.facts
    who = {
        "run": result.key,
        "label": result.label,
        **_encoders(known, labels),
        "operator": (known["operator"] or "") if known else "",
        "images": known["images"] if known else pd.NA,
        "parameters": known["parameters"]["total"] if known else pd.NA,
        "trainable_parameters": known["parameters"]["trainable"] if known else pd.NA,
    }
    records = []
    for group, metrics in groups.items():
        own = _of_group(result, group)
        of = who | ({"target": group, "images": own.facts["images"] if own.facts else pd.NA} if group else {})
        for metric in (*metrics, *BOUNDARY.values()):
            level = own.level(metric)
            found = [(str(seed), value, math.nan, reason) for seed, value, reason in own.every(metric)]
            for row in (*found, ("all", level.mean, level.std, level.reason)):
                named = dict(zip(("seed", "value", "std", "reason"), row, strict=True))
                records.append(of | {"metric": metric} | named)
    return records


def _published_rows(published: pd.DataFrame) -> list[Row]:
    rows = []
    targets = published.get("target", pd.Series("", published.index))
    for (model, trained), values in published.groupby(["model", "mode"], sort=False, dropna=False):
        keys = [_key(targets[index], metric) for index, metric in values["metric"].items()]
        shown = dict(zip(keys, values["value"], strict=True))
        rows.append({"run": model, "master": "" if pd.isna(trained) else trained} | shown)
    return rows


def _published_values(
    known: pd.DataFrame, of: Sequence[Mapping[str, str]], otherwise: str | None, targets: Sequence[str]
) -> pd.DataFrame | None:
    """Returns what is published of each target, None where nothing is.

    A target that stands alone is not named, and has the table ``otherwise`` where nothing is published of it.
    """
    found = [published_results(known, **wanted) for wanted in of]
    if all(rows.empty for rows in found):
        return published_table(known, otherwise) if otherwise and len(targets) == 1 else None
    if len(targets) == 1:
        return found[0]
    named = [rows.assign(target=name) for name, rows in zip(targets, found, strict=True)]
    return pd.concat(named, ignore_index=True)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_main_results``."""
    reference = None
    if inputs["published"]:
        known = read_published(inputs["published"][0])
        reference = _published_values(known, **settings["published"], targets=settings["targets"])
    return main_results_table(
        [read_evaluation(path) for path in inputs["evaluations"]],
        dict(settings["encoders"]),
        dict(settings["runs"]),
        settings["seeds"],
        reference,
        settings["targets"],
        settings["leading"],
    )
