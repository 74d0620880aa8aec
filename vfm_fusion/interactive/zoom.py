"""The part of an image that a click model sees: a box around the object, which follows the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from vfm_fusion.config.clicks import ZoomConfig
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.upsampling.resampling import resize


class Box(NamedTuple):
    """Rows and columns of an image, first and last ones included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.bottom - self.top + 1, self.right - self.left + 1

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Index of the box's pixels."""
        return slice(self.top, self.bottom + 1), slice(self.left, self.right + 1)

    def holds(self, click: Click) -> bool:
        """Whether a click lies in the box; its last row and column do not count, as in the released code."""
        return self.top <= click.row < self.bottom and self.left <= click.col < self.right

    def cut(self, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        """Cuts the box out of ``(B, C, H, W)`` and resizes it bilinearly with aligned corners to ``size``."""
        return resize(pixels[(..., *self.pixels)], size)

    def paste(self, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        """Undoes :meth:`cut`: resizes ``(B, C, h, w)`` to the box, in zeros of ``size`` (H, W)."""
        whole = pixels.new_zeros(*pixels.shape[:2], *size)
        whole[(..., *self.pixels)] = resize(pixels, self.size)
        return whole

    def inside(self, click: Click, size: tuple[int, int]) -> Click:
        """Maps a click of the image to the box resized to ``size``."""
        row, col = (
            (at - first) * side / own
            for at, first, side, own in zip(click[:2], self[::2], size, self.size, strict=True)
        )
        return Click(row, col, click.positive)

    def overlap(self, other: Box) -> float:
        """Product of the overlaps of rows and of columns, each shared over spanned."""
        product = 1.0
        for first, last in ((0, 1), (2, 3)):
            shared = min(self[last], other[last]) - max(self[first], other[first]) + 1
            spanned = max(self[last], other[last]) - min(self[first], other[first]) + 1
            product *= max(shared, 0) / spanned
        return product


def next_box(
    current: Box | None, probability: np.ndarray, clicks: Sequence[Click], config: ZoomConfig
) -> Box:
    """Chooses the part of the image that the model sees next.

    It is the box of the predicted pixels and the positive clicks, scaled about its centre. While that one
    overlaps the current one enough and all positive clicks lie in the current one, it stays. Without a
    predicted pixel it is the whole image.

    Args:
        current: the part seen last; None at first.
        probability: ``(H, W)`` of the last prediction.
        clicks: all clicks so far.
        config: how the box is made.
    """
    found = whole_image(probability.shape)
    predicted = probability > config.threshold
    if config.follow_object and predicted.any():
        found = _around(predicted, clicks, config)
    if current is None or not all(current.holds(click) for click in clicks if click.positive):
        return found
    return found if found.overlap(current) < config.recompute_iou else current


def whole_image(size: tuple[int, int]) -> Box:
    """Returns the box of all pixels of an image of ``size`` (H, W)."""
    return Box(0, size[0] - 1, 0, size[1] - 1)


def _around(predicted: np.ndarray, clicks: Sequence[Click], config: ZoomConfig) -> Box:
    predicted = predicted.copy()
    for click in clicks:
        if click.positive:
            predicted[int(click.row), int(click.col)] = True
    ends = []
    for axis, side in enumerate(predicted.shape):
        taken = np.flatnonzero(predicted.any(axis=1 - axis))
        first, last = int(taken[0]), int(taken[-1])
        half = max(config.expansion * (last - first + 1), config.min_side) / 2
        centre = (first + last) / 2
        ends += [max(round(centre - half), 0), min(round(centre + half), side - 1)]
    return Box(*ends)
