"""What every run's model costs (the paper's Table 11)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import MISSING, Value
from vfm_fusion.reporting.labels import EncoderLabels, in_mode, strides_of
from vfm_fusion.reporting.published import published_section, shown_table
from vfm_fusion.reporting.result_files import read_benchmarks, read_cost
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

Cost = Mapping[str, Any]
"""One parsed ``cost.json``: what :func:`vfm_fusion.segmentation.cost_turns.measure_costs` says of a run."""

_UNRECORDED = "no record of its training"
_NOTES = (
    "Speed: the median of all repetitions, with their spread below it: the middle half of the times "
    "(interquartile range) over the median. On one machine nothing else of the workflow ran meanwhile; "
    "models took turns, and identical models were measured once. Of alone: images per second over "
    "those of the master alone, trained and measured alike.",
    "Memory: the most allocated on the GPU; on a CPU the most resident in the process, Python and its "
    "libraries included.",
    "A FLOP is a multiplication or an addition of a matrix product, a convolution, attention or bilinear "
    "sampling; element-wise work, norms, softmax and resizing are not counted.",
    "Hours: wall-clock time of one training, mean over seeds; of a training that was interrupted, the "
    "last part. GPU hours: that times the GPUs that share a step, where the machine has any (training "
    "and cost take a GPU if there is one). FT: fine-tuned, FZ: frozen.",
)
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
        Section(title, [_row(runs[run], costs, run, training_seconds.get(run, ()), labels) for run in alike])
        for title, alike in _by_setup(costs, runs).items()
    ]
    notes = [*_NOTES, _scattered(costs, runs)]
    if published is not None:
        sections.append(published_section(published, _published_rows(published)))
        more = "; their image size, their machine and what they count as a FLOP are not known here. "
        sources = ", ".join(sorted(set(published["source"])))
        notes.append(f"Published values are of full-size models ({sources}){more}{MISSING}: not published.")
    return Table(
        name="cost",
        caption=(
            "Cost of every model: parameters, operations of a forward pass, speed and peak memory of "
            "inference and of a training step, speed over that of the master alone, hours trained."
        ),
        data=pd.DataFrame([_record(run, costs, training_seconds.get(run, ())) for run in runs]),
        columns=_columns(),
        sections=sections,
        notes=notes,
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column("run", "Run"),
        Column("parameters", "All", group="Parameters (M)", digits=2),
        Column("trainable", "Trained", group="Parameters (M)", digits=2),
        Column("gflops", "GFLOPs", digits=2),
        Column("images_per_second", "Images/s", group="Inference", digits=2),
        Column("inference_share", "Of alone", group="Inference", digits=2),
        Column("inference_memory", "Memory (GB)", group="Inference", digits=2),
        Column("step_seconds", "Step (s)", group="Training", digits=2),
        Column("training_share", "Of alone", group="Training", digits=2),
        Column("training_memory", "Memory (GB)", group="Training", digits=2),
        Column("hours", "Hours", group="Training", digits=2),
        Column("gpu_hours", "GPU hours", group="Training", digits=2),
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


def _scattered(costs: Mapping[str, Cost], runs: Mapping[str, str]) -> str:
    """Says which times did not settle, and what helps; nothing where all did."""
    phases = [costs[run][phase] for run in runs for phase in ("inference", "training")]
    scattered = [phase["timed"] for phase in phases if not phase["steady"]]
    if not scattered:
        return ""
    return (
        f"Underlined: times that still scattered after {max(scattered)} repetitions, so that something else "
        "ran on the machine, or its clock changed; differences of the size of the spread say nothing. "
        "Measure again when it is quiet, with --forcerun measure_cost."
    )


def _row(
    name: str, costs: Mapping[str, Cost], run: str, seconds: Sequence[float], labels: EncoderLabels
) -> Row:
    cost, count = costs[run], max(len(seconds), 1)
    reason = "" if seconds else _UNRECORDED
    hours = math.fsum(seconds) / count / 3600 if seconds else math.nan
    gpu_hours = _gpu_seconds(cost, seconds) / count / 3600
    return {
        "run": Entry(name, _encoders(cost, labels)),
        "parameters": cost["parameters"]["total"] / 1e6,
        "trainable": cost["parameters"]["trainable"] / 1e6,
        "gflops": cost["flops"]["total"] / 1e9,
        "images_per_second": _timed(cost["inference"], "images_per_second"),
        "inference_memory": cost["inference"]["peak_bytes"] / 1e9,
        "step_seconds": _timed(cost["training"], "seconds"),
        "training_memory": cost["training"]["peak_bytes"] / 1e9,
        "hours": Value(hours).because(reason),
        "gpu_hours": Value(gpu_hours).because(reason if _on_gpu(cost) else "no GPU was used"),
        **_shares(cost, _master_alone(cost, costs)),
    }


def _timed(phase: Mapping[str, Any], key: str) -> Entry:
    """A speed or time with its spread; underlined where that is not small."""
    return Entry(phase[key], f"spread {100 * phase['spread']:.0f} %", underline=not phase["steady"])


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
            and _part(other, "master") == _part(cost, "master")
            and _setup(other) == _setup(cost)
        ),
        None,
    )


def _shares(cost: Cost, alone: Cost | None) -> dict[str, Entry]:
    """Images per second of a fused run over those of its master alone; empty for a run of one encoder."""
    phases = ("inference", "training")
    if cost["auxiliary"] is None:
        return {f"{phase}_share": Entry("") for phase in phases}
    if alone is None:
        missing = Value.missing("its master alone was not measured")
        return {f"{phase}_share": Entry(missing) for phase in phases}
    return {
        f"{phase}_share": Entry(
            Value(cost[phase]["images_per_second"] / alone[phase]["images_per_second"]),
            underline=not (cost[phase]["steady"] and alone[phase]["steady"]),
        )
        for phase in phases
    }


def _encoders(cost: Cost, labels: EncoderLabels) -> str:
    """Names a run's encoders in one line, such as ``DINO FT + SAM FZ at OS 16``."""
    text = in_mode(_part(cost, "master"), labels)
    if cost["auxiliary"] is None:
        return text
    return f"{text} + {in_mode(_part(cost, 'auxiliary'), labels)} at OS {strides_of(cost)}"


def _part(cost: Cost, role: str) -> dict[str, Any]:
    """An encoder of a run and what is done with it."""
    upsampler = cost.get("upsampling", {}).get(role)
    return {"encoder": cost[role], "trainable": cost[f"train_{role}"], "upsampler": upsampler}


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
    for key, share in _shares(cost, _master_alone(cost, costs)).items():
        record[key] = share.value.mean if isinstance(share.value, Value) else math.nan
    return record | {
        "trained_seconds": math.fsum(seconds) if seconds else math.nan,
        "gpu_seconds": _gpu_seconds(cost, seconds),
        "trained": len(seconds),
    }


def _size(phase: Mapping[str, Any]) -> str:
    return " x ".join(str(side) for side in phase["size"])


def _published_rows(published: pd.DataFrame) -> list[Row]:
    rows = []
    for model, values in published.groupby("model", sort=False):
        named = zip(values["metric"], values["value"], strict=True)
        shown = {_PUBLISHED[metric]: value for metric, value in named if metric in _PUBLISHED}
        rows.append({"run": model} | shown)
    return rows


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
