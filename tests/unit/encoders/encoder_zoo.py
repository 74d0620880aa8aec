"""Encoders for tests: tiny variants of every registered family, built by the very same code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.encoders.maskclip import MaskClip
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
CONVNEXT = {"dims": (16, 32, 64, 128), "depths": (1, 1, 2, 1)}
STAGED = {"swin": SWIN, "hiera": HIERA, "convnext": CONVNEXT}
HEAVY = {
    name: pytest.mark.slow(reason)
    for reason, names in {
        "a model of more than 1 GB": (
            ("dinov2_vitl14", "dinov2_vitl14_reg", "dinov3_vitl16", "dinov3_convnext_large", "c_radio_v3_l"),
            ("sam_vitl16", "sam_vith16", "sam2_hiera_l", "eva02_clip_l14"),
        ),
        "a size of a family whose other sizes and tiny variant are tested every time": (
            ("dinov2_vitb14_reg", "dinov3_vits16plus", "dinov3_convnext_small", "dinov3_convnext_base"),
            ("c_radio_v3_b", "sam2_hiera_s", "dinov2_vits14_reg", "dinov3_vits16"),
        ),
        "the model of clip_vitb16 but for its end, which its tiny variant has too": (("maskclip_vitb16",),),
    }.items()
    for name in (name for group in names for name in group)
}
"""Entries that are too much for every run of the tests, and their mark."""


def tiny(name: str, **more: Any) -> EncoderSpec:
    """Returns the registered spec of ``name`` with a model of some ten thousand parameters."""
    spec = ARCHITECTURES[name]
    if spec.family == "hierarchical":
        options = next(o for make, o in STAGED.items() if make in spec.timm_name)
        channels = dict(zip((4, 8, 16, 32), (16, 32, 64, 128), strict=True))
    else:
        options, channels = {**VIT, **more}, {16: VIT["embed_dim"]}
    return replace(spec, architecture=f"tiny_{name}", channels=channels, options={**spec.options, **options})


TINY = (
    tiny("dinov2_vitb14"),
    tiny("dinov2_vits14_reg"),
    tiny("dinov3_vitb16"),
    tiny("dinov3_vits16plus"),
    tiny("dinov3_convnext_tiny"),
    tiny("sam_vitb16", global_attn_indexes=(1,)),
    tiny("sam2_hiera_bplus"),
    tiny("swin_b"),
    tiny("clip_vitb16"),
    replace(tiny("maskclip_vitb16"), channels={16: 32}, unused=("blocks.1.norm2.*", "blocks.1.mlp.*")),
    tiny("siglip2_vitb16"),
    tiny("eva02_clip_b16"),
    tiny("eva02_clip_l14"),
    tiny("c_radio_v3_b"),
)


def seeded(name: str, seed: int = 0, **settings: Any) -> EncoderConfig:
    """Returns the configuration of an encoder with initial weights."""
    weights = SeededWeights(source="seeded", seed=seed)
    return EncoderConfig(architecture=name, weights=weights, **settings)


def as_timm(name: str, **settings: Any) -> EncoderConfig:
    """Returns that configuration with positions resized as timm's own code does it."""
    positions = ARCHITECTURES[name].positions and "antialiased"
    return seeded(name, positions=positions, **settings)


def maskclips_own(encoder: MaskClip, seen: Tensor, block: int = -1, *, norm: bool = True) -> Tensor:
    """Returns maps of normalised images behind a block, by timm's own walk up to MaskCLIP's end."""
    model, last = encoder.model, len(encoder.model.blocks) - 1
    block %= last + 1
    ((patches, prefix),) = model.forward_intermediates(
        seen,
        indices=[min(block, last - 1)],
        return_prefix_tokens=True,
        output_fmt="NLC",
        intermediates_only=True,
    )
    tokens = torch.cat([prefix, patches], dim=1)
    if block == last:
        layer = model.blocks[last]
        values = layer.attn.qkv(layer.norm1(tokens)).chunk(3, dim=2)[2]
        tokens = layer.attn.proj(values)
    if norm:
        tokens = model.head(model.norm(tokens))
    grid = (seen.shape[2] // 16, seen.shape[3] // 16)
    return tokens[:, 1:].transpose(1, 2).unflatten(2, grid).contiguous()
