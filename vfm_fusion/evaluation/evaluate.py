"""Scores what a run predicted against the labels, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vfm_fusion.atomic import write_json
from vfm_fusion.config.evaluation import Protocol
from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.evaluation.classes import check_classes
from vfm_fusion.evaluation.measures import Measures
from vfm_fusion.evaluation.predictions import reading_predictions
from vfm_fusion.evaluation.protocols import BOUNDARY_RATIO
from vfm_fusion.evaluation.scores import Scores
from vfm_fusion.evaluation.truth import read_truth
from vfm_fusion.workflow.progress import progress

EVALUATION_FILE = "evaluation.json"

_PER_CLASS = ("AP", "AP50", "boundary_AP", "IoU", "boundary_IoU", "PQ")


def evaluate_run(
    *,
    predictions: Path,
    dataset: Dataset,
    dataset_name: str,
    protocol: Protocol,
    trained_on: str | None = None,
) -> dict[str, Any]:
    """Scores a run's predictions and writes ``evaluation.json`` beside them.

    Maps are read one image at a time; of the objects, run-length codes or match results are kept.

    Args:
        predictions: the run's ``predictions.h5``.
        dataset: the split that was predicted, with labels.
        dataset_name: the data set's name in the results.
        protocol: whose rules AP follows.
        trained_on: name of the data set that the run was trained on, where that is another one.

    Returns:
        The content of ``evaluation.json``; scores in percent, null where undefined, then with a reason.

    Raises:
        PredictionError: the file is missing or damaged.
        LabelError: the classes are not those of the training data, or an image has no labels.
    """
    with reading_predictions(predictions) as reader:
        check_classes(reader.run, dataset)
        measures = Measures(dataset.categories, reader.run["training"]["task"], protocol)
        for image_id in progress(reader.ids, f"evaluate: {predictions}", len(reader.ids)):
            measures.add(read_truth(dataset, image_id), reader.read(image_id))
        run, images = reader.run, len(reader.ids)
    result = _description(run, dataset_name, trained_on or dataset_name, images, protocol)
    result |= _scores(dataset.categories, measures.compute())
    write_json(predictions.with_name(EVALUATION_FILE), result)
    return result


def _description(
    run: Mapping[str, Any], dataset: str, trained_on: str, images: int, protocol: Protocol
) -> dict[str, Any]:
    settings = run["settings"]
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
        "parameters": run["parameters"],
    }


def _scores(categories: Sequence[Category], scores: list[Scores]) -> dict[str, Any]:
    per_class = {name: values for score in scores for name, values in score.per_class.items()}
    return {
        "metrics": {name: _number(value) for score in scores for name, value in score.overall.items()},
        "reasons": {name: reason for score in scores for name, reason in score.reasons.items()},
        "per_class": [
            {
                "category": category.name,
                "isthing": category.isthing,
                **{name: _number(per_class[name][category.id]) for name in _PER_CLASS},
            }
            for category in categories
        ],
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
