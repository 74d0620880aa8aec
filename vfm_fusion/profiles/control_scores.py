"""The controls of a data set: SC and EF of maps with a known answer, by every definition."""

from __future__ import annotations

import zlib

import pandas as pd
from torch import Tensor

from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.features.profiled import profiled_image
from vfm_fusion.metrics.controls import CONTROLS, control_map
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.profile import profile_image
from vfm_fusion.workflow.progress import progress


def score_controls(
    dataset: Dataset, config: ProfileConfig, images: int | None, image_size: ImageSize | None = None
) -> pd.DataFrame:
    """Makes the controls of evenly spaced images and scores them as encoders are scored.

    Args:
        dataset: the split that encoders are profiled on.
        config: strides and metric definitions.
        images: how many; None for all.
        image_size: the size that they are profiled at.

    Returns:
        One row per image, definition, control, stride and score: ``image_id``, ``definition``, ``control``
        (see :data:`~vfm_fusion.metrics.controls.CONTROLS`), ``stride``, ``score``, ``value``, ``reason``; the
        last four as in :func:`~vfm_fusion.metrics.profile.profile_image`.
    """
    chosen = subset(len(dataset), images)
    tables = []
    for position in progress(chosen, "score controls", len(chosen)):
        image = profiled_image(dataset.image(position), image_size)  # (1, 3, H, W)
        table = score_image_controls(image, config, control_seed(dataset.ids[position]))
        table.insert(0, "image_id", dataset.ids[position])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def score_image_controls(image: Tensor, config: ProfileConfig, seed: int) -> pd.DataFrame:
    """Scores every control of one image ``(1, 3, H0, W0)``; see :func:`score_controls`."""
    tables = []
    for control in CONTROLS:
        pyramid = {stride: FeatureMap(control_map(control, image, stride, seed)) for stride in config.strides}
        table = profile_image(pyramid, image, config)
        table.insert(1, "control", pd.Series(control, index=table.index, dtype="str"))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def control_seed(image_id: str) -> int:
    """Seed of what is random in an image's controls: its own, so that chance averages out over images."""
    return zlib.crc32(image_id.encode())
