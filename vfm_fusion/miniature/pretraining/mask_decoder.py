"""From an encoder's maps and prompts to masks: SAM 2's prompt encoder and mask decoder, small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.compat import ensure_torchvision

ensure_torchvision()

from timm.layers import LayerNorm2d  # noqa: E402  (it imports torchvision)
from transformers.models.sam2.configuration_sam2 import (  # noqa: E402
    Sam2MaskDecoderConfig,
    Sam2PromptEncoderConfig,
)
from transformers.models.sam2.modeling_sam2 import Sam2MaskDecoder, Sam2PromptEncoder  # noqa: E402

STRIDES = (4, 8, 16, 32)
"""Native strides that are read."""

_FINEST = STRIDES[0]  # stride of masks
_NEAR = 16.0  # pixels
_IMAGE_STRIDE = 16  # of the map that attends to prompts
_FREQUENCY = 3  # standard deviation of the frequencies of positions, in periods over half a span


class Maps(NamedTuple):
    """What is read of images, whatever the prompts.

    Attributes:
        image: ``(B, D, H/16, W/16)``.
        positions: ``(B, D, H/16, W/16)``, encoded.
        fine: ``(B, D/8, H/4, W/4)`` and ``(B, D/4, H/8, W/8)``.
        origins: ``(B, 2)`` x, y: see :meth:`PromptedMasks.read`.
    """

    image: Tensor
    positions: Tensor
    fine: list[Tensor]
    origins: Tensor


class PromptedMasks(nn.Module):
    """Masks for prompts.

    A prompt is told twice: by tokens, and by a map of nearness in the place of SAM's mask prompt. So a short
    training need not first find out where a position lies in the image.

    Positions are encoded relative to ``span`` pixels, whatever an image's size, so that a distance looks the
    same in all images.

    Args:
        channels: those of the encoder, by stride.
        width: D, the width of all parts.
        masks: masks for a point.
        span: pixels that positions are encoded relative to.
    """

    def __init__(self, channels: Mapping[int, int], width: int, masks: int, span: int) -> None:
        super().__init__()
        self.span = span
        self.laterals = nn.ModuleDict({str(stride): _lateral(channels[stride], width) for stride in STRIDES})
        self.prompts = Sam2PromptEncoder(
            Sam2PromptEncoderConfig(
                hidden_size=width, image_size=span, patch_size=_IMAGE_STRIDE, scale=_FREQUENCY
            )
        )
        self.decoder = Sam2MaskDecoder(
            Sam2MaskDecoderConfig(
                hidden_size=width,
                mlp_dim=4 * width,
                num_attention_heads=4,
                num_multimask_outputs=masks,
                iou_head_hidden_dim=width,
                dynamic_multimask_via_stability=False,
                attn_implementation="sdpa",
            )
        )

    def read(self, maps: Mapping[int, Tensor], origins: Tensor | None = None) -> Maps:
        """Brings an encoder's maps to the decoder's width; the coarsest is added to that at stride 16.

        Args:
            maps: ``{stride: (B, C, H/stride, W/stride)}`` at :data:`STRIDES`.
            origins: ``(B, 2)`` x, y: where images lie in the span, in pixels; 0 when left out.
        """
        lateral = {stride: self.laterals[str(stride)](maps[stride]) for stride in STRIDES}
        image = lateral[16] + F.interpolate(lateral[32], scale_factor=2.0, mode="nearest")
        if origins is None:
            origins = image.new_zeros(len(image), 2)
        fine = [self.decoder.conv_s0(lateral[4]), self.decoder.conv_s1(lateral[8])]
        return Maps(image, self._positions(image, origins), fine, origins)

    def _positions(self, image: Tensor, origins: Tensor) -> Tensor:
        """Encodes the centres of an image's cells: ``(B, D, h, w)``."""
        height, width = image.shape[-2:]
        y, x = torch.meshgrid(
            torch.arange(height, device=image.device), torch.arange(width, device=image.device), indexing="ij"
        )
        centres = (torch.stack([x, y], dim=-1) + 0.5) * _IMAGE_STRIDE  # (h, w, 2)
        places = centres + origins[:, None, None]  # (B, h, w, 2)
        encoded = self.prompts.shared_embedding(places, (self.span, self.span))
        return encoded.permute(0, 3, 1, 2)

    def at_points(self, maps: Maps, points: Tensor) -> tuple[Tensor, Tensor]:
        """Predicts several masks for each point: it may ask for a part or for the whole.

        Args:
            maps: of B images.
            points: ``(B, P, 2)`` x, y in pixels.

        Returns:
            Logits ``(B, P, masks, H/4, W/4)`` and predicted IoUs ``(B, P, masks)`` in [0, 1].
        """
        places = (points + maps.origins[:, None]).flatten(0, 1)[:, None, None]  # (B P, 1, 1, 2)
        labels = torch.ones(places.shape[:3], dtype=torch.int64, device=points.device)
        nearness = _nearness(points.repeat(1, 1, 2), maps.fine[0].shape[-2:])
        return self._decode(maps, self.prompts(places, labels, None, nearness), several=True)

    def in_boxes(self, maps: Maps, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Predicts one mask for each box.

        Args:
            maps: of B images.
            boxes: ``(B, P, 4)`` left, top, right, bottom in pixels.

        Returns:
            Logits ``(B, P, 1, H/4, W/4)`` and predicted IoUs ``(B, P, 1)`` in [0, 1].
        """
        places = (boxes + maps.origins[:, None].repeat(1, 1, 2)).flatten(0, 1)[:, None]  # (B P, 1, 4)
        nearness = _nearness(boxes, maps.fine[0].shape[-2:])
        return self._decode(maps, self.prompts(None, None, places, nearness), several=False)

    def _decode(self, maps: Maps, prompts: tuple[Tensor, Tensor], *, several: bool) -> tuple[Tensor, Tensor]:
        """Predicts masks for tokens ``(B P, 1, tokens, D)`` and maps ``(B P, D, H/16, W/16)`` of prompts."""
        tokens, dense = prompts
        images = len(maps.image)
        each = len(tokens) // images
        logits, ious, _, _ = self.decoder(
            image_embeddings=maps.image.repeat_interleave(each, dim=0),
            image_positional_embeddings=maps.positions.repeat_interleave(each, dim=0),
            sparse_prompt_embeddings=tokens,
            dense_prompt_embeddings=dense,
            multimask_output=several,
            high_resolution_features=[fine.repeat_interleave(each, dim=0) for fine in maps.fine],
        )
        return logits.view(images, each, *logits.shape[2:]), ious.view(images, each, -1)


def _nearness(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Draws how near each cell of a map at stride 4 is to a box; a point is a box without sides.

    Args:
        boxes: ``(B, P, 4)`` left, top, right, bottom in pixels.
        size: h, w of the map.

    Returns:
        ``(B P, 1, h, w)``: 1 in the box, 0 at a distance of 16 pixels, towards -1 far away.
    """
    left, top, right, bottom = boxes.flatten(0, 1)[:, :, None, None].unbind(dim=1)  # (B P, 1, 1) each
    y, x = (torch.arange(side, device=boxes.device) * _FINEST + (_FINEST - 1) / 2 for side in size)
    beside = torch.relu(left - x) + torch.relu(x - right)  # (B P, 1, w)
    above = torch.relu(top - y[:, None]) + torch.relu(y[:, None] - bottom)  # (B P, h, 1)
    distance = torch.hypot(*torch.broadcast_tensors(beside, above))
    return (2 / (1 + distance / _NEAR) - 1)[:, None]


def _lateral(channels: int, width: int) -> nn.Sequential:
    """Normalises what an encoder hands out as it is, and brings it to ``width``."""
    return nn.Sequential(LayerNorm2d(channels), nn.Conv2d(channels, width, kernel_size=1))
