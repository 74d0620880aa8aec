"""Loading the images that the qualitative figure shows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import Dataset, Sample
from vfm_fusion.evaluation.predictions import PredictionReader, reading_predictions
from vfm_fusion.reporting.figures.qualitative import Scene, Segmentation
from vfm_fusion.subset import subset


def load_scenes(dataset: Dataset, predictions: Mapping[str, Path], count: int) -> list[Scene]:
    """Loads evenly spaced images of those that were evaluated, with ground truth and every run's prediction.

    Args:
        dataset: the validation split.
        predictions: run label -> ``predictions.h5``.
        count: number of images.
    """
    with ExitStack() as stack:
        readers = {run: stack.enter_context(reading_predictions(path)) for run, path in predictions.items()}
        predicted = next(iter(readers.values())).ids
        shown = [dataset.ids.index(predicted[position]) for position in subset(len(predicted), count)]
        return [_scene(dataset[index], readers) for index in shown]


def _scene(sample: Sample, readers: Mapping[str, PredictionReader]) -> Scene:
    stored = {run: reader.read(sample.image_id) for run, reader in readers.items()}
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
