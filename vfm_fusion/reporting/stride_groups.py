"""Fused runs that differ in where they inject alone, beside the run of their master alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.records import Evaluation, RunResults

Strides = tuple[int, ...]
"""Where a run injects, ascending."""


@dataclass(frozen=True)
class Group:
    """Fused runs that differ in the injection strides alone, and the run of their master alone.

    A master whose maps are upsampled is not alone without that.

    Attributes:
        fused: the runs by their injection strides: those of one stride first, each part ascending.
        alone: the master alone, trained alike; None where there is no such run.
        repeated: runs that are the same training as one of ``fused``, each as ``(shown, repeated)``.
    """

    fused: Mapping[Strides, RunResults]
    alone: RunResults | None
    repeated: tuple[tuple[RunResults, RunResults], ...] = ()

    @property
    def single(self) -> list[int]:
        """Strides at which some run injects and nowhere else, ascending."""
        return [strides[0] for strides in self.fused if len(strides) == 1]

    @property
    def auxiliary(self) -> str:
        """The encoder that is injected."""
        return self.example["auxiliary"]["encoder"]

    @property
    def example(self) -> Evaluation:
        """An evaluation from which encoders are read."""
        return next(iter(self.fused.values())).facts

    @property
    def seeds(self) -> list[int]:
        """Seeds that every run of a single stride has, ascending."""
        runs = [self.fused[stride,].found for stride in self.single]
        return sorted(set.intersection(*map(set, runs))) if runs else []

    def level(self, strides: Strides, metric: str) -> Value:
        """Returns what a fused run reaches, in percent."""
        return self.fused[strides].level(metric)

    def at_seed(self, metric: str, seed: int) -> dict[int, float]:
        """Returns what one seed reaches, in percent, by single stride; NaN where undefined or absent."""
        return {s: self.fused[s,].values(metric).get(seed, (math.nan, ""))[0] for s in self.single}

    def gain(self, strides: Strides, metric: str) -> Value:
        """Returns metric(fused) - metric(master alone), seed by seed, in percentage points."""
        fused, alone = self.fused[strides], self.alone
        if alone is None:
            return Value.missing("no run trains this master alone in the same way")
        if alone.missing:
            return Value.missing(f"the master alone is {alone.reason}")
        subtracted = alone.values(metric)
        return fused.average(
            {seed: _minus(value, subtracted[seed]) for seed, value in fused.values(metric).items()}
        )


def group_by_stride(results: Sequence[RunResults], fusions: Mapping[str, str]) -> list[Group]:
    """Collects fused runs with the same encoders and data, trained and fused alike but for the strides.

    Of two runs with the same strides, which then are the same training, the first counts.

    Args:
        results: all runs; those without an evaluation are left out.
        fusions: run to its fusion settings without the stride.
    """
    alone: dict[tuple[Any, ...], RunResults] = {}
    fused: dict[tuple[Any, ...], dict[Strides, RunResults]] = {}
    repeated: dict[tuple[Any, ...], list[tuple[RunResults, RunResults]]] = {}
    for result in results:
        evaluation = result.facts
        if evaluation is None:
            continue
        master = _encoder(evaluation, "master")
        if evaluation["auxiliary"] is None:
            alone.setdefault(master, result)
        else:
            key = (*master, *_encoder(evaluation, "auxiliary"), fusions[result.key])
            first = fused.setdefault(key, {}).setdefault(tuple(sorted(evaluation["strides"])), result)
            if first is not result:
                repeated.setdefault(key, []).append((first, result))
    return [
        Group(
            dict(sorted(runs.items(), key=_singles_first)), alone.get(key[:3]), tuple(repeated.get(key, ()))
        )
        for key, runs in fused.items()
    ]


def upsampled_note(groups: Sequence[Group]) -> str:
    """Says what EF is of where an auxiliary is upsampled; empty where none is."""
    if not any("upsampler" in group.example["auxiliary"] for group in groups):
        return ""
    return (
        "EF is of maps as they are profiled, finer strides by nearest neighbour, also where the auxiliary is "
        "upsampled in another way."
    )


def _encoder(evaluation: Evaluation, role: str) -> tuple[str, bool, str | None]:
    part = evaluation[role]
    return part["encoder"], part["trainable"], part.get("upsampler")


def _singles_first(item: tuple[Strides, RunResults]) -> tuple[bool, Strides]:
    return len(item[0]) > 1, item[0]


def _minus(first: tuple[float, str], second: tuple[float, str]) -> tuple[float, str]:
    """The difference of two numbers, and why it is undefined where one of them is."""
    undefined = next((found for found in (first, second) if math.isnan(found[0])), None)
    return undefined or (first[0] - second[0], "")
