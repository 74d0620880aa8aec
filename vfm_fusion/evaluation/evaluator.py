"""What an evaluator is: it is shown a data set image by image, and then says its scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from vfm_fusion.datasets.base import Category, Dataset, Instances
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation.predictions import StoredPrediction


@dataclass(frozen=True)
class Truth:
    """The labels of one image.

    Attributes:
        image_id: the image.
        semantic: ``(H, W)`` uint8 train ids, :data:`~vfm_fusion.datasets.base.VOID` elsewhere; None where
            only objects are annotated.
        instances: the objects; None where the data set has none.
        void: ``(H, W)`` bool; pixels on which the Cityscapes protocol ignores predicted objects.
    """

    image_id: str
    semantic: np.ndarray | None
    instances: Instances | None
    void: np.ndarray


def read_truth(dataset: Dataset, image_id: str) -> Truth:
    """Reads the labels of an image.

    Raises:
        LabelError: the data set has no such image, or the image has no labels.
    """
    if image_id not in dataset.ids:
        raise LabelError(
            f"image {image_id!r} was predicted, but is not among the {len(dataset)} of the data set; "
            "delete the predictions and predict again"
        )
    position = dataset.ids.index(image_id)
    semantic, instances = dataset.labels(position)
    if semantic is None and instances is None:
        raise LabelError(f"image {image_id!r} has no labels; evaluate on a labelled split")
    if semantic is None:
        return Truth(image_id, None, instances, np.zeros(instances.ids.shape, bool))
    return Truth(image_id, semantic, instances, dataset.ignored(position, semantic))


@dataclass(frozen=True)
class Scores:
    """Scores over a data set, in percent.

    Attributes:
        overall: metric -> value; NaN where it is undefined.
        per_class: metric -> ``(K,)`` float64 by train id; NaN where it is undefined.
        reasons: metric -> why its overall value is NaN.
    """

    overall: dict[str, float]
    per_class: dict[str, np.ndarray]
    reasons: dict[str, str] = field(default_factory=dict)


class Evaluator(ABC):
    """Scores a data set in bounded memory: what an image adds is counted, and the image forgotten.

    The protocol is detectron2's ``DatasetEvaluator``, but that labels come with the predictions.

    Attributes:
        metrics: names of the overall scores.
        per_class: names of the scores per class that results show.
    """

    metrics: ClassVar[tuple[str, ...]]
    per_class: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def of(cls, categories: Sequence[Category], ratio: float) -> Self:
        """Builds the evaluator of a data set.

        Args:
            categories: the evaluated classes.
            ratio: width of boundary regions over the image's diagonal.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forgets every image."""

    @abstractmethod
    def process(self, truth: Truth, predicted: StoredPrediction) -> None:
        """Adds an image, of which the labels and the predictions that the evaluator needs are there.

        Raises:
            ShapeError: truth and prediction differ in size.
            LabelError: a prediction is no class.
        """

    @abstractmethod
    def evaluate(self) -> Scores:
        """Returns the scores over all images since the last reset."""

    @classmethod
    def undefined(cls, classes: int, reason: str) -> Scores:
        """Returns scores that are undefined as a whole, for one reason."""
        return Scores(
            {metric: float("nan") for metric in cls.metrics},
            {metric: np.full(classes, np.nan) for metric in cls.per_class},
            dict.fromkeys(cls.metrics, reason),
        )
