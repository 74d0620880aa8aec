"""Encoders distilled from several others: C-RADIO."""

from __future__ import annotations

from vfm_fusion.encoders.spec import CLIP_MEAN, CLIP_STD, EncoderSpec, HubWeights, Published


def _c_radio(name: str, channels: int, size: str) -> EncoderSpec:
    """timm keeps the position embedding of 512 x 512 pixels, and not the larger one that it is cut from."""
    timm_name = f"vit_{size}_patch16_radio_v3"
    return EncoderSpec(
        name,
        family="vit",
        channels={16: channels},
        size_divisor=16,
        patch_size=16,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        positions="antialiased",
        timm_name=timm_name,
        options={"dynamic_img_size": True},
        published=Published(
            pretraining="distilled from several foundation models (C-RADIOv3)",
            supervision=None,
            lineage="RADIO",
            licence="NVIDIA Open Model License",
            hub=HubWeights(f"timm/{timm_name}.c_radio"),
        ),
    )


ENTRIES = (_c_radio("c_radio_v3_b", 768, "base"), _c_radio("c_radio_v3_l", 1024, "large"))
