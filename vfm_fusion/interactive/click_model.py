"""The click model: a frozen encoder and upsampler, and a click encoder and a head that are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.encoders.tokens import TokenState
from vfm_fusion.errors import ShapeError, WeightsError
from vfm_fusion.interactive.click_encoders import build_click_encoder
from vfm_fusion.interactive.click_heads import build_click_head
from vfm_fusion.interactive.clicks import click_maps, scaled_points
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.upsampling.memory import predict
from vfm_fusion.upsampling.resampling import imagenet_normalised, resize

Upsampler = Callable[[Tensor, Tensor, tuple[int, int]], Tensor]
"""``up(features (B, C, h, w), image (B, 3, H, W) normalised by ImageNet's statistics, (H', W'))``: features
``(B, C, H', W')``; a module or a function."""

LEARNED = ("click_encoder", "head")
"""What is trained and stored; everything else is frozen and built anew."""


@dataclass(frozen=True)
class Seen:
    """What a click model has made of images before it knows of clicks.

    Attributes:
        guidance: the images ``(B, 3, H, W)``, normalised by ImageNet's statistics.
        patches: embedded patches, where clicks enter early.
        features: the encoder's map ``(B, C, h, w)``, where clicks enter behind it.
        upsampled: the upsampled map ``(B, C, H', W')``, where clicks enter behind that, or nowhere.
    """

    guidance: Tensor
    patches: TokenState | None = None
    features: Tensor | None = None
    upsampled: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the images."""
        return self.guidance.shape[-2], self.guidance.shape[-1]


class ClickModel(nn.Module):
    """Segments the clicked object.

    The frozen parts get no gradient to their weights, but gradients flow through them to the click encoder.
    With an upsampler the head reads the upsampled map, resized bilinearly to the image (or to a stride of it)
    where the upsampler gives another size; without one, or with one that gives the map's own size, it reads
    the encoder's map, and the logits are resized (``low-res``). All resizes align corners.
    """

    def __init__(
        self, encoder: Encoder, config: ClickModelConfig, upsampler: Upsampler | None = None
    ) -> None:
        """Builds the untrained parts around frozen ones.

        Args:
            encoder: any encoder of the registry; it is frozen in place.
            config: the parts, and where they meet.
            upsampler: see :data:`Upsampler`, frozen in place where it is a module; None for none.

        Raises:
            ConfigError: the encoder does not have what the configuration asks for.
        """
        super().__init__()
        self.config, self.upsampler = config, upsampler
        self.featurizer = seen = Featurizer(encoder, config)
        self.click_encoder = None
        if config.inject != "none":
            width = seen.token_width if config.inject == "early" else seen.width
            self.click_encoder = build_click_encoder(config, seen.patch, width)
        self.head = build_click_head(config.head, seen.width, config.head_init)
        for part in self._frozen():
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of the trained parts; frozen ones stay in evaluation mode unless ``as_released``."""
        super().train(mode)
        if self.config.frozen_mode == "eval":
            for part in self._frozen():
                part.eval()
        return self

    def forward(self, images: Tensor, previous: Tensor, points: Tensor) -> Tensor:
        """Segments images.

        Args:
            images: ``(B, 3, H, W)`` float RGB in [0, 1], sides as the encoder takes them.
            previous: ``(B, 1, H, W)`` probabilities before the last click; zeros at first.
            points: ``(B, 2 P, 3)``, see :func:`~vfm_fusion.interactive.clicks.points_tensor`.

        Returns:
            Logits ``(B, 1, H, W)``.

        Raises:
            ShapeError: wrong images, or another number or size of images, masks and clicks.
        """
        return self.answer(self.see(images), previous, points)

    def see(self, images: Tensor, features: Tensor | None = None) -> Seen:
        """Computes what does not depend on clicks, once for all clicks; without gradient.

        Args:
            images: as in :meth:`forward`.
            features: the encoder's map of these images as a cache holds it; None to compute it.

        Raises:
            ShapeError: wrong images, or features of another size.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ShapeError(
                f"expected float images (B, 3, H, W), found {images.dtype} {tuple(images.shape)}"
            )
        guidance = imagenet_normalised(images)
        with torch.no_grad():
            if self.config.inject == "early":
                return Seen(guidance, patches=self.featurizer.patchify(images))
            if features is None:
                features = self.featurizer(images)
            self._check_features(features, images)
            if self.config.inject == "late_lr":
                return Seen(guidance, features=features)
            return Seen(guidance, features=features, upsampled=self._upsampled(features, guidance))

    def answer(self, seen: Seen, previous: Tensor, points: Tensor) -> Tensor:
        """Computes the logits ``(B, 1, H, W)`` of what :meth:`see` gave; see :meth:`forward`."""
        expected = (len(seen.guidance), 1, *seen.size)
        if tuple(previous.shape) != expected or len(points) != len(seen.guidance):
            raise ShapeError(
                f"expected masks {expected} and points of as many images, found {tuple(previous.shape)} and "
                f"{tuple(points.shape)}"
            )
        logits = self.head(self._clicked(seen, previous, points))
        return resize(logits, seen.size)

    def learned(self) -> dict[str, Tensor]:
        """Returns the trained tensors by name: click encoder and head, nothing frozen."""
        return {name: value for name, value in self.state_dict().items() if _is_learned(name)}

    def load_learned(self, tensors: dict[str, Tensor], source: str) -> None:
        """Takes up what :meth:`learned` gave.

        Args:
            tensors: the tensors by name.
            source: where they are from, for messages.

        Raises:
            WeightsError: they are of another click model.
        """
        own = self.learned()
        odd = sorted(tensors.keys() ^ own.keys())
        odd += [name for name in own.keys() & tensors.keys() if own[name].shape != tensors[name].shape]
        if odd:
            raise WeightsError(
                f"{source}: not of this click model ({self.config.click_encoder}, inject "
                f"{self.config.inject}, {self.config.head}, width {self.featurizer.width}); these are "
                f"missing, unknown or of another shape: {odd[:5]}. Give it the weights and the configuration "
                "of one training"
            )
        self.load_state_dict(tensors, strict=False)

    def _frozen(self) -> list[nn.Module]:
        return [part for part in (self.featurizer, self.upsampler) if isinstance(part, nn.Module)]

    def _clicked(self, seen: Seen, previous: Tensor, points: Tensor) -> Tensor:
        """The map that the head reads, with the clicks in it."""
        inject = self.config.inject
        if inject == "none":
            return seen.upsampled
        clicks = self._click_features(seen.size, previous, points)  # (B, C, h, w)
        if inject == "late_hr":
            return seen.upsampled + resize(clicks, tuple(seen.upsampled.shape[-2:]))
        if inject == "late_lr":
            return self._upsampled(seen.features + clicks, seen.guidance)
        rows, cols = seen.patches.grid
        filled = F.pad(clicks, (0, cols - clicks.shape[-1], 0, rows - clicks.shape[-2]))
        tokens = seen.patches.tokens + filled.flatten(2).transpose(1, 2)
        features = self.featurizer.encode(seen.patches.with_tokens(tokens), seen.size)
        return self._upsampled(features, seen.guidance)

    def memory_note(self, images: int, size: tuple[int, int]) -> str:
        """Says what upsampling the maps of images of a size will need, gradients left out.

        It takes an upsampler of the registry; see :func:`~vfm_fusion.upsampling.memory.predict`.
        """
        grid, target = self.featurizer.grid(size), self._upsampled_size(size)
        needed = predict(self.upsampler, (images, self.featurizer.width, *grid), size, target)
        return (
            f"maps {grid[0]} x {grid[1]} -> {target[0]} x {target[1]}, {self.featurizer.width} channels, "
            f"{images} at once: {needed.result / 1e6:.0f} MB, and {needed.beyond / 1e6:.0f} MB beside them"
        )

    def _click_features(self, size: tuple[int, int], previous: Tensor, points: Tensor) -> Tensor:
        """Encodes mask and clicks, drawn at the size at which the encoder sees the image."""
        drawn = self.featurizer.seen_size(size)
        maps = click_maps(
            scaled_points(points, size, drawn), drawn, self.config.click_radius, self.config.click_map
        )
        return self.click_encoder(torch.cat([resize_to(previous, drawn), maps.to(previous.dtype)], dim=1))

    def _upsampled(self, features: Tensor, guidance: Tensor) -> Tensor:
        if self.upsampler is None:
            return features
        size = self._upsampled_size((guidance.shape[-2], guidance.shape[-1]))
        upsampled = self.upsampler(features, guidance, size)
        if upsampled.shape == features.shape:  # `none` of the registry
            return upsampled
        return resize(upsampled, size)

    def _upsampled_size(self, size: tuple[int, int]) -> tuple[int, int]:
        stride = self.config.upsampled_stride
        return -(-size[0] // stride), -(-size[1] // stride)

    def _check_features(self, features: Tensor, images: Tensor) -> None:
        grid = self.featurizer.grid((images.shape[-2], images.shape[-1]))
        expected = (len(images), self.featurizer.width, *grid)
        if tuple(features.shape) != expected:
            raise ShapeError(f"expected the encoder's map {expected}, found {tuple(features.shape)}")


def _is_learned(name: str) -> bool:
    return name.split(".")[0] in LEARNED
