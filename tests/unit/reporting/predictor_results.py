"""Points of sweeps with given results and given values of predictors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.predictor_settings import settings_of
from vfm_fusion.reporting.predictor_skill import Comparison
from vfm_fusion.reporting.stride_points import POINT

STRIDES = (4, 8, 16, 32)
BOOTSTRAP = Bootstrap(500, 0)
BEST_AT_8 = {4: 30.0, 8: 34.0, 16: 31.0, 32: 29.0}
"""Random regret 3, chance of a hit 1 of 4."""


def sweep(
    scores: Mapping[int, float | Sequence[float]],
    predicted: Mapping[str, Mapping[int, float]],
    reason: str = "",
    **key: str,
) -> pd.DataFrame:
    """Points of one setting: stride -> score of every seed, predictor -> stride -> value."""
    names = {"study": "study", "dataset": "data", "task": "panoptic", "metric": "AP", "master": "a"}
    names |= {"auxiliary": "b", "trains": "FZ+FZ", "fusion": "operator replace, align sample"} | key
    rows = [
        names
        | {"stride": stride, "seed": seed, "images": 80, "score": score, "gain": score - 30.0}
        | {predictor: values.get(stride, np.nan) for predictor, values in predicted.items()}
        | {"reason": reason}
        for stride, values in scores.items()
        for seed, score in enumerate([values] if isinstance(values, float) else values)
    ]
    return pd.DataFrame(rows)[[*POINT, *predicted, "reason"]]


def pairs(count: int, dataset: str = "data", **given: Any) -> list[pd.DataFrame]:
    """The same setting of so many auxiliaries."""
    arguments = {"scores": BEST_AT_8, "predicted": PREDICTED} | given
    return [sweep(**arguments, dataset=dataset, auxiliary=f"b{index}") for index in range(count)]


def compared(frames: Iterable[pd.DataFrame], bootstrap: Bootstrap = BOOTSTRAP) -> Comparison:
    points = pd.concat(frames, ignore_index=True)
    predictors = [column for column in points if column not in (*POINT, "reason")]
    return Comparison(tuple(settings_of(points)), tuple(predictors), bootstrap)


def written(path: Path, frames: Iterable[pd.DataFrame]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(frames, ignore_index=True).to_csv(path, index=False)
    return path


PREDICTED: dict[str, dict[int, float]] = {
    "ef.paper": {4: 1.0, 8: 2.0, 16: 3.0, 32: 9.0},  # the worst stride
    "rankme": {4: 2.0, 8: 9.0, 16: 3.0, 32: 1.0},  # the order of the results
    "probe": {4: 2.0, 8: 9.0, 16: 3.0, 32: 1.0},
}


def mixed(
    seed: int = 0, datasets: Sequence[str] = ("miniscapes", "camvid", "penn-fudan")
) -> list[pd.DataFrame]:
    """Settings like those of real studies: several data sets, pairs and modes, predictors of all kinds."""
    rng, frames = np.random.default_rng(seed), []
    for dataset in datasets:
        for master, auxiliary in (
            ("dino", "pidinet"),
            ("dino", "mobilenet"),
            ("dino", "r2d2"),
            ("r2d2", "dino"),
        ):
            truth = rng.normal(0, 1, len(STRIDES))
            noise = {"ef.paper": 3.0, "ef.calibrated": 1.0, "ef_above_null.paper": 3.0, "ef_lead.paper": 2.0}
            noise |= {"ef_lead.calibrated": 1.2, "sc_lead.paper": 4.0, "rankme": 1.5, "unlikeness": 2.0}
            noise |= {"ef_times_unlikeness.paper": 2.0, "rankme_times_unlikeness": 1.5, "probe": 0.4}
            values = {
                name: dict(zip(STRIDES, (truth + rng.normal(0, scale, 4)).tolist(), strict=True))
                for name, scale in noise.items()
            }
            for trains in ("FZ+FZ", "FT+FZ") if auxiliary == "pidinet" else ("FZ+FZ",):
                base = 30 + 2 * truth + rng.normal(0, 0.5, 4)
                scores = {s: (b + rng.normal(0, 0.4, 3)).tolist() for s, b in zip(STRIDES, base, strict=True)}
                key = {"dataset": dataset, "master": master, "auxiliary": auxiliary, "trains": trains}
                frames.append(sweep(scores, values, **key))
    return frames
