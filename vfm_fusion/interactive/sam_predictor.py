"""Segment Anything (SAM) under the protocol of interactive segmentation.

Of the three masks that it gives, the one that it scores highest counts, and its logits go back into the model
at the next click. SAM sees the whole image and no mirror image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.encoders.weights import read_tensors
from vfm_fusion.errors import WeightsError
from vfm_fusion.interactive.click_predictor import Prediction, check_image, check_last
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.upsampling.resampling import imagenet_normalised

ensure_torchvision()

from transformers.models.sam.configuration_sam import SamConfig  # noqa: E402
from transformers.models.sam.modeling_sam import SamModel  # noqa: E402

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"

_TIED = "prompt_encoder.shared_embedding.positional_embedding"  # stored once, by its other name
_LEAST = 1e-3
"""Probability of the background of a mask that SAM did not predict itself; its logits have to be finite."""


@dataclass(frozen=True)
class SamPrediction(Prediction):
    """A prediction with what SAM takes back.

    Attributes:
        logits: ``(1, 1, h, w)`` of the chosen mask, as low in resolution as the model gives them.
    """

    logits: Tensor | None = None


@dataclass(frozen=True)
class _Seen:
    """An image as SAM has encoded it.

    Attributes:
        size: (H, W) of the image.
        inner: (H, W) that it has in the model's square, at the upper left.
        embeddings: ``(1, C, h, w)``.
    """

    size: tuple[int, int]
    inner: tuple[int, int]
    embeddings: Tensor


class SamPredictor:
    """Predicts with SAM; see :class:`~vfm_fusion.interactive.click_predictor.Predictor`."""

    def __init__(self, model: SamModel) -> None:
        """Puts the model into evaluation mode; it stays on its device."""
        self._model = model.eval().requires_grad_(False)
        self._side: int = model.config.vision_config.image_size
        self._seen: _Seen | None = None

    @torch.inference_mode()
    def set_image(self, image: np.ndarray) -> None:
        """Turns to an image ``(H, W, 3)`` uint8 RGB: its longer side becomes the model's, the rest is empty.

        Raises:
            ShapeError: it is no such image.
        """
        check_image(image)
        height, width = image.shape[:2]
        scale = self._side / max(height, width)
        inner = (int(height * scale + 0.5), int(width * scale + 0.5))
        resized = Image.fromarray(image).resize(inner[::-1], Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).to(self._model.device)
        pixels = imagenet_normalised(pixels.permute(2, 0, 1)[None].float() / 255)
        embeddings = self._model.get_image_embeddings(self._squared(pixels))
        self._seen = _Seen((height, width), inner, embeddings)

    @torch.inference_mode()
    def predict(self, clicks: Sequence[Click], last: Prediction) -> SamPrediction:
        """Predicts from all clicks so far and the prediction before the last of them.

        A last prediction that is not SAM's own is a mask to start from.

        Raises:
            ShapeError: there is no image, or the last prediction is of another one.
        """
        check_last(last, None if self._seen is None else self._seen.size)
        rows, cols = (own / side for own, side in zip(self._seen.inner, self._seen.size, strict=True))
        points = torch.tensor([[click.col * cols, click.row * rows] for click in clicks])
        signs = torch.tensor([int(click.positive) for click in clicks])
        found = self._model(
            image_embeddings=self._seen.embeddings,
            input_points=points[None, None].to(self._model.device),
            input_labels=signs[None, None].to(self._model.device),
            input_masks=self._taken_back(last),
            multimask_output=True,
        )
        best = int(found.iou_scores[0, 0].argmax())
        logits = found.pred_masks[:, 0, best : best + 1]  # (1, 1, h, w)
        return SamPrediction(self._probability(logits), logits=logits)

    def _probability(self, logits: Tensor) -> np.ndarray:
        """``(H, W)`` probabilities of low-resolution logits ``(1, 1, h, w)``."""
        squared = _resized(logits, (self._side, self._side))
        rows, cols = self._seen.inner
        return _resized(squared[..., :rows, :cols], self._seen.size).sigmoid()[0, 0].float().cpu().numpy()

    def _taken_back(self, last: Prediction) -> Tensor | None:
        """The logits ``(1, 1, h, w)`` that the model is given of the last prediction; None before any."""
        if isinstance(last, SamPrediction):
            return last.logits
        if not last.probability.any():
            return None
        probability = torch.from_numpy(last.probability).to(self._model.device)[None, None]
        squared = self._squared(_resized(probability, self._seen.inner))
        low = 4 * self._model.prompt_encoder.image_embedding_size[0]
        return F.interpolate(squared, (low, low), mode="area").logit(_LEAST)

    def _squared(self, pixels: Tensor) -> Tensor:
        """Fills ``(1, C, h, w)`` up to the model's square with zeros, at the bottom and on the right."""
        return F.pad(pixels, (0, self._side - pixels.shape[-1], 0, self._side - pixels.shape[-2]))


def load_sam(path: Path) -> SamModel:
    """Loads SAM as transformers stores it, such as ``facebook/sam-vit-base``.

    Args:
        path: the folder with ``config.json`` and ``model.safetensors``; or a file of weights beside its
            ``config.json``.

    Raises:
        WeightsError: a file is missing or damaged, or is not of SAM; names the keys that do not fit.
    """
    folder, weights = (path, path / WEIGHTS_FILE) if path.is_dir() else (path.parent, path)
    for file in (folder / CONFIG_FILE, weights):
        if not file.is_file():
            raise WeightsError(
                f"{file}: no such file. SAM needs {CONFIG_FILE} and its weights in one folder, as those of "
                "https://huggingface.co/facebook/sam-vit-base"
            )
    model = SamModel(_config(folder / CONFIG_FILE))
    tensors, own = read_tensors(weights), model.state_dict()
    odd = (tensors.keys() ^ own.keys()) - {_TIED}
    odd |= {name for name in own.keys() & tensors.keys() if own[name].shape != tensors[name].shape}
    if odd:
        raise WeightsError(
            f"{weights}: not of the SAM that {CONFIG_FILE} beside it describes; missing, unknown or of "
            f"another shape: {', '.join(sorted(odd)[:5])} ({len(odd)} in all). Take both files from one "
            "release, by transformers' names"
        )
    model.load_state_dict(tensors, strict=False)
    return model.eval()


def _config(path: Path) -> SamConfig:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path}: is no JSON ({error}); get it again") from error
    kind = content.get("model_type") if isinstance(content, dict) else None
    if kind != SamConfig.model_type:
        raise WeightsError(
            f"{path}: expected model_type {SamConfig.model_type!r}, found {kind!r}; take the files of a SAM"
        )
    return SamConfig.from_dict(content)


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes ``(1, C, h, w)`` bilinearly with half-pixel centres, as SAM does."""
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
