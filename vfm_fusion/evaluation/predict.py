"""Segments a split with a trained run, image by image, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.evaluation.predictions import PredictionWriter, writing_predictions
from vfm_fusion.segmentation.encoded import Encoded, stack
from vfm_fusion.segmentation.finer_maps import UsedUpsampler
from vfm_fusion.segmentation.inference import inference_size, predict, predict_encoded, seen_images
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.stored_maps import StoredMaps
from vfm_fusion.segmentation.task_classes import TaskClasses, check_classes
from vfm_fusion.segmentation.trained import load_run
from vfm_fusion.workflow.progress import progress

Seen = tuple[str, tuple[int, int], np.ndarray | Encoded]
"""An image: its id, its (H, W), its pixels ``(H, W, 3)`` uint8 or what frozen encoders have made of them."""


def predict_run(
    *,
    run_dir: Path,
    predictions: Path,
    dataset: Dataset,
    encoders: Mapping[str, EncoderConfig],
    inference: EvaluationConfig,
    maps: Mapping[str, Path] | None = None,
    upsamplers: Mapping[str, UsedUpsampler] | None = None,
) -> None:
    """Segments the images of a split and writes what a run predicts for them.

    Args:
        run_dir: folder with ``model.safetensors`` and ``run.json``.
        predictions: the file to write, see :class:`vfm_fusion.evaluation.predictions.PredictionWriter`.
        dataset: the images, of the data set that the run was trained on or of another one with the same
            classes; their labels are not looked at.
        encoders: encoders by name, as the run was trained with.
        inference: settings.
        maps: encoder to the manifest of its maps of these images at the size that they are segmented at, for
            a run whose encoders are frozen; they are then not run. The encoders run when left out.
        upsamplers: upsamplers by name, as the run was trained with.

    Raises:
        WeightsError: the run's files are missing, damaged or of other encoder weights.
        LabelError: the classes are not those of the training data.
        FeatureStoreError: a stored map is missing, damaged or of other images.
    """
    model, description = load_run(run_dir, encoders, upsamplers)
    check_classes(description, dataset)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    classes = TaskClasses.of(description["training"]["task"], dataset.categories)
    chosen = subset(len(dataset), inference.max_images)
    images = _stored(model, description, dataset, chosen, inference, maps) if maps else _read(dataset, chosen)
    with writing_predictions(predictions, description) as writer:
        shown = progress(images, f"predict: {predictions}", len(chosen))
        for batch in same_size_batches(shown, inference.batch_size):
            _predict_batch(model, batch, classes, inference, writer)
            batch.clear()  # before the next images are read


def _read(dataset: Dataset, chosen: Sequence[int]) -> Iterator[Seen]:
    for position in chosen:
        image = dataset.image(position)
        yield dataset.ids[position], image.shape[:2], image


def _stored(
    model: FusedSegmenter,
    description: Mapping[str, Any],
    dataset: Dataset,
    chosen: Sequence[int],
    inference: EvaluationConfig,
    manifests: Mapping[str, Path],
) -> Iterator[Seen]:
    run = RunConfig.model_validate_json(json.dumps(description["settings"]))
    ids = [dataset.ids[position] for position in chosen]
    maps = StoredMaps(ids, run, manifests, model.read_strides, model.reads_images)
    for place, position in enumerate(chosen):
        size, pixels = dataset.size_of(position), None
        if maps.with_images:
            pixels = seen_images([dataset.image(position)], inference.resize, torch.device("cpu"))
        yield ids[place], size, maps.read(place, inference_size(*size, inference.resize), pixels)


def _predict_batch(
    model: FusedSegmenter,
    batch: list[Seen],
    classes: TaskClasses,
    inference: EvaluationConfig,
    writer: PredictionWriter,
) -> None:
    ids, (size, *_), images = zip(*batch, strict=True)
    if isinstance(images[0], Encoded):
        encoded = stack(images).to(next(model.parameters()).device)
        predictions = predict_encoded(model, encoded, size, classes, inference)
    else:
        predictions = predict(model, list(images), classes, inference)
    for image_id, prediction in zip(ids, predictions, strict=True):
        writer.add(image_id, prediction)


def same_size_batches(images: Iterator[Seen], batch_size: int) -> Iterator[list[Seen]]:
    """Groups consecutive images of one size into batches of at most ``batch_size``.

    Args:
        images: the images.
        batch_size: images of a batch at most.
    """
    batch: list[Seen] = []
    for item in images:
        if batch and (len(batch) == batch_size or batch[0][1] != item[1]):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
