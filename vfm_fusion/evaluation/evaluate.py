"""Evaluates a trained run image by image, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vfm_fusion.atomic import write_json
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Sample
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation import average_precision, panoptic_quality
from vfm_fusion.evaluation.average_precision import AveragePrecision
from vfm_fusion.evaluation.mean_iou import MeanIoU
from vfm_fusion.evaluation.panoptic_quality import PanopticMap, PanopticQuality
from vfm_fusion.evaluation.predictions import writing_predictions
from vfm_fusion.evaluation.rle import EncodedInstances, encode_predictions, encode_truth
from vfm_fusion.evaluation.scores import Scores, undefined
from vfm_fusion.progress import progress
from vfm_fusion.segmentation.inference import Prediction, predict
from vfm_fusion.segmentation.trained import load_run
from vfm_fusion.subset import subset

EVALUATION_FILE = "evaluation.json"
PREDICTIONS_FILE = "predictions.h5"


def evaluate_run(
    *,
    run_dir: Path,
    dataset: Dataset,
    encoders: Mapping[str, EncoderConfig],
    evaluation: EvaluationConfig,
    dataset_name: str,
) -> dict[str, Any]:
    """Evaluates a trained run and writes ``evaluation.json`` and ``predictions.h5`` beside its weights.

    Args:
        run_dir: folder with ``model.safetensors`` and ``run.json``.
        dataset: labelled validation images.
        encoders: encoders by name, as the run was trained with.
        evaluation: inference settings.
        dataset_name: the data set's name in the results.

    Returns:
        The content of ``evaluation.json``; scores in percent, null where undefined, then with a reason.

    Raises:
        WeightsError: the run's files are missing, damaged or of other encoder weights.
        LabelError: the classes are not those of the training data, or an image has no labels.
    """
    run_dir = Path(run_dir)
    model, description = load_run(run_dir, encoders)
    _check_categories(description["categories"], dataset.categories)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    things = frozenset(category.id for category in dataset.categories if category.isthing)
    measures = Measures(dataset.categories, description["training"]["task"])
    chosen = subset(len(dataset), evaluation.max_images)
    samples = progress((dataset[index] for index in chosen), f"evaluate: {run_dir}", len(chosen))
    with writing_predictions(run_dir / PREDICTIONS_FILE) as writer:
        for batch in same_size_batches(samples, evaluation.batch_size):
            predictions = predict(model, [sample.image for sample in batch], things, evaluation)
            for sample, prediction in zip(batch, predictions, strict=True):
                objects = measures.add(sample, prediction)
                writer.add(sample.image_id, prediction, objects)
    result = _result(description, dataset_name, dataset.categories, len(chosen), measures.compute())
    write_json(run_dir / EVALUATION_FILE, result)
    return result


class Measures:
    """Every measure of a task, fed image by image.

    AP and PQ need instance labels; where the task or the data set has none they are undefined, with a reason.
    """

    def __init__(self, categories: Sequence[Category], task: str) -> None:
        self._categories = categories
        self._things = [category.id for category in categories if category.isthing]
        self._semantic = MeanIoU(len(categories))
        self._instances = AveragePrecision(categories)
        self._panoptic = PanopticQuality(len(categories))
        self._task = task
        self._without_instances: str | None = None
        if task == "semantic":
            self._without_instances = "trained for semantic segmentation only"

    def add(self, sample: Sample, prediction: Prediction) -> EncodedInstances | None:
        """Adds an image.

        Returns:
            The encoded predicted objects; None for a semantic run.

        Raises:
            LabelError: the image has no semantic labels.
        """
        if sample.semantic is None:
            raise LabelError(f"image {sample.image_id!r} has no labels; evaluate on a labelled split")
        self._semantic.add(sample.semantic, prediction.semantic)
        if self._task == "semantic":
            return None
        objects = encode_predictions(prediction.instances)
        if sample.instances is None:
            self._without_instances = f"image {sample.image_id!r} has no instance labels"
            return objects
        self._instances.add(encode_truth(sample.instances), objects, sample.semantic.shape)
        self._panoptic.add(true_panoptic(sample, self._things), _predicted_panoptic(prediction))
        return objects

    def compute(self) -> list[Scores]:
        """Returns the scores of semantic, instance and panoptic segmentation."""
        classes = len(self._categories)
        if self._without_instances is None:
            return [self._semantic.compute(), self._instances.compute(), self._panoptic.compute()]
        return [self._semantic.compute()] + [
            undefined(measure.METRICS, measure.PER_CLASS, classes, self._without_instances)
            for measure in (average_precision, panoptic_quality)
        ]


def true_panoptic(sample: Sample, things: Sequence[int]) -> PanopticMap:
    """Merges instances and stuff regions of the truth into one map.

    Pixels of a thing class that belong to no instance are void.
    """
    ids = sample.instances.ids.astype(np.int64)
    categories = sample.instances.categories.tolist()
    for category in np.unique(sample.semantic).tolist():
        if category != VOID and category not in things:
            categories.append(category)
            ids[(sample.semantic == category) & (ids == 0)] = len(categories)
    crowd = np.zeros(len(categories), bool)
    crowd[: len(sample.instances)] = sample.instances.crowd
    return PanopticMap(ids, np.array(categories, np.int64), crowd)


def same_size_batches(samples: Iterator[Sample], batch_size: int) -> Iterator[list[Sample]]:
    """Groups consecutive images of one size into batches of at most ``batch_size``."""
    batch: list[Sample] = []
    for sample in samples:
        if batch and (len(batch) == batch_size or batch[0].image.shape != sample.image.shape):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch


def _predicted_panoptic(prediction: Prediction) -> PanopticMap:
    categories = np.array([segment.category for segment in prediction.segments], np.int64)
    return PanopticMap(prediction.panoptic, categories, np.zeros(len(categories), bool))


def _check_categories(trained: list[dict[str, Any]], found: Sequence[Category]) -> None:
    expected = [category["name"] for category in trained]
    names = [category.name for category in found]
    if expected != names:
        raise LabelError(
            f"the run was trained on the classes {expected}, the data set has {names}; "
            "evaluate on a data set of the same classes"
        )


def _result(
    run: Mapping[str, Any], dataset: str, categories: Sequence[Category], images: int, scores: list[Scores]
) -> dict[str, Any]:
    settings = run["settings"]
    fused = settings["auxiliary"] is not None
    per_class = {name: values for score in scores for name, values in score.per_class.items()}
    return {
        "run": run["run"],
        "seed": run["seed"],
        "dataset": dataset,
        "task": run["training"]["task"],
        "images": images,
        "master": {
            "encoder": settings["master"],
            "trainable": settings["train_master"],
            "pretraining": run["encoders"][settings["master"]]["pretraining"],
        },
        "auxiliary": {
            "encoder": settings["auxiliary"],
            "trainable": settings["train_auxiliary"],
            "pretraining": run["encoders"][settings["auxiliary"]]["pretraining"],
        }
        if fused
        else None,
        "strides": run["strides"],
        "operator": settings["fusion"]["operator"] if fused else None,
        "metrics": {name: _number(value) for score in scores for name, value in score.overall.items()},
        "reasons": {name: reason for score in scores for name, reason in score.reasons.items()},
        "per_class": [
            {
                "category": category.name,
                "isthing": category.isthing,
                **{name: _number(per_class[name][category.id]) for name in ("AP", "AP50", "IoU", "PQ")},
            }
            for category in categories
        ],
        "parameters": run["parameters"],
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
