"""Loading the images that the qualitative figure shows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Dataset, Sample, subset
from vfm_fusion.evaluation.predictions import PredictionReader, StoredPrediction, reading_predictions
from vfm_fusion.evaluation.rle import decode_mask
from vfm_fusion.reporting.figures.qualitative import Scene, Segmentation

SHOWN_SCORE = 0.5
"""Objects of an instance run are shown from this confidence on."""


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
        truth=_truth(sample, objects_only=all(found.semantic is None for found in stored.values())),
        predictions={run: _predicted(found, sample.image.shape[:2]) for run, found in stored.items()},
    )


def _truth(sample: Sample, *, objects_only: bool) -> Segmentation:
    """The labels; only the objects where no run predicts anything else."""
    if objects_only and sample.instances is not None:
        return _objects(sample.instances.ids, sample.instances.categories)
    return Segmentation(sample.semantic, _truth_segments(sample))


def _predicted(found: StoredPrediction, size: tuple[int, int]) -> Segmentation:
    """What a run predicts; of an instance run the objects that it is sure of, the surest in front."""
    if found.semantic is not None:
        return Segmentation(found.semantic, found.panoptic)
    ids = np.zeros(size, np.int32)
    for position in np.flatnonzero(found.instances.scores >= SHOWN_SCORE)[::-1]:
        ids[decode_mask(found.instances.rles[position])] = position + 1
    return _objects(ids, found.instances.categories)


def _objects(ids: np.ndarray, categories: np.ndarray) -> Segmentation:
    """A map of objects: ``ids`` is k + 1 where object k lies, 0 where none does."""
    semantic = np.concatenate([[VOID], categories]).astype(np.uint8)[ids]
    return Segmentation(semantic, ids, void_shown=True)


def _truth_segments(sample: Sample) -> np.ndarray | None:
    """Ids that tell instances and stuff classes apart; None where the data set has no instances."""
    if sample.instances is None:
        return None
    return np.where(sample.instances.ids > 0, sample.instances.ids, -1 - sample.semantic.astype(np.int32))
