"""What runs with frozen encoders read in place of running them: maps of fixed views and of test images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.config.base import canonical
from vfm_fusion.config.evaluation import segmented_size
from vfm_fusion.config.features import EXECUTION, FeaturesConfig
from vfm_fusion.config.schema import Config

_OF_MAPS = {"dtype", "batch_size", "shard_images"}
"""Settings of `features` that hold for every store; a store of views says itself which images, how large."""


@dataclass(frozen=True)
class ViewSet:
    """Images as runs see them, whose maps an encoder leaves in one store.

    Attributes:
        dataset: name of the data set.
        split: its split.
        name: tells it from other views of the data set, also in the path of its stores.
        views: how training sees the images (number of views, augmentation); None where they are seen whole.
        features: settings of the stores.
    """

    dataset: str
    split: str
    name: str
    views: dict[str, Any] | None
    features: dict[str, Any]


def reads_maps(config: Config, run: str) -> bool:
    """Whether no encoder of a run ever runs: all are frozen as they are, and its recipe has fixed views."""
    settings = config.runs[run]
    trains = settings.train_master or settings.train_auxiliary
    cached = config.training_of(run).cached_views is not None
    return cached and not trains and settings.auxiliary_precision == "same"


def training_views(config: Config, run: str) -> ViewSet | None:
    """The views that a run learns from by their maps; None where its encoders run."""
    if not reads_maps(config, run):
        return None
    training = config.training_of(run)
    precision = "bfloat16" if training.precision == "bf16-mixed" else "float32"
    return fixed_views(
        config, config.dataset_of(run), training.cached_views, training.augmentation, precision
    )


def fixed_views(
    config: Config, dataset: str, count: int, augmentation: AugmentationConfig, precision: str = "float32"
) -> ViewSet:
    """Describes ``count`` views of each training image, and the stores of their maps."""
    views = {"count": count, "augmentation": augmentation.model_dump(mode="json")}
    features = _features(config, split="train", precision=precision)
    name = f"train-{count}x{augmentation.crop[0]}x{augmentation.crop[1]}"
    return _named(dataset, "train", name, views, features)


def segmented_images(config: Config, run: str, target: str) -> ViewSet | None:
    """The images that a run segments by their maps; None where its encoders run, as in sliding windows."""
    evaluation = config.evaluation_of(run)
    if not reads_maps(config, run) or evaluation.window is not None:
        return None
    size = segmented_size(evaluation.resize)
    features = _features(config, split="val", max_images=evaluation.max_images, image_size=size)
    return _named(target, "val", "val", None, features)


def views_of_run(config: Config, run: str) -> list[ViewSet]:
    """Every set of views whose maps a run reads, in training and for each data set that it segments."""
    seen = [training_views(config, run)]
    seen += [segmented_images(config, run, target) for target in config.targets_of(run)]
    return [views for views in seen if views is not None]


def _features(config: Config, **settings: Any) -> dict[str, Any]:
    shared = config.features.model_dump(include=_OF_MAPS)
    return FeaturesConfig(**shared, **settings).model_dump(mode="json", exclude=set(EXECUTION))


def _named(
    dataset: str, split: str, name: str, views: dict[str, Any] | None, features: dict[str, Any]
) -> ViewSet:
    """Tells views apart by a digest: other settings never take the place of a store, and come back to it."""
    digest = hashlib.sha256(canonical([views, features]).encode()).hexdigest()[:8]
    return ViewSet(dataset, split, f"{name}-{digest}", views, features)
