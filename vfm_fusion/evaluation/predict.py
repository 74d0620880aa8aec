"""Segments a split with a trained run, image by image, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.evaluation.predictions import PredictionWriter, writing_predictions
from vfm_fusion.segmentation.inference import predict
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.task_classes import TaskClasses, check_classes
from vfm_fusion.segmentation.trained import load_run
from vfm_fusion.workflow.progress import progress


def predict_run(
    *,
    run_dir: Path,
    predictions: Path,
    dataset: Dataset,
    encoders: Mapping[str, EncoderConfig],
    inference: EvaluationConfig,
) -> None:
    """Segments the images of a split and writes what a run predicts for them.

    Args:
        run_dir: folder with ``model.safetensors`` and ``run.json``.
        predictions: the file to write, see :class:`vfm_fusion.evaluation.predictions.PredictionWriter`.
        dataset: the images, of the data set that the run was trained on or of another one with the same
            classes; their labels are not looked at.
        encoders: encoders by name, as the run was trained with.
        inference: settings.

    Raises:
        WeightsError: the run's files are missing, damaged or of other encoder weights.
        LabelError: the classes are not those of the training data.
    """
    model, description = load_run(run_dir, encoders)
    check_classes(description, dataset)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    classes = TaskClasses.of(description["training"]["task"], dataset.categories)
    chosen = subset(len(dataset), inference.max_images)
    images = ((dataset.ids[position], dataset.image(position)) for position in chosen)
    with writing_predictions(predictions, description) as writer:
        shown = progress(images, f"predict: {predictions}", len(chosen))
        for batch in same_size_batches(shown, inference.batch_size):
            _predict_batch(model, batch, classes, inference, writer)
            batch.clear()  # before the next images are read


def _predict_batch(
    model: FusedSegmenter,
    batch: list[tuple[str, np.ndarray]],
    classes: TaskClasses,
    inference: EvaluationConfig,
    writer: PredictionWriter,
) -> None:
    predictions = predict(model, [image for _, image in batch], classes, inference)
    for (image_id, _), prediction in zip(batch, predictions, strict=True):
        writer.add(image_id, prediction)


def same_size_batches(
    images: Iterator[tuple[str, np.ndarray]], batch_size: int
) -> Iterator[list[tuple[str, np.ndarray]]]:
    """Groups consecutive images of one size into batches of at most ``batch_size``.

    Args:
        images: pairs of image id and ``(H, W, 3)`` uint8.
        batch_size: images of a batch at most.
    """
    batch: list[tuple[str, np.ndarray]] = []
    for item in images:
        if batch and (len(batch) == batch_size or batch[0][1].shape != item[1].shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
