"""The profile of one encoder: SC and EF of its stored features, image by image."""

from __future__ import annotations

import pandas as pd

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.features.profiled import profiled_image
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.metrics.profile import profile_image, summarise
from vfm_fusion.profiles.null_excess import with_excess
from vfm_fusion.profiles.stored_maps import stored_maps


def profile_store(store: FeatureStore, dataset: Dataset, config: ProfileConfig) -> pd.DataFrame:
    """Scores every image of a feature store.

    Args:
        store: native maps of one encoder.
        dataset: holds the images that the features were extracted from.
        config: strides, metric definitions, interpolation of derived strides.

    Returns:
        One row per image, definition, stride and score: ``image_id, definition, stride, score, value,
        reason``.

    Raises:
        FeatureStoreError: the store is damaged, or holds an image that the data set lacks.
    """
    tables = []
    for position, pyramid in stored_maps(store, dataset, config, "profile"):
        image = profiled_image(dataset.image(position), store.manifest.fit)  # (1, 3, H, W)
        table = profile_image(pyramid, image, config)
        table.insert(0, "image_id", dataset.ids[position])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def summarise_profile(scores: pd.DataFrame, config: ProfileConfig) -> pd.DataFrame:
    """Averages a profile over images, the excess of each score over its null floor included.

    Args:
        scores: see :func:`profile_store`.
        config: ``bootstrap`` and ``seed`` are read.

    Returns:
        See :func:`vfm_fusion.metrics.profile.summarise`.
    """
    return summarise(with_excess(scores), bootstrap=config.bootstrap, seed=config.seed)
