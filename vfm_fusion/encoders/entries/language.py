"""Image towers trained with captions: CLIP, as it is and as MaskCLIP reads it, SigLIP 2, EVA-02-CLIP."""

from __future__ import annotations

from vfm_fusion.encoders.spec import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    EncoderSpec,
    HubWeights,
    OfficialWeights,
    Published,
)

_OPENAI = "https://openaipublic.azureedge.net/clip/models"
_CLIP_TEXT = (
    *("transformer.*", "token_embedding.weight", "positional_embedding", "ln_final.*", "text_projection"),
    *("logit_scale", "input_resolution", "context_length", "vocab_size"),
)


def _clip(name: str, family: str, channels: int, unused: tuple[str, ...]) -> EncoderSpec:
    return EncoderSpec(
        name,
        family=family,
        channels={16: channels},
        size_divisor=16,
        patch_size=16,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        positions="antialiased",
        timm_name="vit_base_patch16_clip_quickgelu_224",
        options={"dynamic_img_size": True},
        unused=unused,
        published=Published(
            pretraining="WIT-400M captions, language-supervised (CLIP)",
            supervision="language-supervised",
            lineage="CLIP",
            licence="MIT",
            hub=HubWeights(
                "timm/vit_base_patch16_clip_224.openai", revision="977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d"
            ),
            official=OfficialWeights(
                filename="ViT-B-16.pt",
                source=f"{_OPENAI}/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
                unused=_CLIP_TEXT,
                prefix="visual.",
            ),
        ),
    )


def _eva02(name: str, channels: int, patch_size: int, timm_name: str, tag: str) -> EncoderSpec:
    return EncoderSpec(
        name,
        family="vit",
        channels={16: channels},
        size_divisor=16,
        patch_size=patch_size,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        timm_name=timm_name,
        options={"dynamic_img_size": True},
        unused=("head.*",),
        published=Published(
            pretraining="Merged-2B captions, language-supervised (EVA-02-CLIP)",
            supervision="language-supervised",
            lineage="CLIP",
            licence="MIT",
            hub=HubWeights(f"timm/{timm_name}.{tag}"),
        ),
    )


ENTRIES = (
    _clip("clip_vitb16", "vit", 768, unused=("head.*",)),
    _clip("maskclip_vitb16", "maskclip", 512, unused=("blocks.11.norm2.*", "blocks.11.mlp.*")),
    EncoderSpec(
        "siglip2_vitb16",
        family="vit",
        channels={16: 768},
        size_divisor=16,
        patch_size=16,
        mean=HALF,
        std=HALF,
        positions="antialiased",
        timm_name="vit_base_patch16_siglip_512",
        options={"dynamic_img_size": True},
        unused=("attn_pool.*", "head.*"),
        published=Published(
            pretraining="WebLI captions, language-supervised (SigLIP 2)",
            supervision="language-supervised",
            lineage="SigLIP",
            licence="Apache-2.0",
            hub=HubWeights("timm/vit_base_patch16_siglip_512.v2_webli"),
        ),
    ),
    _eva02("eva02_clip_b16", 768, 16, "eva02_base_patch16_clip_224", "merged2b"),
    _eva02("eva02_clip_l14", 1024, 14, "eva02_large_patch14_clip_336", "merged2b"),
)
