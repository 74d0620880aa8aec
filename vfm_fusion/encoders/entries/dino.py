"""DINOv2 and DINOv3: plain ViTs, self-distilled without labels."""

from __future__ import annotations

from vfm_fusion.encoders.spec import EncoderSpec, HubWeights, OfficialWeights, Published


def _dinov3(name: str, channels: int, timm_name: str, hub: HubWeights, filename: str) -> EncoderSpec:
    """DINOv3's distilled ViTs differ in width and depth only; their query and value biases are all zero."""
    return EncoderSpec(
        name,
        family="vit",
        channels={16: channels},
        size_divisor=16,
        patch_size=16,
        timm_name=timm_name,
        published=Published(
            pretraining="LVD-1689M, self-supervised (DINOv3)",
            supervision="self-supervised",
            lineage="DINO",
            licence="DINOv3 License",
            hub=hub,
            official=OfficialWeights(
                filename=filename,
                source="https://github.com/facebookresearch/dinov3 (request form)",
                unused=("mask_token", "rope_embed.periods", "blocks.*.attn.qkv.bias_mask"),
                zero_biases=("blocks.*.attn.qkv.bias",),
                gated=True,
            ),
        ),
    )


ENTRIES = (
    EncoderSpec(
        "dinov2_vitb14",
        family="vit",
        channels={16: 768},
        size_divisor=16,
        patch_size=14,
        timm_name="vit_base_patch14_dinov2",
        options={"dynamic_img_size": True},
        published=Published(
            pretraining="LVD-142M, self-supervised (DINOv2)",
            supervision="self-supervised",
            lineage="DINO",
            licence="Apache-2.0",
            hub=HubWeights(
                "timm/vit_base_patch14_dinov2.lvd142m",
                revision="4685c99dabffe5affac90bd99dbffd25801ae58d",
                sha256="55cbb5d887b336d430e649c277b85a1429e724871f9d02ac16203235886d8c7b",
            ),
            official=OfficialWeights(
                filename="dinov2_vitb14_pretrain.pth",
                source="https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth",
                unused=("mask_token",),
            ),
        ),
    ),
    _dinov3(
        "dinov3_vitb16",
        768,
        "vit_base_patch16_dinov3",
        HubWeights(
            "timm/vit_base_patch16_dinov3.lvd1689m",
            revision="c6a5fb7d12bbd3cf3b0079253141c3332aaed7da",
            sha256="1f9ed8a2378d65e24bb710ba522ac9fa7be4e036d7aefb4384ce022833926332",
        ),
        "dinov3_vitb16_pretrain_lvd1689m-73cec8be.pth",
    ),
    _dinov3(
        "dinov3_vitl16",
        1024,
        "vit_large_patch16_dinov3",
        HubWeights(
            "timm/vit_large_patch16_dinov3.lvd1689m",
            revision="30c1109559f65dea34316b0d4842d35c5771fe11",
            sha256="45172f209c9583c40538afc26b60a07033e6fcc2e8c30228338e6b2e932e7941",
        ),
        "dinov3_vitl16_pretrain_lvd1689m-8aa4cbdd.pth",
    ),
)
