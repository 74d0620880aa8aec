"""Encoders for tests: tiny variants of every registered family, built by the very same code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.spec import EncoderSpec

VIT = {"embed_dim": 48, "depth": 2, "num_heads": 2}
HIERA = {
    "embed_dim": 16,
    "num_heads": 1,
    "stages": (1, 1, 2, 1),
    "global_att_blocks": (3,),
    "global_pos_size": (7, 7),
}
SWIN = {"embed_dim": 16, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8), "window_size": 4}
HEAVY = dict.fromkeys(
    ("dinov3_vitl16", "sam2_hiera_l", "eva02_clip_l14"), pytest.mark.slow("a model of more than 1.5 GB")
)
"""Entries that are too big for every run of the tests, and their mark."""


def tiny(name: str, **more: Any) -> EncoderSpec:
    """Returns the registered spec of ``name`` with a model of some ten thousand parameters."""
    spec = ARCHITECTURES[name]
    if spec.family == "hierarchical":
        options, widths = (
            (SWIN, (16, 32, 64, 128)) if "swin" in spec.timm_name else (HIERA, (16, 32, 64, 128))
        )
        channels = dict(zip((4, 8, 16, 32), widths, strict=True))
    else:
        options, channels = {**VIT, **more}, {16: VIT["embed_dim"]}
    return replace(spec, architecture=f"tiny_{name}", channels=channels, options={**spec.options, **options})


TINY = (
    tiny("dinov2_vitb14"),
    tiny("dinov3_vitb16"),
    tiny("sam_vitb16", global_attn_indexes=(1,)),
    tiny("sam2_hiera_bplus"),
    tiny("swin_b"),
    tiny("clip_vitb16"),
    tiny("siglip2_vitb16"),
    tiny("eva02_clip_b16"),
    tiny("eva02_clip_l14"),
)


def seeded(name: str, seed: int = 0, resolution: int | None = None) -> EncoderConfig:
    """Returns the configuration of an encoder with initial weights."""
    weights = SeededWeights(source="seeded", seed=seed)
    return EncoderConfig(architecture=name, weights=weights, resolution=resolution)
