"""Segmentation quality of every run (the paper's Tables 1 to 3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from vfm_fusion.reporting.labels import EncoderLabels, label, mode, strides_of
from vfm_fusion.reporting.records import (
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
from vfm_fusion.reporting.table import MISSING, Column, Section, Table

METRICS = {
    "coco": ("AP", "AP50", "AP75", "APs", "mIoU", "PQ"),
    "cityscapes": ("AP", "AP50", "mIoU", "PQ"),
}
"""Columns by the protocol of instance AP, all in percent."""

TASK_METRICS = {"instance": ("AP", "AP50", "AP75", "APs"), "semantic": ("mIoU",)}
"""What a task of part of the classes has; panoptic segmentation has all."""

BOUNDARY = {"AP": "boundary_AP", "mIoU": "boundary_mIoU"}
"""Metrics with their counterpart of boundary regions, which stands below them."""


def main_results_table(
    evaluations: Iterable[Evaluation],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    seeds: Sequence[int],
    published: pd.DataFrame | None = None,
) -> Table:
    """Builds the table of results, in percent, mean and sample standard deviation over seeds.

    A run without all its seeds shows no mean: its cells and the table's ``problems`` say what is missing, and
    the CSV file holds what exists, seed by seed.

    Args:
        evaluations: parsed ``evaluation.json`` of every run and seed that exists.
        labels: names of the encoders in print.
        runs: expected runs, key to label, in the order of the rows.
        seeds: expected seeds.
        published: rows of a published result table, shown below as a section of its own.

    Raises:
        ReportingError: evaluations that do not belong into one table (see
            :func:`vfm_fusion.reporting.records.collect_runs`) or an undefined metric without a reason.
    """
    results = collect_runs(evaluations, runs, seeds)
    evaluated = one_per_target(results)
    first = evaluated[0] if evaluated else None
    metrics = _metrics(first)
    rows = pd.DataFrame([_row(result, labels, seeds, metrics) for result in results])
    sections = [Section("", rows)]
    notes = [
        _what_note(first),
        boundary_note(evaluated),
        seeds_note(seeds),
        "FT: fine-tuned, FZ: frozen. Bold: best measured value.",
    ]
    if published is not None:
        sections = [Section("Measured", rows), _published_section(published, metrics)]
        notes.append(_published_note(published))
    return Table(
        name="main_results",
        caption=_caption(evaluated, metrics),
        data=pd.DataFrame(
            [record for result in results for record in _records(result, labels, seeds, metrics)]
        ),
        columns=_columns(metrics),
        sections=tuple(sections),
        notes=tuple(note for note in notes if note),
        problems=tuple(result.problem for result in results if result.problem),
    )


def _metrics(first: Evaluation | None) -> tuple[str, ...]:
    if first is None:
        return METRICS["coco"]
    metrics = METRICS[first["instance_protocol"]]
    return tuple(metric for metric in metrics if metric in TASK_METRICS.get(first["task"], metrics))


def _caption(evaluated: Sequence[Evaluation], metrics: Sequence[str]) -> str:
    which = "AP, AP50, AP75 and APs (small objects)" if "APs" in metrics else "AP and AP50"
    shown = {
        "AP": f"instance {which} by {protocol(evaluated)}",
        "mIoU": "semantic mIoU",
        "PQ": "panoptic PQ",
    }
    text = ", ".join(said for metric, said in shown.items() if metric in metrics)
    return (
        f"Segmentation results{where(evaluated)}, in percent: {text}. OS: output stride at which the "
        "auxiliary is injected."
    )


def _columns(metrics: Sequence[str]) -> tuple[Column, ...]:
    return (
        Column("run", "Run"),
        Column("master", "Master, pretraining", detail="master_pretraining"),
        Column("auxiliary", "Auxiliary, pretraining", detail="auxiliary_pretraining"),
        Column("stride", "OS"),
        *(
            Column(
                metric,
                metric,
                digits=1,
                best="max",
                spread=f"{metric}_std",
                below=f"{metric}_below",
                reason=f"{metric}_reason",
            )
            for metric in metrics
        ),
        Column("parameters", "Params (M)", digits=2, reason="parameters_reason"),
        Column("seeds", "Seeds"),
    )


def _row(
    result: RunResults, labels: EncoderLabels, seeds: Sequence[int], metrics: Sequence[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {"run": result.label, **_encoders(result.facts, labels)}
    for metric in metrics:
        summary = result.level(metric)
        row |= {metric: summary.mean, f"{metric}_std": summary.std, f"{metric}_reason": summary.reason}
        row[f"{metric}_below"] = ""
        if metric in BOUNDARY:
            row[f"{metric}_below"] = boundary_line(result.level(BOUNDARY[metric]))
    row["parameters"] = result.facts["parameters"]["total"] / 1e6 if result.facts else math.nan
    row["parameters_reason"] = result.reason
    row["seeds"] = f"{len(result.found)} of {len(seeds)}" if result.missing else str(len(seeds))
    return row


def _encoders(evaluation: Evaluation | None, labels: EncoderLabels) -> dict[str, str]:
    if evaluation is None:
        return {
            "master": MISSING,
            "master_pretraining": "",
            "auxiliary": MISSING,
            "auxiliary_pretraining": "",
            "stride": MISSING,
        }
    master, auxiliary = evaluation["master"], evaluation["auxiliary"]
    return {
        "master": f"{label(labels, master['encoder'])} {mode(master['trainable'])}",
        "master_pretraining": master["pretraining"],
        "auxiliary": (
            f"{label(labels, auxiliary['encoder'])} {mode(auxiliary['trainable'])}" if auxiliary else "none"
        ),
        "auxiliary_pretraining": auxiliary["pretraining"] if auxiliary else "",
        "stride": strides_of(evaluation),
    }


def _records(
    result: RunResults, labels: EncoderLabels, seeds: Sequence[int], metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """Tidy rows: one per run, metric and seed, and one per run and metric for the mean (empty seed)."""
    records = []
    for metric in (*metrics, *BOUNDARY.values()):
        values = result.values(metric)
        for seed in seeds:
            value, reason = values.get(seed, (math.nan, "not evaluated"))
            records.append(_record(result, labels, metric, str(seed), value, math.nan, reason))
        summary = result.average(values)
        records.append(_record(result, labels, metric, "all", summary.mean, summary.std, summary.reason))
    return records


def _record(
    result: RunResults,
    labels: EncoderLabels,
    metric: str,
    seed: str,
    value: float,
    std: float,
    reason: str,
) -> dict[str, Any]:
    known = result.facts
    return {
        "run": result.key,
        "label": result.label,
        **_encoders(known, labels),
        "operator": (known["operator"] or "") if known else "",
        "images": known["images"] if known else pd.NA,
        "parameters": known["parameters"]["total"] if known else pd.NA,
        "trainable_parameters": known["parameters"]["trainable"] if known else pd.NA,
        "metric": metric,
        "seed": seed,
        "value": value,
        "std": std,
        "reason": reason,
    }


def _what_note(first: Evaluation | None) -> str:
    return f"n = {first['images']} validation images; task: {first['task']}." if first else ""


def _published_section(published: pd.DataFrame, metrics: Sequence[str]) -> Section:
    rows = []
    for (model, run_mode), values in published.groupby(["model", "mode"], sort=False, dropna=False):
        by_metric = dict(zip(values["metric"], values["value"], strict=True))
        row: dict[str, Any] = {
            "run": model,
            "master": "" if pd.isna(run_mode) else run_mode,
            "master_pretraining": "",
            "auxiliary": "",
            "auxiliary_pretraining": "",
            "stride": "",
            "parameters": math.nan,
            "parameters_reason": "",
            "seeds": "",
        }
        for metric in metrics:
            row |= {
                metric: by_metric.get(metric, math.nan),
                f"{metric}_below": "",
                f"{metric}_std": math.nan,
                f"{metric}_reason": "",
            }
        rows.append(row)
    title = f"Published (Table {published['table'].iloc[0]}), pretrained weights"
    return Section(title, pd.DataFrame(rows), ranked=False, absent="not published")


def _published_note(published: pd.DataFrame) -> str:
    sources = ", ".join(sorted(set(published["source"])))
    datasets = ", ".join(sorted(set(published["dataset"])))
    return f"Published values are of full-size models on {datasets} ({sources}); —: not published."
