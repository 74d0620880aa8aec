"""Both figures of feature maps, and the loading of the images and features that they show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.features.profiled import profiled_pixels
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.reporting.figures.energy_maps import energy_maps_figure
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage
from vfm_fusion.reporting.figures.pca_maps import pca_maps_figure


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
    first = next(iter(stores.values()))
    ids, fit = first.image_ids, first.manifest.fit
    positions = {image_id: position for position, image_id in enumerate(dataset.ids)}
    images = []
    for index in subset(len(ids), count):
        features = {}
        for encoder, store in stores.items():
            native = {stride: torch.from_numpy(array)[None] for stride, array in store.read(index).items()}
            pyramid = derive_pyramid(native, settings.strides, settings.interpolation)
            features[encoder] = {stride: feature[0].numpy() for stride, feature in pyramid.items()}
        pixels = profiled_pixels(dataset.image(positions[ids[index]]), fit)
        images.append(ProfiledImage(pixels, features))
    return images


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> dict[str, Figure]:
    """Builds the report ``figure_feature_maps``: three principal components, and edge energy."""
    labels = dict(settings["encoders"])
    profiling = ProfileConfig.model_validate_json(json.dumps(settings["metrics"]))
    manifests = zip(labels, inputs["manifests"], strict=True)
    stores = {name: FeatureStore(path) for name, path in manifests}
    dataset = open_indexed(settings["dataset"], inputs["index"][0], Path(settings["generated"]))
    images = load_profiled(stores, dataset, profiling, settings["images"])
    definition = profiling.definitions[settings["definition"]]
    return {
        "pca_maps": pca_maps_figure(images, labels),
        "energy_maps": energy_maps_figure(images, labels, definition),
    }
