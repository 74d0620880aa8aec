"""Means of per-image scores over images and strides, with bootstrap intervals over images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.result_files import check_columns

MEASURES = {"sc": "SC", "semantic": "SC_GT, classes", "instance": "SC_GT, objects"}
"""What is shown of an encoder: SC, then SC_GT by kind of labels; its title."""
_INTERVAL = (2.5, 97.5)


class Bootstrap(NamedTuple):
    """How intervals are drawn: resamples of the images, and the seed of the resampling."""

    resamples: int
    seed: int


def read_image_scores(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Reads a table of per-image scores (Parquet).

    Args:
        path: the file.
        columns: what it must hold beside ``image_id``, ``stride``, ``score``, ``value`` and ``reason``.

    Raises:
        ReportingError: a column is missing, or a score of an image occurs twice.
    """
    frame = pd.read_parquet(path)
    expected = ["image_id", *columns, "stride", "score", "value", "reason"]
    check_columns(frame, expected, path)
    keys = ["image_id", *columns, "stride", "score"]
    if frame.duplicated(keys).any():
        first = frame.loc[frame.duplicated(keys), keys].iloc[0].to_dict()
        raise ReportingError(f"{path}: {first} occurs twice; delete the file, the workflow writes it again")
    return frame[expected]


def by_image(frame: pd.DataFrame, strides: Sequence[int]) -> np.ndarray:
    """Arranges one score as ``(images, strides)`` float64, images sorted by id, NaN where undefined."""
    table = frame.pivot_table(index="image_id", columns="stride", values="value", dropna=False)
    return table.sort_index().reindex(columns=list(strides)).to_numpy(dtype=np.float64)


def estimate(values: np.ndarray, bootstrap: Bootstrap) -> Value:
    """Averages over the defined images of each stride, then over the strides.

    Args:
        values: ``(images, strides)``; NaN where undefined.
        bootstrap: resampling of the images, the same for equally many, so that intervals are comparable.

    Returns:
        The mean (NaN where some stride has no defined image), its 95 % percentile bootstrap interval over
        images (NaN where some stride has fewer than two), and the number of defined images of the stride
        that has fewest.
    """
    images = int((~np.isnan(values)).sum(axis=0).min()) if values.size else 0
    if images == 0:
        return Value(np.nan)
    mean = float(_level(values[None])[0])
    if images == 1:
        return Value(mean, n=images)
    size = (bootstrap.resamples, len(values))
    draws = np.random.default_rng(bootstrap.seed).integers(len(values), size=size)
    low, high = np.nanpercentile(_level(values[draws]), _INTERVAL)
    return Value(mean, low=float(low), high=float(high), n=images)


def commonest_reason(frame: pd.DataFrame) -> str:
    """Returns the commonest reason of undefined values in words; empty where all are defined."""
    reasons = frame.loc[frame["value"].isna(), "reason"].mode()
    return str(reasons.iloc[0]).replace("_", " ") if len(reasons) else ""


def _level(values: np.ndarray) -> np.ndarray:
    """``(samples, images, strides)`` -> ``(samples,)``; a stride without a defined image makes it NaN."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        return np.nanmean(values, axis=1).mean(axis=1)
