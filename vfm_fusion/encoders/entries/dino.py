"""DINOv2 and DINOv3: plain ViTs and ConvNeXts, self-distilled without labels."""

from __future__ import annotations

from vfm_fusion.config.encoders import Positions
from vfm_fusion.encoders.spec import EncoderSpec, HubWeights, OfficialWeights, Published

_DINOV2_FILES = "https://dl.fbaipublicfiles.com/dinov2"
_DINOV3_FORM = "https://github.com/facebookresearch/dinov3 (request form)"


def _dinov2(
    name: str, channels: int, timm_name: str, hub: HubWeights | None = None, registers: bool = False
) -> EncoderSpec:
    """The hub of DINOv2 resizes positions with an offset, those of its models with registers antialiased."""
    positions: Positions = "antialiased" if registers else "offset"
    stem = f"{name}4" if registers else name
    return EncoderSpec(
        name,
        family="vit",
        channels={16: channels},
        size_divisor=16,
        patch_size=14,
        positions=positions,
        timm_name=timm_name,
        options={"dynamic_img_size": True},
        published=Published(
            pretraining="LVD-142M, self-supervised (DINOv2)",
            supervision="self-supervised",
            lineage="DINO",
            licence="Apache-2.0",
            hub=hub or HubWeights(f"timm/{timm_name}.lvd142m"),
            official=OfficialWeights(
                filename=f"{stem}_pretrain.pth",
                source=f"{_DINOV2_FILES}/{name.removesuffix('_reg')}/{stem}_pretrain.pth",
                unused=("mask_token",),
                positions_with_class=registers,
            ),
        ),
    )


def _dinov3_weights(timm_name: str, hub: HubWeights | None, official: OfficialWeights) -> Published:
    return Published(
        pretraining="LVD-1689M, self-supervised (DINOv3)",
        supervision="self-supervised",
        lineage="DINO",
        licence="DINOv3 License",
        hub=hub or HubWeights(f"timm/{timm_name}.lvd1689m"),
        official=official,
    )


def _dinov3(
    name: str, channels: int, timm_name: str, checksum: str, hub: HubWeights | None = None
) -> EncoderSpec:
    """DINOv3's distilled ViTs differ in width, depth and MLP; their query and value biases are all zero."""
    return EncoderSpec(
        name,
        family="vit",
        channels={16: channels},
        size_divisor=16,
        patch_size=16,
        timm_name=timm_name,
        published=_dinov3_weights(
            timm_name,
            hub,
            OfficialWeights(
                filename=f"{name}_pretrain_lvd1689m-{checksum}.pth",
                source=_DINOV3_FORM,
                unused=("mask_token", "rope_embed.periods", "blocks.*.attn.qkv.bias_mask"),
                zero_biases=("blocks.*.attn.qkv.bias",),
                gated=True,
            ),
        ),
    )


def _dinov3_convnext(size: str, widths: tuple[int, int, int, int], checksum: str) -> EncoderSpec:
    """Stages of a ConvNeXt without the norm behind the last of them."""
    return EncoderSpec(
        f"dinov3_convnext_{size}",
        family="hierarchical",
        channels=dict(zip((4, 8, 16, 32), widths, strict=True)),
        size_divisor=32,
        timm_name=f"convnext_{size}",
        unused=("head.*",),
        published=_dinov3_weights(
            f"convnext_{size}",
            HubWeights(f"timm/convnext_{size}.dinov3_lvd1689m"),
            OfficialWeights(
                filename=f"dinov3_convnext_{size}_pretrain_lvd1689m-{checksum}.pth",
                source=_DINOV3_FORM,
                unused=("norm.*", "norms.*"),
                gated=True,
            ),
        ),
    )


ENTRIES = (
    _dinov2("dinov2_vits14", 384, "vit_small_patch14_dinov2"),
    _dinov2(
        "dinov2_vitb14",
        768,
        "vit_base_patch14_dinov2",
        HubWeights(
            "timm/vit_base_patch14_dinov2.lvd142m",
            revision="4685c99dabffe5affac90bd99dbffd25801ae58d",
            sha256="55cbb5d887b336d430e649c277b85a1429e724871f9d02ac16203235886d8c7b",
        ),
    ),
    _dinov2("dinov2_vitl14", 1024, "vit_large_patch14_dinov2"),
    _dinov2("dinov2_vits14_reg", 384, "vit_small_patch14_reg4_dinov2", registers=True),
    _dinov2("dinov2_vitb14_reg", 768, "vit_base_patch14_reg4_dinov2", registers=True),
    _dinov2("dinov2_vitl14_reg", 1024, "vit_large_patch14_reg4_dinov2", registers=True),
    _dinov3("dinov3_vits16", 384, "vit_small_patch16_dinov3", "08c60483"),
    _dinov3("dinov3_vits16plus", 384, "vit_small_plus_patch16_dinov3", "4057cbaa"),
    _dinov3(
        "dinov3_vitb16",
        768,
        "vit_base_patch16_dinov3",
        "73cec8be",
        HubWeights(
            "timm/vit_base_patch16_dinov3.lvd1689m",
            revision="c6a5fb7d12bbd3cf3b0079253141c3332aaed7da",
            sha256="1f9ed8a2378d65e24bb710ba522ac9fa7be4e036d7aefb4384ce022833926332",
        ),
    ),
    _dinov3(
        "dinov3_vitl16",
        1024,
        "vit_large_patch16_dinov3",
        "8aa4cbdd",
        HubWeights(
            "timm/vit_large_patch16_dinov3.lvd1689m",
            revision="30c1109559f65dea34316b0d4842d35c5771fe11",
            sha256="45172f209c9583c40538afc26b60a07033e6fcc2e8c30228338e6b2e932e7941",
        ),
    ),
    _dinov3_convnext("tiny", (96, 192, 384, 768), "21b726bb"),
    _dinov3_convnext("small", (96, 192, 384, 768), "296db49d"),
    _dinov3_convnext("base", (128, 256, 512, 1024), "801f2ba9"),
    _dinov3_convnext("large", (192, 384, 768, 1536), "61fa432d"),
)
