"""Scores of one image at every output stride, and their summary over images (paper, Sec. 3.1, Tab. 5)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.metrics.edge_fidelity import EF_SCORES, score_edges
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.inputs import check_features, check_images, unit_range
from vfm_fusion.metrics.structural_coherence import SC_SCORES, score_structure

SCORES = SC_SCORES + EF_SCORES
"""Every score of a profile."""

_INTERVAL = (2.5, 97.5)


def profile_image(pyramid: dict[int, Tensor], image: Tensor, config: ProfileConfig) -> pd.DataFrame:
    """Scores the feature maps of one image at every stride of ``config.strides``.

    What several scores need of a map (L2 norm, channel moments, covariance) is computed once.

    Args:
        pyramid: ``{output stride: (1, C, h, w)}`` floating point.
        image: ``(1, 3, H0, W0)`` uint8, or floating point in [0, 1].
        config: ``strides`` and ``definition`` are read.

    Returns:
        One row per stride and score with columns ``stride`` (int64), ``score`` (sfc, scs, sc, ec, nc, fc, sp,
        ef), ``value`` (float64, NaN where undefined) and ``reason`` (str, null where defined).

    Raises:
        ShapeError: a stride is missing, or a shape, dtype or range is not as above.
    """
    check_images(image, batch=1)
    missing = [stride for stride in config.strides if stride not in pyramid]
    if missing:
        raise ShapeError(f"the pyramid lacks output strides {missing}; it has {sorted(pyramid)}")
    rgb = unit_range(image)
    rows = []
    for stride in config.strides:
        check_features(pyramid[stride])
        if pyramid[stride].shape[0] != 1:
            raise ShapeError(f"OS={stride}: expected features of one image, got {pyramid[stride].shape[0]}")
        features = FeatureMap(pyramid[stride][0])
        scores = score_structure(features, config.definition) | score_edges(features, rgb, config.definition)
        rows += [(stride, name, scores[name].value, scores[name].reason) for name in SCORES]
    frame = pd.DataFrame(rows, columns=["stride", "score", "value", "reason"])
    return frame.astype({"stride": "int64", "score": "str", "value": "float64", "reason": "str"})


def summarise(scores: pd.DataFrame, *, bootstrap: int, seed: int) -> pd.DataFrame:
    """Averages scores over images, with 95 % percentile bootstrap intervals.

    Undefined images are left out of mean and interval, and counted.

    Args:
        scores: columns ``image_id``, ``stride``, ``score``, ``value``, ``reason``; one row per image, stride
            and score.
        bootstrap: resamples of the images.
        seed: seed of the resampling. It is the same for every stride and score, so that their intervals rest
            on the same resampled images when the same images are defined.

    Returns:
        One row per stride and score: ``stride``, ``score``, ``mean``, ``ci_low``, ``ci_high``, ``images``
        (defined), ``undefined`` (count) and ``reason`` (the most common one, null where all are defined).
        With no defined image, mean and interval are NaN.
    """
    rows = []
    for (stride, score), group in scores.groupby(["stride", "score"], sort=False):
        values = group.sort_values("image_id")["value"].to_numpy(dtype=np.float64)
        defined = values[~np.isnan(values)]
        low, high = bootstrap_interval(defined, bootstrap, seed)
        mean = defined.mean() if defined.size else np.nan
        common = group.loc[group["value"].isna(), "reason"].mode()
        rows.append(
            (
                stride,
                score,
                mean,
                low,
                high,
                defined.size,
                values.size - defined.size,
                common.iloc[0] if len(common) else None,
            )
        )
    columns = ["stride", "score", "mean", "ci_low", "ci_high", "images", "undefined", "reason"]
    return pd.DataFrame(rows, columns=columns).astype({"stride": "int64", "score": "str", "reason": "str"})


def bootstrap_interval(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """Returns the 2.5th and 97.5th percentile of the mean of resampled ``values`` ``(n,)``; NaN if n = 0."""
    if values.size == 0:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(values.size, size=(resamples, values.size))
    low, high = np.percentile(values[draws].mean(axis=1), _INTERVAL)
    return float(low), float(high)
