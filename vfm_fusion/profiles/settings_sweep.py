"""The sensitivity of one encoder's profile: SC and EF of its stored features by many definitions."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.config.sensitivity import SensitivityConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.features.profiled import profiled_image
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.metrics.map_scores import sweep_image
from vfm_fusion.profiles.stored_maps import stored_maps


def sweep_store(
    store: FeatureStore,
    dataset: Dataset,
    maps: ProfileConfig,
    baseline: MetricConfig,
    config: SensitivityConfig,
) -> pd.DataFrame:
    """Scores evenly spaced images of a feature store by every variant of a definition.

    Args:
        store: native maps of one encoder.
        dataset: holds the images that the features were extracted from.
        maps: strides, interpolation of derived strides.
        baseline: the definition whose settings are varied.
        config: how many images, which settings and values.

    Returns:
        One row per image, setting, value, stride and score: ``image_id, setting, setting_value, baseline,
        stride, score, value, reason``; see :func:`~vfm_fusion.metrics.map_scores.sweep_image`.

    Raises:
        FeatureStoreError: the store is damaged, or holds an image that the data set lacks.
        ValueError: a value is not one that its setting may have.
    """
    variants = config.variants(baseline)
    tables = []
    for position, pyramid in stored_maps(store, dataset, maps, "sweep settings", limit=config.images):
        image = profiled_image(dataset.image(position), store.manifest.fit)  # (1, 3, H, W)
        table = sweep_image(pyramid, image, variants)
        table.insert(0, "image_id", dataset.ids[position])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def tables_of_seeds(
    sweeps: Mapping[str, pd.DataFrame], definition: str
) -> dict[int, dict[str, pd.DataFrame]]:
    """Returns the scores of every metric seed that was swept, in the columns of a profile.

    Args:
        sweeps: encoder -> sweep, see :func:`sweep_store`.
        definition: name of the swept definition.

    Returns:
        Seed -> encoder -> ``image_id, definition, stride, score, value, reason``, the baseline's seed among
        them. Empty if seeds were not swept.
    """
    tables: dict[int, dict[str, pd.DataFrame]] = {}
    for encoder, sweep in sweeps.items():
        for value, rows in sweep[sweep["setting"] == "seed"].groupby("setting_value", sort=False):
            table = rows[["image_id", "stride", "score", "value", "reason"]].reset_index(drop=True)
            table.insert(1, "definition", definition)
            tables.setdefault(json.loads(str(value)), {})[encoder] = table
    return tables
