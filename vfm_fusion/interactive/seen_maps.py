"""What an encoder makes of an image as click models read it, and what an upsampler makes of that."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.fitting import Size, fit_image
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.features.encode import input_of
from vfm_fusion.features.profiled import profiled_image
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.upsampling.configured import configured_upsampler
from vfm_fusion.upsampling.resampling import imagenet_normalised
from vfm_fusion.upsampling.upsampler import Upsampler


class Seen(NamedTuple):
    """What an upsampler is given of an image, on the encoder's device.

    Attributes:
        image: ``(1, 3, H, W)`` float32 in [0, 1], as the encoder takes it.
        guidance: the same, normalised by ImageNet's statistics.
        features: ``(1, C, h, w)`` float32.
    """

    image: Tensor
    guidance: Tensor
    features: Tensor

    @property
    def grid(self) -> Size:
        """(h, w)."""
        return self.features.shape[-2], self.features.shape[-1]


def built_featurizer(encoder: EncoderConfig, reads: ClickModelConfig) -> Featurizer:
    """Builds an encoder with its weights, as a click model reads it, frozen, on the GPU where there is one.

    Raises:
        ConfigError, WeightsError: see :class:`Featurizer` and :func:`build_encoder`.
    """
    featurizer = Featurizer(build_encoder(encoder), reads).requires_grad_(False).eval()
    return featurizer.to("cuda" if torch.cuda.is_available() else "cpu")


def built_upsampler(
    name: str, config: UpsamplerConfig, encoder: str, featurizer: Featurizer, trained: Path | None
) -> Upsampler:
    """Builds an upsampler of an experiment for the maps of an encoder, on the encoder's device.

    Args:
        name: its name in the experiment.
        config: which one.
        encoder: name of the encoder.
        featurizer: the encoder.
        trained: weights that the workflow has trained; None where it has none.

    Raises:
        ConfigError, WeightsError: see :func:`configured_upsampler`.
    """
    upsampler = configured_upsampler(name, config, encoder, featurizer.width, trained)
    return upsampler.to(device_of(featurizer))


def device_of(featurizer: Featurizer) -> torch.device:
    """Where an encoder computes."""
    return next(featurizer.buffers()).device


def given_size(size: Size, setting: ImageSize | None, featurizer: Featurizer) -> Size:
    """Returns the (H, W) at which an encoder is given an image of a size, fitted to its divisor."""
    return input_of(fit_image(*size, setting), featurizer.encoder.spec.size_divisor).size


@torch.inference_mode()
def see(featurizer: Featurizer, pixels: np.ndarray, setting: ImageSize | None) -> Seen:
    """Encodes an image.

    Args:
        featurizer: the encoder.
        pixels: ``(H0, W0, 3)`` uint8.
        setting: the size at which it is profiled.
    """
    size = given_size(pixels.shape[:2], setting, featurizer)
    image = resize_to(profiled_image(pixels, setting), size).to(device_of(featurizer))
    return Seen(image, imagenet_normalised(image), featurizer(image))


def is_too_small(upsampler: Upsampler, seen: Seen) -> bool:
    """Whether the map has fewer rows or columns than the upsampler can read."""
    return min(seen.grid) < upsampler.facts.smallest


def leaves_map(upsampler: Upsampler, seen: Seen, size: Size) -> bool:
    """Whether the upsampler gives the map as it is, whatever size is asked for."""
    return upsampler.size(seen.grid, size) != size


@torch.inference_mode()
def upsample(upsampler: Upsampler, seen: Seen, size: Size) -> Tensor:
    """Upsamples the map of an image: ``(C, H', W')`` float32.

    Raises:
        ShapeError: the map is too small for the upsampler, or larger than ``size``.
    """
    return upsampler.up(seen.features, seen.guidance, size)[0]
