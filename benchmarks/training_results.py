"""What benchmarks/training.py measures of which models, and what it says of it; without torch."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

FUSED = "fused"
MASTER = "master alone"
PLAIN = "transformers Mask2Former"
FUSED_RUNS: dict[str, tuple[str, tuple[int, ...]]] = {
    FUSED: ("replace", (16,)),
    "fused, gated": ("gated", (16,)),
    "fused, concat": ("concat", (16,)),
    "fused, OS 4 and 16": ("replace", (4, 16)),
}
MODELS = (MASTER, "auxiliary alone, frozen", *FUSED_RUNS, PLAIN)
RUN, STORED = "encoders run", "stored maps"
FROZEN_RUNS = {
    f"{model}, {how}": (model == FUSED, how == STORED) for model in (MASTER, FUSED) for how in (RUN, STORED)
}
"""Models of size `frozen`: whether they are fused, and whether they read what the encoders left."""


@dataclass(frozen=True)
class Task:
    """One model to measure, in plain data that goes to another process.

    ``compiled``: the backend of ``torch.compile`` for the encoders; empty where they are not compiled.
    ``folder``: where the images and stores of size ``frozen`` are.
    """

    model: str
    size: str
    batch: int
    crop: tuple[int, int]
    device: str
    precision: str
    steps: int
    seed: int
    compiled: str
    channels_last: bool
    auxiliary_bfloat16: bool
    threads: int
    folder: str = ""


RATIO_TARGETS = {"training": 0.75, "inference": 0.64}
"""Rate of the fused model over its master's, at full size."""
SHARE_TARGET = 0.85
"""Share of the compute bound."""
FASTER_TARGET = 4.0
"""Rate of a step that reads stored maps over that of one that runs the encoders."""


@dataclass
class Measured:
    """What was found of a model; times of all its steps and passes in seconds."""

    parameters: int = 0
    trainable: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    flops: dict[str, int] = field(default_factory=dict)

    def add(self, other: Measured) -> None:
        """Takes in a further round."""
        self.parameters, self.trainable = other.parameters, other.trainable
        for phase, seconds in other.seconds.items():
            self.seconds[phase] = [*self.seconds.get(phase, []), *seconds]
            self.peak[phase] = max(self.peak.get(phase, 0), other.peak[phase])
        self.flops |= other.flops

    def rate(self, phase: str, task: Task) -> float:
        """Returns images per second."""
        seconds = self.seconds[phase]
        return task.batch / (statistics.median(seconds) if task.device == "cuda" else min(seconds))


def model_lines(tasks: list[Task], found: dict[str, Measured]) -> list[str]:
    columns = f"  {'GFLOPs':>8}{'images/s':>10}{'GB':>9}"
    lines = [
        f"{'':26}{'parameters':>11}{'trained':>8}  {'training':>27}  {'inference':>27}",
        f"{'':26}{'M':>11}{'M':>8}{columns}{columns}",
    ]
    for task in tasks:
        one = found[task.model]
        cells = "".join(
            f"  {one.flops[phase] / 1e9:8.2f}{one.rate(phase, task):10.3f}{one.peak[phase] / 1e9:9.2f}"
            for phase in ("training", "inference")
        )
        lines.append(f"{task.model:26}{one.parameters / 1e6:11.2f}{one.trainable / 1e6:8.2f}{cells}")
    return lines


def ratio_lines(tasks: list[Task], found: dict[str, Measured]) -> tuple[list[str], list[str]]:
    """Returns rates over the master's beside their bounds, as lines, and the targets that were missed."""
    master = found[MASTER]
    lines = [f"{'over the master alone':26}{'phase':12}{'ratio':>7}{'bound':>7}{'share':>7}   targets"]
    missed = []
    for task in tasks:
        if task.model not in FUSED_RUNS:
            continue
        for phase, target in RATIO_TARGETS.items():
            one = found[task.model]
            ratio = one.rate(phase, task) / master.rate(phase, task)
            bound = master.flops[phase] / one.flops[phase]
            said = ""
            if task.model == FUSED:
                checks = [(f"share {SHARE_TARGET}", ratio / bound >= SHARE_TARGET)]
                if task.size == "full":
                    checks.insert(0, (f"ratio {target}", ratio >= target))
                missed += [f"{phase}, {name}" for name, met in checks if not met]
                said = ", ".join(f"{name}: {'met' if met else 'MISSED'}" for name, met in checks)
            share = ratio / bound
            lines.append(f"{task.model:26}{phase:12}{ratio:7.2f}{bound:7.2f}{share:7.2f}   {said}".rstrip())
    return lines, missed


def frozen_lines(tasks: list[Task], found: dict[str, Measured]) -> list[str]:
    lines = [
        f"{'':26}{'trained':>9}{'GFLOPs':>9}{'images/s':>10}{'ms a step':>11}{'of it reading':>15}{'GB':>7}"
    ]
    for task in tasks:
        one = found[task.model]
        step, reading = (1000 * task.batch / one.rate(phase, task) for phase in ("training", "reading"))
        lines.append(
            f"{task.model:26}{one.trainable / 1e6:7.2f} M{one.flops['training'] / 1e9:9.2f}"
            f"{one.rate('training', task):10.2f}{step:11.1f}{reading:15.1f}{one.peak['training'] / 1e9:7.2f}"
        )
    return lines


def faster_lines(tasks: list[Task], found: dict[str, Measured]) -> tuple[list[str], list[str]]:
    """Returns rates over those of running the encoders beside their bounds, and the targets missed."""
    lines, missed = [f"{'over running the encoders':26}{'ratio':>7}{'bound':>7}{'share':>7}   target"], []
    for task in tasks:
        peer = task.model.replace(STORED, RUN)
        if task.model == peer or peer not in found:
            continue
        ours, theirs = found[task.model], found[peer]
        ratio = ours.rate("training", task) / theirs.rate("training", task)
        bound = theirs.flops["training"] / ours.flops["training"]
        met = ratio >= FASTER_TARGET
        missed += [] if met else [f"{task.model}, ratio {FASTER_TARGET:g}"]
        said = f"ratio {FASTER_TARGET:g}: {'met' if met else 'MISSED'}"
        lines.append(f"{task.model:26}{ratio:7.2f}{bound:7.2f}{ratio / bound:7.2f}   {said}")
    return lines, missed
