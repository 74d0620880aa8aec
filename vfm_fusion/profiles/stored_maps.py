"""The maps that the metrics look at, image by image, from a feature store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.encoders.pyramid import derive_pyramid, nearest_stride
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.workflow.progress import progress


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


def stored_maps(
    store: FeatureStore, dataset: Dataset, config: ProfileConfig, what: str, *, limit: int | None = None
) -> Iterator[tuple[int, dict[int, FeatureMap]]]:
    """Yields the images of a store: position in the data set and maps at every stride.

    Args:
        store: native maps of one encoder.
        dataset: holds the images that the features were extracted from.
        config: strides, and how those that the encoder lacks are derived.
        what: what is done with the maps, for the progress line.
        limit: only so many images, evenly spaced; None for all.

    Raises:
        FeatureStoreError: the store is damaged, or holds an image that the data set lacks.
    """
    positions = stored_positions(store, dataset)
    wanted = subset(len(store), limit)
    for index in progress(wanted, f"{what}: {store.manifest.encoder}", len(wanted)):
        yield positions[index], map_pyramid(native_maps(store, index), config)


def stored_positions(store: FeatureStore, dataset: Dataset) -> list[int]:
    """Returns the positions in the data set of a store's images.

    Raises:
        FeatureStoreError: the store holds an image that the data set lacks.
    """
    positions = {image_id: position for position, image_id in enumerate(dataset.ids)}
    absent = [image_id for image_id in store.image_ids if image_id not in positions]
    if absent:
        raise FeatureStoreError(
            f"the features of {store.manifest.encoder} hold {len(absent)} images that the data set lacks "
            f"(first: {absent[0]}); extract them again"
        )
    return [positions[image_id] for image_id in store.image_ids]


def native_maps(store: FeatureStore, index: int) -> dict[int, Tensor]:
    """Reads one image's native maps, ``{stride: (C, h, w)}`` float32; see :meth:`FeatureStore.read`."""
    return {stride: torch.from_numpy(array) for stride, array in store.read(index).items()}
