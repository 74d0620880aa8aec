"""Writes small sweeps with known means."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

STRIDES = (4, 8)
LABELS = {
    name: {"label": name.upper(), "pretraining": "untrained (seeded)"} for name in ("dino", "sam", "swin")
}
UNDEFINED = math.nan
OWN = {
    "dino": {"sc": (0.6, 0.8), "ef": (1.0, 3.0)},
    "sam": {"sc": (0.5, 0.5), "ef": (10.0, 6.0)},
    "swin": {"sc": (0.2, 0.4), "ef": (4.0, 6.0)},
}
"""Means of the baseline at the two strides: dino leads in SC, sam in EF with its peak at OS 4."""
CHANGES: dict[tuple[str, str], dict[str, dict[str, tuple[float, float]]]] = {
    ("grid", "4"): {},
    ("grid", "8"): {"dino": {"sc": (0.4, UNDEFINED)}},
    ("l2_clip", "null"): {},
    ("l2_clip", "5.0"): {"swin": {"sc": (UNDEFINED, UNDEFINED)}},
    ("tau", "0.3"): {"sam": {"ef": (6.0, 10.0)}},
    ("tau", "0.5"): {},
    ("gamma", "0.0078125"): {"sam": {"ef": (20.0, 12.0)}},
    ("gamma", "0.015625"): {},
}
"""Swept values, and which means they change."""
BASELINE = {("grid", "4"), ("l2_clip", "null"), ("tau", "0.5"), ("gamma", "0.015625")}
SELECTION = {
    "dataset": "miniscapes",
    "definition": "paper",
    "task": "semantic",
    "stride_by": "ef",
    "master": "dino",
    "auxiliary": "sam",
    "stride": 4,
}


def sweep(encoder: str, spread: float = 0.125) -> pd.DataFrame:
    """Builds one encoder's sweep on two images, whose values lie ``spread`` around the mean."""
    rows = [
        {
            "image_id": image,
            "setting": setting,
            "setting_value": value,
            "baseline": (setting, value) in BASELINE,
            "stride": stride,
            "score": score,
            "value": mean + sign * spread,
            "reason": "grid_too_fine" if math.isnan(mean) else None,
        }
        for image, sign in (("first", -1), ("second", 1))
        for (setting, value), changes in CHANGES.items()
        for score, means in (OWN[encoder] | changes.get(encoder, {})).items()
        for stride, mean in zip(STRIDES, means, strict=True)
    ]
    return pd.DataFrame(rows)


def write_sweeps(folder: Path) -> dict[str, Path]:
    """Writes one file per encoder."""
    paths = {encoder: folder / f"{encoder}.sensitivity.parquet" for encoder in OWN}
    for encoder, path in paths.items():
        sweep(encoder).to_parquet(path)
    return paths
