"""Toys for the tests of interactive segmentation: small encoders, upsamplers, and models that know a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.clicks import ClickModelConfig, SimpleVitConfig
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.interactive.click_model import ClickModel, Upsampler
from vfm_fusion.interactive.click_predictor import Prediction
from vfm_fusion.interactive.clicks import Click

VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2}


def tiny_vit(name: str, **more: object) -> EncoderSpec:
    """The registered spec of a plain ViT with a small model."""
    spec = ARCHITECTURES[name]
    options = {**spec.options, **VIT, **more}
    return replace(spec, architecture=f"toy_{name}", channels={16: VIT["embed_dim"]}, options=options)


TOY_VITS = (
    tiny_vit("dinov2_vits14"),
    tiny_vit("dinov3_vitb16"),
    tiny_vit("clip_vitb16"),
    replace(tiny_vit("maskclip_vitb16"), channels={16: 24}, unused=("blocks.1.norm2.*", "blocks.1.mlp.*")),
    tiny_vit("sam_vitb16", global_attn_indexes=(1,)),
)


def encoder_of(name: str, **settings: object) -> Encoder:
    """An encoder of the registry with weights from a seed."""
    weights = SeededWeights(source="seeded", seed=0)
    return build_encoder(EncoderConfig(architecture=name, weights=weights, **settings))


def toy_model(
    name: str = "toy_dinov2_vits14",
    upsampler: Upsampler | None = None,
    encoder: Encoder | None = None,
    **settings: object,
) -> ClickModel:
    """A click model from a seed, its head narrowly initialised by its own rules."""
    sizes = SimpleVitConfig(depth=1, heads=2, head_dim=8, mlp_dim=32)
    config = ClickModelConfig(simple_vit=sizes, **{"head": "linear", **settings})
    encoder = encoder_of(name) if encoder is None else encoder
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return ClickModel(encoder, config, upsampler)


def bilinear(features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """An upsampler that ignores the image."""
    return F.interpolate(features, size=size, mode="bilinear", align_corners=True)


class LearnedUpsampler(nn.Module):
    """An upsampler of twice the size with everything that could drift: weights, batch norm, dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.guide = nn.Conv2d(3, width, 1)
        self.layers = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width))
        self.dropout = nn.Dropout(0.5)

    def forward(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        doubled = F.interpolate(features, scale_factor=2, mode="nearest")
        guide = F.adaptive_avg_pool2d(self.guide(image), tuple(doubled.shape[-2:]))
        return self.dropout(self.layers(doubled + guide))


def photo(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A noisy image ``(H, W, 3)`` uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


class Scripted:
    """A predictor that gives prepared probabilities, the last one over and over, and notes its clicks."""

    def __init__(self, masks: Sequence[np.ndarray]) -> None:
        self.masks, self.calls = [np.asarray(mask, np.float32) for mask in masks], []

    def set_image(self, image: np.ndarray) -> None:
        self.image = image

    def predict(self, clicks: Sequence[Click], last: Prediction) -> Prediction:
        self.calls.append(list(clicks))
        return Prediction(self.masks[min(len(clicks), len(self.masks)) - 1])
