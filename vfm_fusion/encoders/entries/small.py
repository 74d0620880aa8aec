"""Small encoders: the miniatures of this project and the CNNs of the real-data experiment."""

from __future__ import annotations

from vfm_fusion.encoders.spec import HALF, EncoderSpec, Published

ENTRIES = (
    EncoderSpec(
        "mini_vit",
        family="vit",
        channels={16: 128},
        size_divisor=16,
        patch_size=16,
        positions="antialiased",
        timm_name="vit_tiny_patch16_224",
        options={"embed_dim": 128, "depth": 6, "num_heads": 4, "dynamic_img_size": True},
    ),
    EncoderSpec(
        "mini_hiera",
        family="hierarchical",
        channels={4: 24, 8: 48, 16: 96, 32: 192},
        size_divisor=32,
        timm_name="sam2_hiera_base_plus",
        options={
            "embed_dim": 24,
            "num_heads": 1,
            "stages": (1, 1, 2, 1),
            "global_att_blocks": (3,),
            "global_pos_size": (7, 7),
        },
    ),
    EncoderSpec(
        "mini_swin",
        family="hierarchical",
        channels={4: 24, 8: 48, 16: 96, 32: 192},
        size_divisor=32,
        timm_name="swin_tiny_patch4_window7_224",
        options={
            "embed_dim": 24,
            "depths": (1, 1, 2, 1),
            "num_heads": (1, 2, 4, 8),
            "window_size": 4,
            "strict_img_size": False,
        },
    ),
    EncoderSpec(
        "mobilenetv2_100",
        family="cnn",
        channels={4: 24, 8: 32, 16: 96, 32: 320},
        size_divisor=32,
        mean=HALF,
        std=HALF,
        timm_name="mobilenetv2_100",
        options={"pad_type": "same"},
        unused=("conv_head.*", "bn2.*", "classifier.*"),
        published=Published("ImageNet, supervised", "supervised", "MobileNet", "Apache-2.0"),
    ),
    EncoderSpec(
        "squeezenet1_0",
        family="squeezenet",
        channels={4: 256, 8: 512, 16: 512},
        size_divisor=32,
        unused=("classifier.*",),
        published=Published(
            "ImageNet, supervised",
            "supervised",
            "SqueezeNet",
            "BSD",
            page="https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
        ),
    ),
    EncoderSpec(
        "r2d2_n16",
        family="r2d2",
        channels={4: 128, 8: 128, 16: 128, 32: 128},
        size_divisor=32,
        options={"width": 4},
        unused=("clf.*", "sal.*"),
        published=Published(
            "local descriptors, self-supervised",
            "self-supervised",
            "R2D2",
            "CC BY-NC-SA 3.0",
            page="https://github.com/naver/r2d2 (models/r2d2_WASF_N16.pt)",
        ),
    ),
    EncoderSpec(
        "pidinet",
        family="pidinet",
        channels={4: 240, 8: 240, 16: 240, 32: 240},
        size_divisor=32,
        options={"width": 60},
        unused=("attentions.*", "classifier.*", "conv_reduces.*", "dilations.*"),
        published=Published(
            "BSDS500 and PASCAL contours, edge-supervised",
            "edge-supervised",
            "PiDiNet",
            "research only",
            page="https://github.com/hellozhuo/pidinet (converted by its own scripts)",
        ),
    ),
)
