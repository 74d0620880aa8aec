"""What every run's model costs (the paper's Table 11)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.labels import EncoderLabels, label, mode, strides_of
from vfm_fusion.reporting.table import Column, Section, Table

Cost = Mapping[str, Any]
"""One parsed ``cost.json``: what :func:`vfm_fusion.segmentation.cost.measure_cost` returns, and the run."""

_PUBLISHED = {"parameters (M)": "parameters", "GFLOPs": "gflops", "throughput (img/s)": "images_per_second"}


def cost_table(
    costs: Mapping[str, Cost],
    training_seconds: Mapping[str, Sequence[float]],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    published: pd.DataFrame | None = None,
) -> Table:
    """Builds the table of parameters, operations, speed, memory and training time.

    Args:
        costs: run -> its cost.
        training_seconds: run -> wall-clock time of each of its trainings (one a seed).
        labels: names of the encoders in print.
        runs: run -> label, in the order of the rows.
        published: rows of the published Table 11, shown below as a section of its own.

    Raises:
        ReportingError: a run without a cost, or costs of different image sizes or devices.
    """
    absent = [run for run in runs if run not in costs]
    if absent:
        raise ReportingError(f"runs {absent} have no cost; measure them")
    setups = {run: _setup(costs[run]) for run in runs}
    differing = [run for run, setup in setups.items() if setup != setups[next(iter(runs))]]
    if differing:
        raise ReportingError(f"the costs of {differing} were measured in another way; measure all runs alike")
    rows = pd.DataFrame([_row(runs[r], costs[r], training_seconds.get(r, ()), labels) for r in runs])
    sections = [Section("", rows)]
    if published is not None:
        sections = [Section("Measured", rows), _published_section(published)]
    return Table(
        name="cost",
        caption=(
            "Cost of every model: parameters, operations of a forward pass, speed and peak memory of "
            "inference and of a training step, and hours trained."
        ),
        data=pd.DataFrame([_record(run, costs[run], training_seconds.get(run, ())) for run in runs]),
        columns=_columns(),
        sections=tuple(sections),
        notes=(*_notes(costs[next(iter(runs))]), *(_published_notes(published))),
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column("run", "Run", detail="encoders"),
        Column("parameters", "All", group="Parameters (M)", digits=2),
        Column("trainable", "Trained", group="Parameters (M)", digits=2),
        Column("gflops", "GFLOPs", digits=2),
        Column("images_per_second", "Images/s", group="Inference", digits=2),
        Column("inference_memory", "Memory (GB)", group="Inference", digits=2),
        Column("step_seconds", "Step (s)", group="Training", digits=2),
        Column("training_memory", "Memory (GB)", group="Training", digits=2),
        Column("hours", "Hours", group="Training", digits=2, reason="hours_reason"),
    )


def _row(name: str, cost: Cost, seconds: Sequence[float], labels: EncoderLabels) -> dict[str, Any]:
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
        "hours_reason": "" if seconds else "no record of its training",
    }


def _encoders(cost: Cost, labels: EncoderLabels) -> str:
    """Names a run's encoders in one line, such as ``DINO FT + SAM FZ at OS 16``."""
    text = f"{label(labels, cost['master'])} {mode(cost['train_master'])}"
    if cost["auxiliary"] is None:
        return text
    auxiliary = f"{label(labels, cost['auxiliary'])} {mode(cost['train_auxiliary'])}"
    return f"{text} + {auxiliary} at OS {strides_of(cost)}"


def _record(run: str, cost: Cost, seconds: Sequence[float]) -> dict[str, Any]:
    """One row of numbers as they were measured, parts of the model included."""
    record: dict[str, Any] = {"run": run, "device": cost["device"], "threads": cost["threads"]}
    for quantity in ("parameters", "flops"):
        record |= {f"{quantity}_{part}": value for part, value in cost[quantity].items()}
    for phase in ("inference", "training"):
        height, width = cost[phase]["size"]
        record |= {f"{phase}_height": height, f"{phase}_width": width}
        record |= {f"{phase}_{key}": value for key, value in cost[phase].items() if key != "size"}
    return record | {"trained_seconds": math.fsum(seconds) if seconds else math.nan, "trained": len(seconds)}


def _setup(cost: Cost) -> tuple[Any, ...]:
    phases = (cost["inference"], cost["training"])
    how = [(tuple(p["size"]), p["batch"], p["precision"]) for p in phases]
    return cost["device"], cost["threads"], *how


def _notes(cost: Cost) -> tuple[str, ...]:
    inference, training = cost["inference"], cost["training"]
    gpu = cost["device"] != "CPU"
    device = cost["device"] if gpu else f"CPU, {cost['threads']} thread{'s' if cost['threads'] > 1 else ''}"
    memory = "allocated on the GPU" if gpu else "resident in the process, Python and its libraries included"
    return (
        f"Measured on: {device}, the fastest of several repetitions; other jobs may have run beside it.",
        f"Inference: {inference['batch']} image of {_size(inference)}, {inference['precision']}. Training: a "
        f"step on {training['batch']} crops of {_size(training)}, {training['precision']}. Memory: the most "
        f"{memory}.",
        "A FLOP is a multiplication or an addition of a matrix product, a convolution, attention or bilinear "
        "sampling; element-wise work, norms, softmax and resizing are not counted.",
        "Hours: wall-clock time of one training, mean over seeds; of a training that was interrupted, the "
        "last part. FT: fine-tuned, FZ: frozen.",
    )


def _size(phase: Mapping[str, Any]) -> str:
    return " x ".join(str(side) for side in phase["size"])


def _published_section(published: pd.DataFrame) -> Section:
    rows = []
    for model, values in published.groupby("model", sort=False):
        row: dict[str, Any] = {column.key: math.nan for column in _columns()}
        row |= {"run": model, "encoders": "", "hours_reason": ""}
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
