"""Encoders trained on class labels."""

from __future__ import annotations

from vfm_fusion.encoders.spec import EncoderSpec, HubWeights, Published

ENTRIES = (
    EncoderSpec(
        "swin_b",
        family="hierarchical",
        channels={4: 128, 8: 256, 16: 512, 32: 1024},
        size_divisor=32,
        timm_name="swin_base_patch4_window12_384",
        options={"strict_img_size": False},
        unused=("norm.*", "head.*"),
        published=Published(
            pretraining="ImageNet-22k, supervised",
            supervision="supervised",
            lineage="Swin",
            licence="MIT",
            hub=HubWeights("timm/swin_base_patch4_window12_384.ms_in22k"),
        ),
    ),
)
