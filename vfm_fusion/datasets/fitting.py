"""Which part of an image is profiled, and at which size: the geometry of ``features.image_size``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from vfm_fusion.config.image_size import CropSize, GridSize, ImageSize, LongSideSize, PadSize, ShortSideSize

Size = tuple[int, int]
Pixels = TypeVar("Pixels", bound=np.ndarray)


@dataclass(frozen=True)
class Fit:
    """How an image is brought to the size at which it is profiled.

    The window is resized, never the labels in it: they are read where the pixels of a feature map lie.

    Attributes:
        window: the rows and columns of the image that are kept.
        size: (height, width) that the window is resized to.
        canvas: (height, width) that an encoder is given; larger than ``size`` where it is filled up at the
            bottom and on the right.
    """

    window: tuple[slice, slice]
    size: Size
    canvas: Size

    def cut(self, pixels: Pixels) -> Pixels:
        """Cuts the window out of ``(H, W)`` labels or an image ``(H, W, 3)``."""
        return pixels[self.window]


def fit_image(height: int, width: int, setting: ImageSize | None) -> Fit:
    """Fits an image of ``height`` x ``width`` pixels to a setting of ``features.image_size``.

    Sides are rounded to whole pixels, and to at least one.
    """
    own, whole = (height, width), (slice(0, height), slice(0, width))
    if setting is None:
        return Fit(whole, own, own)
    if isinstance(setting, CropSize):
        return Fit(_middle(own, setting.crop), setting.crop, setting.crop)
    if isinstance(setting, PadSize):
        factor = min(box / side for box, side in zip(setting.pad, own, strict=True))
        return Fit(whole, _scaled(own, factor), setting.pad)
    if isinstance(setting, GridSize):
        return _on_grid(own, setting)
    if isinstance(setting, ShortSideSize):
        factor = setting.short_side / min(own)
        if setting.max_side is not None:
            factor = min(factor, setting.max_side / max(own))
    elif isinstance(setting, LongSideSize):
        factor = setting.long_side / max(own)
    else:
        return Fit(whole, setting, setting)
    return Fit(whole, _scaled(own, factor), _scaled(own, factor))


def describe_fit(setting: ImageSize) -> str:
    """Says in words how images are fitted: ``short side 512``."""
    if isinstance(setting, tuple):
        return f"{setting[0]} x {setting[1]}"
    values = {name.replace("_", " "): value for name, value in setting if value is not None}
    return ", ".join(
        f"{name} {value}" if isinstance(value, int) else f"{name} {value[0]} x {value[1]}"
        for name, value in values.items()
    )


def fit_size(height: int, width: int, divisor: int) -> Size:
    """Returns the nearest size whose sides are positive multiples of ``divisor`` (ties grow)."""
    fitted_height, fitted_width = (
        max(divisor, (side + divisor // 2) // divisor * divisor) for side in (height, width)
    )
    return fitted_height, fitted_width


def _on_grid(size: Size, setting: GridSize) -> Fit:
    height, width = size
    if setting.short_side is not None:
        scale = setting.short_side / min(size)
        if setting.max_side is not None:
            scale = min(scale, setting.max_side / max(size))
        height, width = (int(scale * side + 0.5) for side in size)
    fitted = fit_size(height, width, setting.multiple)
    return Fit((slice(0, size[0]), slice(0, size[1])), fitted, fitted)


def _scaled(size: Size, factor: float) -> Size:
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width


def _middle(size: Size, box: Size) -> tuple[slice, slice]:
    """The largest window of the shape of ``box`` in the middle of an image, to whole pixels."""
    factor = max(wanted / side for wanted, side in zip(box, size, strict=True))
    rows, columns = (
        slice((side - kept) // 2, (side - kept) // 2 + kept)
        for side, kept in (
            (side, min(side, max(1, round(wanted / factor)))) for side, wanted in zip(size, box, strict=True)
        )
    )
    return rows, columns
