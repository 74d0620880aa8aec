"""Loading the images and features that the feature-map figures show."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage


def load_profiled(
    stores: Mapping[str, FeatureStore], dataset: Dataset, settings: ProfileConfig, count: int
) -> list[ProfiledImage]:
    """Loads evenly spaced images with the pyramid of every encoder.

    Args:
        stores: encoder -> its features; all hold the same images.
        dataset: the images.
        settings: strides of the pyramid and how they are derived.
        count: number of images.
    """
    ids = next(iter(stores.values())).image_ids
    positions = {image_id: position for position, image_id in enumerate(dataset.ids)}
    images = []
    for index in subset(len(ids), count):
        features = {}
        for encoder, store in stores.items():
            native = {stride: torch.from_numpy(array)[None] for stride, array in store.read(index).items()}
            pyramid = derive_pyramid(native, settings.strides, settings.interpolation)
            features[encoder] = {stride: feature[0].numpy() for stride, feature in pyramid.items()}
        images.append(ProfiledImage(dataset.image(positions[ids[index]]), features))
    return images
