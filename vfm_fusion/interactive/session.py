"""Interactive segmentation of an image's objects by a user, without any window to do it in."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from vfm_fusion.datasets.readers.id_tables import voc_color
from vfm_fusion.errors import SessionError, ShapeError
from vfm_fusion.interactive.click_predictor import Prediction, Predictor, first_prediction
from vfm_fusion.interactive.clicks import Click

_POSITIVE, _NEGATIVE = (0, 255, 0), (255, 0, 0)


@dataclass
class _Object:
    """The object at work: what is kept of its finished parts, and the predictions of the one at work.

    ``predictions[n]`` is that after n clicks.
    """

    kept: np.ndarray
    predictions: list[Prediction]
    clicks: list[Click] = field(default_factory=list)


@dataclass
class _Scene:
    """An image, its finished objects and the one at work."""

    image: np.ndarray
    labels: np.ndarray
    object: _Object
    finished: int = 0


class Session:
    """Clicks on one image, object by object.

    Every method but :meth:`set_image` raises a :class:`~vfm_fusion.errors.SessionError` without an image.
    The same clicks give the same bits as in :func:`~vfm_fusion.interactive.click_protocol.play` with the same
    predictor. An object may be clicked in parts: each begins without clicks, and the object's probability is
    the largest of all its parts'.
    """

    def __init__(self, predictor: Predictor, threshold: float = 0.5) -> None:
        """Begins a session without image.

        Args:
            predictor: predicts after each click.
            threshold: probability above which a pixel belongs to the object.
        """
        self._predictor, self.threshold = predictor, threshold
        self._begun: _Scene | None = None

    def set_image(self, image: np.ndarray) -> None:
        """Turns to an image ``(H, W, 3)`` uint8 RGB, and forgets all objects.

        Raises:
            ShapeError: it is no such image.
        """
        self._predictor.set_image(image)
        labels = np.zeros(image.shape[:2], np.int32)
        self._begun = _Scene(image.copy(), labels, _new_object(labels.shape))

    @property
    def _scene(self) -> _Scene:
        """What the session works on; every method but :meth:`set_image` needs it."""
        if self._begun is None:
            raise SessionError("the session has no image yet; call set_image first")
        return self._begun

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks of the part at work."""
        return tuple(self._scene.object.clicks)

    @property
    def probability(self) -> np.ndarray:
        """``(H, W)`` float32 of the object at work, all its parts together."""
        return np.maximum(self._scene.object.kept, self._scene.object.predictions[-1].probability)

    @property
    def mask(self) -> np.ndarray:
        """``(H, W)`` bool of the object at work."""
        return self.probability > self.threshold

    @property
    def label_map(self) -> np.ndarray:
        """``(H, W)`` int32: 0 = no finished object, k the k-th one; later ones lie above earlier ones."""
        return self._scene.labels.copy()

    def click(self, row: int, col: int, positive: bool = True) -> np.ndarray:
        """Adds a click.

        Args:
            row: from 0, downwards.
            col: from 0, to the right.
            positive: whether the pixel belongs to the object.

        Returns:
            :attr:`probability` after it.

        Raises:
            SessionError: the click is outside the image.
        """
        height, width = self._scene.labels.shape
        if not (0 <= row < height and 0 <= col < width):
            raise SessionError(
                f"a click at row {row}, column {col} is outside the image of {height} x {width} pixels"
            )
        at_work = self._scene.object
        clicks = [*at_work.clicks, Click(row, col, positive)]
        at_work.predictions.append(self._predictor.predict(clicks, at_work.predictions[-1]))
        at_work.clicks = clicks
        return self.probability

    def undo(self) -> None:
        """Takes the last click of the part at work back; without clicks nothing happens."""
        if self._scene.object.clicks:
            self._scene.object.clicks.pop()
            self._scene.object.predictions.pop()

    def reset(self) -> None:
        """Forgets the object at work, with its parts and a loaded mask."""
        self._scene.object = _new_object(self._scene.labels.shape)

    def load_mask(self, mask: np.ndarray) -> None:
        """Begins the object at work with a mask instead of nothing, for clicks to correct.

        Args:
            mask: ``(H, W)`` bool.

        Raises:
            SessionError: the part at work has clicks.
            ShapeError: the mask is no bool mask of the image's size.
        """
        if mask.dtype != bool or mask.shape != self._scene.labels.shape:
            raise ShapeError(
                f"expected a bool mask {self._scene.labels.shape} of the image's size, found {mask.dtype} "
                f"{mask.shape}"
            )
        if self._scene.object.clicks:
            raise SessionError("a mask is loaded before an object's first click; finish or reset the object")
        self._scene.object.predictions = [Prediction(mask.astype(np.float32))]

    def keep_part(self) -> None:
        """Keeps the object's mask so far, and begins another part of the same object."""
        probability = self.probability
        self.reset()
        self._scene.object.kept = probability

    def finish_object(self) -> int:
        """Writes the object into :attr:`label_map` and begins the next one.

        Returns:
            Its number, from 1.

        Raises:
            SessionError: the object's mask is empty.
        """
        mask = self.mask
        if not mask.any():
            raise SessionError("the object's mask is empty; click on the object before finishing it")
        self._scene.finished += 1
        self._scene.labels[mask] = self._scene.finished
        self.reset()
        return self._scene.finished

    def overlay(self, alpha: float = 0.5, radius: int = 3) -> np.ndarray:
        """Draws finished objects, the object at work and its clicks over the image.

        Args:
            alpha: opacity of the objects, in [0, 1].
            radius: of the drawn clicks in pixels, green positive and red negative ones; 0 for none.

        Returns:
            ``(H, W, 3)`` uint8 RGB.
        """
        image, labels, number = self._scene.image, self.label_map, self._scene.finished + 1
        labels[self.mask] = number
        colours = np.array([voc_color(each) for each in range(number + 1)])[labels]
        drawn = np.where(labels[..., None] > 0, (1 - alpha) * image + alpha * colours, image)
        drawn = np.ascontiguousarray(np.rint(drawn).astype(np.uint8))
        for row, col, positive in self.clicks if radius else ():
            cv2.circle(drawn, (int(col), int(row)), radius, _POSITIVE if positive else _NEGATIVE, cv2.FILLED)
        return drawn


def _new_object(size: tuple[int, int]) -> _Object:
    first = first_prediction(size)
    return _Object(first.probability, [first])
