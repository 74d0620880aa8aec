"""From an image and its clicks to the probability of the object, for evaluation and for users alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.clicks import ZoomConfig
from vfm_fusion.datasets.fitting import fit_size
from vfm_fusion.errors import ShapeError
from vfm_fusion.interactive.click_model import ClickModel, Seen
from vfm_fusion.interactive.clicks import Click, points_tensor
from vfm_fusion.interactive.encoder_limits import check_side
from vfm_fusion.interactive.zoom import Box, next_box


@dataclass(frozen=True)
class Prediction:
    """What a predictor knows after some clicks, and needs for the next one.

    Attributes:
        probability: ``(H, W)`` float32 in [0, 1]; zeros before the first click, or a mask given from outside.
        box: the part of the image that was seen; None before the first click.
    """

    probability: np.ndarray
    box: Box | None = None


class Predictor(Protocol):
    """What the protocol and sessions ask of anything that can be clicked with."""

    def set_image(self, image: np.ndarray) -> None:
        """Turns to an image ``(H, W, 3)`` uint8 RGB."""

    def predict(self, clicks: Sequence[Click], last: Prediction) -> Prediction:
        """Predicts from all clicks so far and the prediction before the last of them."""


class ClickPredictor:
    """Predicts with a click model on the part of the image around the object.

    Logits of the part and of its mirror image are averaged, made probabilities, and pasted into zeros. What
    the model makes of a part without clicks is kept until it looks at another one.
    """

    def __init__(self, model: ClickModel, zoom: ZoomConfig, *, flip: bool = True) -> None:
        """Puts the model into evaluation mode.

        Args:
            model: the trained model, on its device.
            zoom: the part that it sees.
            flip: whether to average with the mirrored image.

        Raises:
            ConfigError: the encoder does not take parts of ``zoom.side``.
        """
        if zoom.side is not None:
            check_side(zoom.side, model.featurizer.encoder.spec, "zoom.side")
        self._model, self._zoom, self._flip = model.eval(), zoom, flip
        self._divisor = model.featurizer.encoder.spec.size_divisor
        self._image: Tensor | None = None
        self._kept: tuple[Box, Seen] | None = None

    def set_image(self, image: np.ndarray) -> None:
        """See :meth:`Predictor.set_image`.

        Raises:
            ShapeError: it is no such image.
        """
        check_image(image)
        pixels = torch.from_numpy(image.copy()).to(next(self._model.head.parameters()).device)
        self._image, self._kept = pixels.permute(2, 0, 1)[None].float() / 255, None  # (1, 3, H, W)

    @torch.inference_mode()
    def predict(self, clicks: Sequence[Click], last: Prediction) -> Prediction:
        """See :meth:`Predictor.predict`.

        Raises:
            ShapeError: there is no image, or the last prediction is of another one.
        """
        size = None if self._image is None else tuple(self._image.shape[-2:])
        check_last(last, size)
        box = next_box(last.box, last.probability, clicks, self._zoom)
        seen = self._seen(box)
        previous = torch.from_numpy(last.probability).to(self._image)[None, None]
        previous = self._mirrored(box.cut(previous, seen.size))
        inner = [[box.inside(click, seen.size) for click in clicks]]
        if self._flip:
            inner.append([Click(row, seen.size[1] - 1 - col, sign) for row, col, sign in inner[0]])
        logits = self._model.answer(seen, previous, points_tensor(inner).to(self._image.device))
        if self._flip:
            logits = (logits[:1] + logits[1:].flip(3)) / 2
        probability = box.paste(logits.float().sigmoid(), size)[0, 0]
        return Prediction(probability.cpu().numpy(), box)

    def _seen(self, box: Box) -> Seen:
        if self._kept is None or self._kept[0] != box:
            side = self._zoom.side
            size = fit_size(*box.size, self._divisor) if side is None else (side, side)
            self._kept = box, self._model.see(self._mirrored(box.cut(self._image, size)))
        return self._kept[1]

    def _mirrored(self, pixels: Tensor) -> Tensor:
        """``(1, C, h, w)``, followed by its mirror image where that is averaged with."""
        return torch.cat([pixels, pixels.flip(3)]) if self._flip else pixels


def first_prediction(size: tuple[int, int]) -> Prediction:
    """Returns what is known before the first click in an image of ``size`` (H, W): nothing."""
    return Prediction(np.zeros(size, np.float32))


def check_image(image: np.ndarray) -> None:
    """Refuses what is no image.

    Raises:
        ShapeError: it is not ``(H, W, 3)`` uint8.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ShapeError(f"expected an RGB image (H, W, 3) uint8, found {image.dtype} {image.shape}")


def check_last(last: Prediction, size: tuple[int, int] | None) -> None:
    """Refuses a prediction that is not of the image.

    Args:
        last: the prediction before the last click.
        size: (H, W) of the image; None where there is none.

    Raises:
        ShapeError: its size is another one.
    """
    if size != last.probability.shape:
        raise ShapeError(
            f"the last prediction is {last.probability.shape}, the image {size}; call set_image first, "
            "and start with a prediction of its size"
        )
