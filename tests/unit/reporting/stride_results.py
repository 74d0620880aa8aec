"""Evaluations of stride sweeps with given values, and profiles with given peaks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import reporting_results as results

from vfm_fusion.reporting.stride_sweep import Sweep, collect_sweep

STRIDES = (4, 8, 16, 32)
DINO, SAM = "mini_dino", "mini_sam"
SELECTION: dict[str, Any] = {
    "dataset": "miniscapes",
    "definition": "paper",
    "task": "semantic",
    "stride_by": "ef",
    "master": DINO,
    "auxiliary": SAM,
    "stride": 16,
    "reverse": {"master": SAM, "auxiliary": DINO, "stride": 32},
    "ranks": {
        "sc": [{"encoder": DINO, "value": 0.7}, {"encoder": SAM, "value": 0.45}],
        "ef": [{"encoder": SAM, "value": 11.0}, {"encoder": DINO, "value": 2.0}],
    },
}
EF = {SAM: {4: 6.0, 8: 9.0, 16: 18.0, 32: 13.0}, DINO: {4: 1.0, 8: 2.0, 16: 3.0, 32: 6.0}}
SC = {DINO: {4: 0.8, 8: 0.7, 16: 0.7, 32: 0.6}, SAM: {4: 0.5, 8: 0.5, 16: 0.4, 32: 0.4}}
MODES = {"a": (DINO, True, SAM), "b": (DINO, False, SAM), "c": (SAM, True, DINO), "d": (SAM, False, DINO)}


def evaluation(
    run: str,
    seed: int,
    ap: float | None,
    master: str,
    trained: bool,
    auxiliary: str | None = None,
    stride: int | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """One run and seed; mIoU is 50 everywhere, and PQ does not exist."""

    def named(encoder: str, trainable: bool) -> dict[str, Any]:
        pretraining = results.LABELS[encoder]["pretraining"]
        return {"encoder": encoder, "trainable": trainable, "pretraining": pretraining}

    content = results.evaluation(run, seed, 1.0) | {
        "master": named(master, trained),
        "auxiliary": named(auxiliary, False) if auxiliary else None,
        "strides": [stride] if stride else [],
        "operator": "replace" if auxiliary else None,
        "metrics": {"AP": ap, "mIoU": 50.0, "PQ": None},
        "reasons": {"AP": "no ground truth", "PQ": "not panoptic"},
    }
    return content | changes


def sweep(name: str, ap: Mapping[int, Sequence[float]], **changes: Any) -> list[dict[str, Any]]:
    """Runs of one setting: stride -> AP by seed."""
    master, trained, auxiliary = MODES[name]
    return [
        evaluation(f"{name}-os{stride}", seed, value, master, trained, auxiliary, stride, **changes)
        for stride, values in ap.items()
        for seed, value in enumerate(values)
    ]


def alone(run: str, encoder: str, trained: bool, ap: Sequence[float]) -> list[dict[str, Any]]:
    """A run without an auxiliary, AP by seed."""
    return [evaluation(run, seed, value, encoder, trained) for seed, value in enumerate(ap)]


def around(levels: Mapping[int, float], seeds: int, spread: float = 0.1) -> dict[int, list[float]]:
    """Values of every seed around a level per stride: the same offsets at all strides, but turned by one."""
    offsets = [spread * (seed - (seeds - 1) / 2) for seed in range(seeds)]
    return {
        stride: [level + offsets[(seed + turn) % seeds] for seed in range(seeds)]
        for turn, (stride, level) in enumerate(levels.items())
    }


def runs_of(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {e["run"]: f"Run {e['run']}" for e in evaluations}


def fusions_of(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return dict.fromkeys(runs_of(evaluations), "replace, align sample")


def profiles(
    sc: Mapping[str, Mapping[int, float]] = SC,
    ef: Mapping[str, Mapping[int, float]] = EF,
    half: float = 0.05,
    excess: float | None = 0.1,
) -> pd.DataFrame:
    """Joined profiles: intervals of +-``half``, and scores above their null by ``excess`` +- ``half``."""
    rows = []
    for score, of in (("sc", sc), ("ef", ef)):
        for encoder, stride in itertools.product(of, STRIDES):
            mean = of[encoder][stride]
            values = {score: mean} | ({} if excess is None else {f"{score}_excess": excess})
            for name, value in values.items():
                row = {"encoder": encoder, "definition": "paper", "stride": stride, "score": name}
                rows.append(row | {"mean": value, "ci_low": value - half, "ci_high": value + half})
    return pd.DataFrame(rows).assign(images=80, undefined=0, reason=None)


def collected(evaluations: Sequence[Mapping[str, Any]], seeds: Iterable[int], **changes: Any) -> Sweep:
    """Those runs with the profiles and the selection of this module."""
    arguments: dict[str, Any] = {
        "profiles": profiles(),
        "selection": SELECTION,
        "labels": results.LABELS,
        "runs": runs_of(evaluations),
        "fusions": fusions_of(evaluations),
        "seeds": list(seeds),
    }
    return collect_sweep(evaluations, **(arguments | changes))
