"""SAM and SAM 2: encoders trained to answer prompts with masks."""

from __future__ import annotations

from vfm_fusion.encoders.spec import EncoderSpec, HubWeights, OfficialWeights, Published

_SAM2_UNUSED = (
    "image_encoder.neck.*",
    "memory_attention.*",
    "memory_encoder.*",
    "sam_prompt_encoder.*",
    "sam_mask_decoder.*",
    "mask_downsample.*",
    "obj_ptr_proj.*",
    "obj_ptr_tpos_proj.*",
    "maskmem_tpos_enc",
    "no_mem_embed",
    "no_mem_pos_enc",
    "no_obj_ptr",
    "no_obj_embed_spatial",
)
"""The parts of SAM 2 behind its image trunk."""


def _sam2(name: str, channels: dict[int, int], timm_name: str, tag: str, filename: str) -> EncoderSpec:
    return EncoderSpec(
        name,
        family="hierarchical",
        channels=channels,
        size_divisor=32,
        timm_name=timm_name,
        unused=("head.*",),
        published=Published(
            pretraining="SA-1B and SA-V, promptable masks (SAM 2.1)",
            supervision="promptable masks",
            lineage="SAM",
            licence="Apache-2.0",
            hub=HubWeights(f"timm/{timm_name}.{tag}"),
            official=OfficialWeights(
                filename=filename,
                source=f"https://dl.fbaipublicfiles.com/segment_anything_2/092824/{filename}",
                unused=_SAM2_UNUSED,
                prefix="image_encoder.trunk.",
                options={"prefix": "image_encoder.trunk."},
            ),
        ),
    )


def _sam(name: str, channels: int, size: str, filename: str, hub: HubWeights | None = None) -> EncoderSpec:
    """SAM's ViTs differ in width and depth only."""
    timm_name = f"samvit_{size}_patch16"
    return EncoderSpec(
        name,
        family="sam",
        channels={16: channels},
        size_divisor=16,
        patch_size=16,
        fixed_fit="pad",
        timm_name=timm_name,
        unused=("neck.*", "head.*"),
        published=Published(
            pretraining="SA-1B, promptable masks (SAM)",
            supervision="promptable masks",
            lineage="SAM",
            licence="Apache-2.0",
            hub=hub or HubWeights(f"timm/{timm_name}.sa1b"),
            official=OfficialWeights(
                filename=filename,
                source=f"https://dl.fbaipublicfiles.com/segment_anything/{filename}",
                unused=("image_encoder.neck.*", "prompt_encoder.*", "mask_decoder.*"),
                prefix="image_encoder.",
            ),
        ),
    )


ENTRIES = (
    _sam(
        "sam_vitb16",
        768,
        "base",
        "sam_vit_b_01ec64.pth",
        HubWeights(
            "timm/samvit_base_patch16.sa1b",
            revision="c6db726d87cbba7788e026776b46c5db3aa1594b",
            sha256="31a9f4edc394c5ae7a96045576570189a354ada86094a5842bcc9a05a8939ea2",
        ),
    ),
    _sam("sam_vitl16", 1024, "large", "sam_vit_l_0b3195.pth"),
    _sam("sam_vith16", 1280, "huge", "sam_vit_h_4b8939.pth"),
    _sam2(
        "sam2_hiera_t",
        {4: 96, 8: 192, 16: 384, 32: 768},
        "sam2_hiera_tiny",
        "fb_r896_2pt1",
        "sam2.1_hiera_tiny.pt",
    ),
    _sam2(
        "sam2_hiera_s",
        {4: 96, 8: 192, 16: 384, 32: 768},
        "sam2_hiera_small",
        "fb_r896_2pt1",
        "sam2.1_hiera_small.pt",
    ),
    _sam2(
        "sam2_hiera_bplus",
        {4: 112, 8: 224, 16: 448, 32: 896},
        "sam2_hiera_base_plus",
        "fb_r896_2pt1",
        "sam2.1_hiera_base_plus.pt",
    ),
    _sam2(
        "sam2_hiera_l",
        {4: 144, 8: 288, 16: 576, 32: 1152},
        "sam2_hiera_large",
        "fb_r1024_2pt1",
        "sam2.1_hiera_large.pt",
    ),
)
