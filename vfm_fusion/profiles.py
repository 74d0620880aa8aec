"""The profile of one encoder: SC and EF of its stored features, image by image."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.encoders.pyramid import derive_pyramid, nearest_stride
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.profile import profile_image
from vfm_fusion.progress import progress


def map_pyramid(native: Mapping[int, Tensor], config: ProfileConfig) -> dict[int, FeatureMap]:
    """Derives the maps of one image at every stride of ``config.strides`` from native ones ``(C, h, w)``.

    What :func:`~vfm_fusion.encoders.pyramid.derive_pyramid` gives, but a map that only repeats the pixels of
    a coarser one shares its statistics instead of being written out.
    """
    maps = {stride: FeatureMap(features) for stride, features in native.items()}
    pyramid = {}
    for stride in config.strides:
        source = stride if stride in native else nearest_stride(sorted(native), stride)
        if source == stride:
            pyramid[stride] = maps[source]
        elif source > stride and config.interpolation == "nearest":
            pyramid[stride] = maps[source].repeated(source // stride)
        else:
            derived = derive_pyramid({source: native[source][None]}, (stride,), config.interpolation)
            pyramid[stride] = FeatureMap(derived[stride][0])
    return pyramid


def profile_store(store: FeatureStore, dataset: Dataset, config: ProfileConfig) -> pd.DataFrame:
    """Scores every image of a feature store.

    Args:
        store: native maps of one encoder.
        dataset: holds the images that the features were extracted from.
        config: strides, metric definition, interpolation of derived strides.

    Returns:
        One row per image, definition, stride and score: ``image_id, definition, stride, score, value,
        reason``.

    Raises:
        FeatureStoreError: the store is damaged, or holds an image that the data set lacks.
    """
    positions = {image_id: position for position, image_id in enumerate(dataset.ids)}
    absent = [image_id for image_id in store.manifest.image_ids if image_id not in positions]
    if absent:
        raise FeatureStoreError(
            f"the features of {store.manifest.encoder} hold {len(absent)} images that the data set lacks "
            f"(first: {absent[0]}); extract them again"
        )
    tables = []
    images = progress(store.manifest.image_ids, f"profile: {store.manifest.encoder}", len(store))
    for index, image_id in enumerate(images):
        native = {stride: torch.from_numpy(array) for stride, array in store.read(index).items()}
        pyramid = map_pyramid(native, config)
        image = torch.tensor(dataset.image(positions[image_id])).permute(2, 0, 1)[None]  # (1, 3, H, W)
        table = profile_image(pyramid, image, config)
        table.insert(0, "image_id", image_id)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
