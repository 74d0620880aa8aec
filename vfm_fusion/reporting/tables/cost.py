"""What every run's model costs (the paper's Table 11)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.inputs import read_benchmarks, read_cost
from vfm_fusion.reporting.labels import EncoderLabels, label, mode, strides_of
from vfm_fusion.reporting.published import shown_table
from vfm_fusion.reporting.table import Column, Section, Table

Cost = Mapping[str, Any]
"""One parsed ``cost.json``: what :func:`vfm_fusion.segmentation.cost.measure_cost` returns, and the run."""

_UNRECORDED = "no record of its training"
_PUBLISHED = {"parameters (M)": "parameters", "GFLOPs": "gflops", "throughput (img/s)": "images_per_second"}


def cost_table(
    costs: Mapping[str, Cost],
    training_seconds: Mapping[str, Sequence[float]],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    published: pd.DataFrame | None = None,
) -> Table:
    """Builds the table of parameters, operations, speed, memory and training time.

    Runs whose costs were measured alike (device, threads, sizes, batches, precisions) share a section.

    Args:
        costs: run -> its cost.
        training_seconds: run -> wall-clock time of each of its trainings (one a seed).
        labels: names of the encoders in print.
        runs: run -> label, in the order of the rows.
        published: rows of the published Table 11, shown below as a section of its own.

    Raises:
        ReportingError: a run without a cost.
    """
    absent = [run for run in runs if run not in costs]
    if absent:
        raise ReportingError(f"runs {absent} have no cost; measure them")
    sections = [
        Section(
            title, pd.DataFrame([_row(runs[r], costs, r, training_seconds.get(r, ()), labels) for r in alike])
        )
        for title, alike in _by_setup(costs, runs).items()
    ]
    if published is not None:
        sections.append(_published_section(published))
    return Table(
        name="cost",
        caption=(
            "Cost of every model: parameters, operations of a forward pass, speed and peak memory of "
            "inference and of a training step, speed over that of the master alone, hours trained."
        ),
        data=pd.DataFrame([_record(run, costs, training_seconds.get(run, ())) for run in runs]),
        columns=_columns(),
        sections=tuple(sections),
        notes=(*_notes(), *_published_notes(published)),
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column("run", "Run", detail="encoders"),
        Column("parameters", "All", group="Parameters (M)", digits=2),
        Column("trainable", "Trained", group="Parameters (M)", digits=2),
        Column("gflops", "GFLOPs", digits=2),
        Column("images_per_second", "Images/s", group="Inference", digits=2),
        Column("inference_share", "Of alone", group="Inference", digits=2, reason="share_reason"),
        Column("inference_memory", "Memory (GB)", group="Inference", digits=2),
        Column("step_seconds", "Step (s)", group="Training", digits=2),
        Column("training_share", "Of alone", group="Training", digits=2, reason="share_reason"),
        Column("training_memory", "Memory (GB)", group="Training", digits=2),
        Column("hours", "Hours", group="Training", digits=2, reason="hours_reason"),
        Column("gpu_hours", "GPU hours", group="Training", digits=2, reason="gpu_hours_reason"),
    )


def _by_setup(costs: Mapping[str, Cost], runs: Mapping[str, str]) -> dict[str, list[str]]:
    """Sorts the runs by how they were measured, in words."""
    alike: dict[str, list[str]] = {}
    for run in runs:
        alike.setdefault(_setup(costs[run]), []).append(run)
    return alike


def _setup(cost: Cost) -> str:
    inference, training = cost["inference"], cost["training"]
    threads = f"{cost['threads']} thread{'s' if cost['threads'] > 1 else ''}"
    device = cost["device"] if _on_gpu(cost) else f"CPU, {threads}"
    crops = f"{training['batch']} crop{'s' if training['batch'] > 1 else ''} of {_size(training)}"
    if training["accumulate"] > 1:
        crops += f" in {training['accumulate']} parts"
    if training["devices"] > 1:
        crops += f" on each of {training['devices']} devices"
    return (
        f"Measured on: {device}; inference: {inference['batch']} image of {_size(inference)}, "
        f"{inference['precision']}; training step: {crops}, {training['precision']}"
    )


def _on_gpu(cost: Cost) -> bool:
    return cost["device"] != "CPU"


def _row(
    name: str, costs: Mapping[str, Cost], run: str, seconds: Sequence[float], labels: EncoderLabels
) -> dict[str, Any]:
    cost = costs[run]
    gpu_reason = "" if _on_gpu(cost) else "no GPU was used"
    return {
        "run": name,
        "encoders": _encoders(cost, labels),
        "parameters": cost["parameters"]["total"] / 1e6,
        "trainable": cost["parameters"]["trainable"] / 1e6,
        "gflops": cost["flops"]["total"] / 1e9,
        "images_per_second": cost["inference"]["images_per_second"],
        "inference_memory": cost["inference"]["peak_bytes"] / 1e9,
        "step_seconds": cost["training"]["seconds"],
        "training_memory": cost["training"]["peak_bytes"] / 1e9,
        "hours": math.fsum(seconds) / len(seconds) / 3600 if seconds else math.nan,
        "hours_reason": "" if seconds else _UNRECORDED,
        "gpu_hours": _gpu_seconds(cost, seconds) / max(len(seconds), 1) / 3600,
        "gpu_hours_reason": gpu_reason or ("" if seconds else _UNRECORDED),
        **_shares(cost, _master_alone(cost, costs)),
    }


def _gpu_seconds(cost: Cost, seconds: Sequence[float]) -> float:
    """Seconds of all trainings times the GPUs of each; NaN without a GPU or a record."""
    if not seconds or not _on_gpu(cost):
        return math.nan
    return math.fsum(seconds) * cost["training"]["devices"]


def _master_alone(cost: Cost, costs: Mapping[str, Cost]) -> Cost | None:
    """The cost of a fused run's master by itself, measured alike."""
    return next(
        (
            other
            for other in costs.values()
            if other["auxiliary"] is None
            and (other["master"], other["train_master"]) == (cost["master"], cost["train_master"])
            and _setup(other) == _setup(cost)
        ),
        None,
    )


def _shares(cost: Cost, alone: Cost | None) -> dict[str, Any]:
    """Images per second of a fused run over those of its master alone; empty for a run of one encoder."""
    keys = {"inference": "inference_share", "training": "training_share"}
    if cost["auxiliary"] is None:
        return {**dict.fromkeys(keys.values(), ""), "share_reason": ""}
    if alone is None:
        return {**dict.fromkeys(keys.values(), math.nan), "share_reason": "its master alone was not measured"}
    rates = {
        key: cost[phase]["images_per_second"] / alone[phase]["images_per_second"]
        for phase, key in keys.items()
    }
    return {**rates, "share_reason": ""}


def _encoders(cost: Cost, labels: EncoderLabels) -> str:
    """Names a run's encoders in one line, such as ``DINO FT + SAM FZ at OS 16``."""
    text = f"{label(labels, cost['master'])} {mode(cost['train_master'])}"
    if cost["auxiliary"] is None:
        return text
    auxiliary = f"{label(labels, cost['auxiliary'])} {mode(cost['train_auxiliary'])}"
    return f"{text} + {auxiliary} at OS {strides_of(cost)}"


def _record(run: str, costs: Mapping[str, Cost], seconds: Sequence[float]) -> dict[str, Any]:
    """One row of numbers as they were measured, parts of the model included."""
    cost = costs[run]
    record: dict[str, Any] = {"run": run, "device": cost["device"], "threads": cost["threads"]}
    for quantity in ("parameters", "flops"):
        record |= {f"{quantity}_{part}": value for part, value in cost[quantity].items()}
    for phase in ("inference", "training"):
        height, width = cost[phase]["size"]
        record |= {f"{phase}_height": height, f"{phase}_width": width}
        record |= {f"{phase}_{key}": value for key, value in cost[phase].items() if key != "size"}
    shares = _shares(cost, _master_alone(cost, costs))
    record |= {key: shares[key] or math.nan for key in ("inference_share", "training_share")}
    return record | {
        "trained_seconds": math.fsum(seconds) if seconds else math.nan,
        "gpu_seconds": _gpu_seconds(cost, seconds),
        "trained": len(seconds),
    }


def _notes() -> tuple[str, ...]:
    return (
        "Speed: the fastest of several repetitions; other jobs may have run beside it. Of alone: images per "
        "second over those of the master alone, trained and measured alike.",
        "Memory: the most allocated on the GPU; on a CPU the most resident in the process, Python and its "
        "libraries included.",
        "A FLOP is a multiplication or an addition of a matrix product, a convolution, attention or bilinear "
        "sampling; element-wise work, norms, softmax and resizing are not counted.",
        "Hours: wall-clock time of one training, mean over seeds; of a training that was interrupted, the "
        "last part. GPU hours: that times the GPUs that share a step, where the machine has any (training "
        "and cost take a GPU if there is one). FT: fine-tuned, FZ: frozen.",
    )


def _size(phase: Mapping[str, Any]) -> str:
    return " x ".join(str(side) for side in phase["size"])


def _published_section(published: pd.DataFrame) -> Section:
    rows = []
    for model, values in published.groupby("model", sort=False):
        row: dict[str, Any] = {column.key: math.nan for column in _columns()}
        row |= {"run": model, "encoders": "", "hours_reason": "", "gpu_hours_reason": "", "share_reason": ""}
        named = zip(values["metric"], values["value"], strict=True)
        rows.append(row | {_PUBLISHED[metric]: value for metric, value in named if metric in _PUBLISHED})
    title = f"Published (Table {published['table'].iloc[0]})"
    return Section(title, pd.DataFrame(rows), ranked=False, absent="not published")


def _published_notes(published: pd.DataFrame | None) -> tuple[str, ...]:
    if published is None:
        return ()
    sources = ", ".join(sorted(set(published["source"])))
    return (
        f"Published values are of full-size models ({sources}); their image size, their machine and what "
        "they count as a FLOP are not known here. —: not published.",
    )


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_cost``."""
    costs = [read_cost(path) for path in inputs["costs"]]
    seconds: dict[str, list[float]] = {run: [] for run in settings["trainings"]}
    for run, path in zip(settings["trainings"], inputs["trainings"], strict=True):
        seconds[run] += read_benchmarks({path: "train"})["seconds"].tolist()
    return cost_table(
        {cost["run"]: cost for cost in costs},
        seconds,
        dict(settings["encoders"]),
        dict(settings["runs"]),
        shown_table(inputs["published"], "11"),
    )
