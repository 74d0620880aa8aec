"""Scores of controls with a known verdict, in the format of the workflow."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from vfm_fusion.metrics.controls import CONTROLS

IMAGES = tuple(f"street_{number}" for number in range(1, 7))
STRIDES = (4, 8)
NAN = math.nan
VALUES = {
    # definition, stride -> EF and SC of edges, blurred, smooth, noise, shuffled
    ("good", 4): ((9.0, 5.0, 1.0, 0.5, 0.5), (0.5, 0.6, 0.9, 0.1, 0.1)),
    ("good", 8): ((8.0, 4.0, 2.0, 0.5, 0.5), (0.5, 0.6, 0.8, 0.1, 0.1)),
    ("noisy", 4): ((6.25, 5.0, 1.0, 14.06, 14.06), (0.5, 0.6, 0.9, 0.1, 0.1)),
    ("noisy", 8): ((8.0, 8.0, 8.5, 9.0, 4.0), (NAN, NAN, NAN, NAN, NAN)),
}
"""``good`` is right throughout; ``noisy`` ranks noise above edges, and its SC is unknown at OS 8."""


def scores() -> pd.DataFrame:
    """Every value on all images, 1 % more on every second; sub-scores and nulls as in a real file."""
    rows = []
    for index, image_id in enumerate(IMAGES):
        for (definition, stride), (ef, sc) in VALUES.items():
            for score, values in (("ef", ef), ("sc", sc), ("ef_null", ef), ("fc", sc)):
                for control, value in zip(CONTROLS, (*values, NAN), strict=True):
                    reason = "constant_features" if control == "constant" else "grid_too_fine"
                    value *= 1 + 0.01 * (index % 2)
                    row = (image_id, definition, control, stride, score, value)
                    rows.append((*row, reason if math.isnan(value) else None))
    columns = ["image_id", "definition", "control", "stride", "score", "value", "reason"]
    return pd.DataFrame(rows, columns=columns)


def write_controls(folder: Path) -> Path:
    """Writes the scores as the workflow does."""
    path = folder / "controls.parquet"
    scores().to_parquet(path)
    return path
