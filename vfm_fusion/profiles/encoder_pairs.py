"""Every pair of encoders at every stride: how alike their maps are, and what a probe of both can tell."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.config.pairs import PairsConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles.pair_probe import probe_rows
from vfm_fusion.profiles.pair_rows import pairs_frame
from vfm_fusion.profiles.pair_similarity import similarity_rows
from vfm_fusion.profiles.paired_maps import PairedMaps


def compare_pairs(
    stores: Mapping[str, FeatureStore], dataset: Dataset, maps: ProfileConfig, config: PairsConfig
) -> pd.DataFrame:
    """Compares every ordered pair of encoders at every stride, from their stored maps.

    Args:
        stores: encoder -> its native maps, of the same images.
        dataset: holds the images that the features were extracted from.
        maps: strides, interpolation of derived strides, ``bootstrap`` and ``seed``.
        config: which images and pixels, and the probe.

    Returns:
        One row per pair, stride and measure, see :class:`~vfm_fusion.profiles.pair_rows.PairRow`:
        ``master``, ``auxiliary``, ``stride``, ``measure`` (cka, probe, probe_gain), ``value``, ``low``,
        ``high``, ``reason``; and the ``probe`` of every master alone, with a null auxiliary and stride 0.

    Raises:
        FeatureStoreError: a store is damaged, or holds other images than the others or the data set.
        CorruptImageError, LabelError, DatasetLayoutError: labels cannot be read.
    """
    paired = PairedMaps(stores, dataset, maps, config.pixels)
    images = subset(len(paired.ids), config.images)
    return pairs_frame([*similarity_rows(paired, images, maps), *probe_rows(paired, images, maps, config)])
