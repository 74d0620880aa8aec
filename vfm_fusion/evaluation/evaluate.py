"""Scores what a run predicted against the labels, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vfm_fusion.atomic import write_json
from vfm_fusion.config.datasets import Protocol
from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation.declared import serving
from vfm_fusion.evaluation.evaluator import Scores, Truth, read_truth
from vfm_fusion.evaluation.predictions import StoredPrediction, reading_predictions
from vfm_fusion.evaluation.registry import EVALUATORS
from vfm_fusion.segmentation.task_classes import check_classes
from vfm_fusion.workflow.progress import progress

EVALUATION_FILE = "evaluation.json"

BOUNDARY_RATIO: dict[Protocol, float] = {"coco": 0.02, "cityscapes": 0.005}
"""Width of boundary regions over the image's diagonal: what the authors' code takes for either benchmark."""


class Evaluators:
    """Every evaluator of a protocol, as one.

    Those that read what the run's task does not predict are undefined, with a reason; so are those that need
    objects where an image has no instance labels.

    Args:
        categories: the evaluated classes.
        task: what the run was trained for: ``panoptic``, ``instance`` or ``semantic``.
        protocol: whose rules AP and the width of boundaries follow.

    Attributes:
        per_class: names of the scores per class that results show.
    """

    def __init__(self, categories: Sequence[Category], task: str, protocol: Protocol) -> None:
        self._task, self._classes = task, len(categories)
        self._entries = serving(EVALUATORS, protocol)
        self._evaluators = {
            name: entry.load().of(categories, BOUNDARY_RATIO[protocol])
            for name, entry in self._entries.items()
        }
        self.per_class = tuple(name for single in self._evaluators.values() for name in single.per_class)
        self.reset()

    def reset(self) -> None:
        """Forgets every image."""
        for evaluator in self._evaluators.values():
            evaluator.reset()
        reason = f"trained for {self._task} segmentation only"
        self._undefined = {
            name: reason for name, entry in self._entries.items() if self._task not in entry.tasks
        }

    def process(self, truth: Truth, predicted: StoredPrediction) -> None:
        """Adds an image.

        Raises:
            LabelError: the image has no class labels, and the task is scored by them.
        """
        for name, evaluator in self._evaluators.items():
            if name in self._undefined:
                continue
            needs = self._entries[name].needs
            if "semantic" in needs and truth.semantic is None:
                raise LabelError(
                    f"image {truth.image_id!r} has no class labels, by which a {self._task} run is scored; "
                    "evaluate on a data set with class labels"
                )
            if "instances" in needs and truth.instances is None:
                self._undefined[name] = f"image {truth.image_id!r} has no instance labels"
                continue
            evaluator.process(truth, predicted)

    def evaluate(self) -> list[Scores]:
        """Returns the scores of each evaluator, in the order of the registry."""
        return [
            evaluator.undefined(self._classes, self._undefined[name])
            if name in self._undefined
            else evaluator.evaluate()
            for name, evaluator in self._evaluators.items()
        ]


def evaluate_run(
    *,
    predictions: Path,
    dataset: Dataset,
    dataset_name: str,
    protocol: Literal["auto"] | Protocol = "auto",
    trained_on: str | None = None,
) -> dict[str, Any]:
    """Scores a run's predictions and writes ``evaluation.json`` beside them.

    Maps are read one image at a time; of the objects, run-length codes or match results are kept.

    Args:
        predictions: the run's ``predictions.h5``.
        dataset: the split that was predicted, with labels.
        dataset_name: the data set's name in the results.
        protocol: whose rules AP follows; ``auto``: those that the data set names.
        trained_on: name of the data set that the run was trained on, where that is another one.

    Returns:
        The content of ``evaluation.json``; scores in percent, null where undefined, then with a reason.

    Raises:
        PredictionError: the file is missing or damaged.
        LabelError: the classes are not those of the training data, or an image has no labels.
    """
    protocol = dataset.protocol if protocol == "auto" else protocol
    with reading_predictions(predictions) as reader:
        check_classes(reader.run, dataset)
        evaluators = Evaluators(dataset.categories, reader.run["training"]["task"], protocol)
        for image_id in progress(reader.ids, f"evaluate: {predictions}", len(reader.ids)):
            evaluators.process(read_truth(dataset, image_id), reader.read(image_id))
        run, images = reader.run, len(reader.ids)
    result = _description(run, dataset_name, trained_on or dataset_name, images, protocol)
    result |= _scores(dataset.categories, evaluators)
    write_json(predictions.with_name(EVALUATION_FILE), result)
    return result


def _description(
    run: Mapping[str, Any], dataset: str, trained_on: str, images: int, protocol: Protocol
) -> dict[str, Any]:
    settings = run["settings"]
    upsampled = {role: {"upsampler": used["name"]} for role, used in run.get("upsamplers", {}).items()}
    fused = settings["auxiliary"] is not None
    return {
        "run": run["run"],
        "seed": run["seed"],
        "dataset": dataset,
        "trained_on": trained_on,
        "task": run["training"]["task"],
        "images": images,
        "instance_protocol": protocol,
        "boundary_ratio": BOUNDARY_RATIO[protocol],
        "master": {
            "encoder": settings["master"],
            "trainable": settings["train_master"],
            "pretraining": run["encoders"][settings["master"]]["pretraining"],
            **upsampled.get("master", {}),
        },
        "auxiliary": {
            "encoder": settings["auxiliary"],
            "trainable": settings["train_auxiliary"],
            "pretraining": run["encoders"][settings["auxiliary"]]["pretraining"],
            **upsampled.get("auxiliary", {}),
        }
        if fused
        else None,
        "strides": run["strides"],
        "operator": settings["fusion"]["operator"] if fused else None,
        "parameters": run["parameters"],
    }


def _scores(categories: Sequence[Category], evaluators: Evaluators) -> dict[str, Any]:
    scores = evaluators.evaluate()
    per_class = {name: values for score in scores for name, values in score.per_class.items()}
    return {
        "metrics": {name: _number(value) for score in scores for name, value in score.overall.items()},
        "reasons": {name: reason for score in scores for name, reason in score.reasons.items()},
        "per_class": [
            {
                "category": category.name,
                "isthing": category.isthing,
                **{name: _number(per_class[name][category.id]) for name in evaluators.per_class},
            }
            for category in categories
        ],
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
