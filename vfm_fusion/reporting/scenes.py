"""Loading what the figures of images show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset, Sample
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.evaluation.predictions import read_prediction
from vfm_fusion.features.extract import subset
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage
from vfm_fusion.reporting.figures.qualitative import Scene, Segmentation


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
    ids = next(iter(stores.values())).manifest.image_ids
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


def load_scenes(dataset: Dataset, predictions: Mapping[str, Path], count: int) -> list[Scene]:
    """Loads evenly spaced validation images with ground truth and the prediction of every run.

    Args:
        dataset: the validation split.
        predictions: run label -> ``predictions.h5``.
        count: number of images.
    """
    return [_scene(dataset[index], predictions) for index in subset(len(dataset), count)]


def _scene(sample: Sample, predictions: Mapping[str, Path]) -> Scene:
    stored = {run: read_prediction(path, sample.image_id) for run, path in predictions.items()}
    return Scene(
        image=sample.image,
        truth=Segmentation(sample.semantic, _truth_segments(sample)),
        predictions={run: Segmentation(found.semantic, found.panoptic) for run, found in stored.items()},
    )


def _truth_segments(sample: Sample) -> np.ndarray | None:
    """Ids that tell instances and stuff classes apart; None where the data set has no instances."""
    if sample.instances is None:
        return None
    return np.where(sample.instances.ids > 0, sample.instances.ids, -1 - sample.semantic.astype(np.int32))
