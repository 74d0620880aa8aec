"""The protocol of interactive segmentation: click, predict, compare, for every object of an image."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.datasets.base import Category, Sample
from vfm_fusion.errors import LabelError, ShapeError
from vfm_fusion.evaluation.boundary import boundary_width, mask_boundary
from vfm_fusion.interactive.click_predictor import Predictor, first_prediction
from vfm_fusion.interactive.click_robot import Clicker, Placement, Robot
from vfm_fusion.interactive.clickable import clickable_objects, void_pixels

EMPTY = "the object has no labelled pixel"
"""Why an object's scores are undefined."""


@dataclass(frozen=True)
class ClickedObject:
    """An object that is to be clicked.

    Attributes:
        image_id: the image.
        number: the object's number in the image, from 1.
        mask: ``(H, W)`` bool.
        ignored: ``(H, W)`` bool, pixels that count neither as object nor as background.
    """

    image_id: str
    number: int
    mask: np.ndarray
    ignored: np.ndarray

    def __post_init__(self) -> None:
        """Checks the masks.

        Raises:
            ShapeError: they are no two bool masks of one size.
        """
        if any(mask.dtype != bool or mask.ndim != 2 for mask in (self.mask, self.ignored)) or (
            self.mask.shape != self.ignored.shape
        ):
            raise ShapeError(
                f"{self.image_id}, object {self.number}: expected bool masks (H, W) of one size, found "
                f"{self.mask.dtype} {self.mask.shape} and {self.ignored.dtype} {self.ignored.shape}"
            )

    @property
    def area(self) -> int:
        """Labelled pixels of the object."""
        return int((self.mask & ~self.ignored).sum())


@dataclass(frozen=True)
class Round:
    """One click and what followed.

    Attributes:
        placement: the click; none where the object's clicks had ended.
        iou: in [0, 1], of the mask after the click.
        carried: whether it is that of an earlier click, since the clicks had ended.
        seconds: what the prediction took; 0 without one.
    """

    placement: Placement
    iou: float
    carried: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class ClickedResult:
    """An object's rounds.

    Attributes:
        image_id: the image.
        number: the object's number in the image.
        area: its labelled pixels.
        rounds: as many as the protocol has clicks; none for an undefined object.
        boundary_iou: Boundary IoU of the last mask, in [0, 1]; NaN for an undefined object.
        undefined: why it has no scores; empty where it has.
    """

    image_id: str
    number: int
    area: int
    rounds: tuple[Round, ...]
    boundary_iou: float
    undefined: str = ""

    @property
    def ious(self) -> np.ndarray:
        """``(clicks,)`` float64 IoU after each click."""
        return np.array([each.iou for each in self.rounds])


def objects_of(
    sample: Sample, categories: Sequence[Category], config: ClickProtocolConfig
) -> Iterator[ClickedObject]:
    """Lists the objects of an image; small ones and groups not annotated one by one are passed over.

    Void pixels are ignored if the configuration says so; see
    :func:`~vfm_fusion.interactive.clickable.void_pixels`.

    Raises:
        LabelError: the image has no objects' labels.
    """
    instances = clickable_objects(sample)
    ignored = void_pixels(sample, categories) & config.ignore_void
    for position in np.flatnonzero(~instances.crowd):
        mask = instances.mask(position)
        target = ClickedObject(sample.image_id, int(position) + 1, mask, ignored & ~mask)
        if not 0 < target.area < config.least_area:
            yield target


def play(
    predictor: Predictor, target: ClickedObject, config: ClickProtocolConfig, clicker: Clicker | None = None
) -> ClickedResult:
    """Clicks an object until the protocol ends.

    Args:
        predictor: turned to the object's image.
        target: the object.
        config: the protocol.
        clicker: what places the clicks; None for the protocol's robot.

    Raises:
        LabelError: the object has no pixel, and that is refused.
        ShapeError: a prediction is of another size than the object's mask.
    """
    if not target.area:
        if config.empty_truth == "refuse":
            raise LabelError(
                f"{target.image_id}, object {target.number}: {EMPTY}; correct the labels, or set "
                "empty_truth: undefined"
            )
        return ClickedResult(target.image_id, target.number, 0, (), float("nan"), EMPTY)
    clicker = clicker or Robot(config)
    truth, state, clicks, rounds = target.mask, first_prediction(target.mask.shape), [], []
    predicted = np.zeros_like(truth)
    while len(rounds) < config.max_clicks:
        placement = clicker.place(truth, predicted, target.ignored, clicks)
        if placement.click is None or _is_reached(rounds, config):
            rounds += _carried(rounds, placement, config.max_clicks)
            break
        clicks.append(placement.click)
        started = time.perf_counter()
        state = predictor.predict(clicks, state)
        seconds = time.perf_counter() - started
        if state.probability.shape != truth.shape:
            raise ShapeError(
                f"{target.image_id}: the prediction is {state.probability.shape}, the mask {truth.shape}"
            )
        predicted = state.probability > config.threshold
        rounds.append(Round(placement, mask_iou(truth, predicted, target.ignored), seconds=seconds))
    boundary = boundary_iou(truth, predicted, target.ignored, config.boundary_ratio)
    return ClickedResult(target.image_id, target.number, target.area, tuple(rounds), boundary)


def mask_iou(truth: np.ndarray, predicted: np.ndarray, ignored: np.ndarray) -> float:
    """Returns the IoU of two ``(H, W)`` bool masks outside the ignored pixels; NaN where both are empty."""
    union = ((truth | predicted) & ~ignored).sum()
    return float((truth & predicted & ~ignored).sum() / union) if union else float("nan")


def boundary_iou(truth: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, ratio: float) -> float:
    """Returns the IoU of the boundary regions of two masks; see :mod:`vfm_fusion.evaluation.boundary`.

    Ignored pixels belong to neither mask, and their rim is a contour of both.

    Args:
        truth: ``(H, W)`` bool.
        predicted: ``(H, W)`` bool.
        ignored: ``(H, W)`` bool.
        ratio: width of the regions over the image's diagonal.
    """
    width = boundary_width(truth.shape, ratio)
    rims = [mask_boundary((mask & ~ignored).astype(np.uint8), width) > 0 for mask in (truth, predicted)]
    return mask_iou(*rims, np.zeros_like(ignored))


def _is_reached(rounds: list[Round], config: ClickProtocolConfig) -> bool:
    return bool(rounds) and config.stop_at is not None and rounds[-1].iou >= config.stop_at


def _carried(rounds: list[Round], placement: Placement, count: int) -> list[Round]:
    """The rounds that are left when an object's clicks have ended."""
    return [Round(Placement(None, placement.case), rounds[-1].iou, carried=True)] * (count - len(rounds))
