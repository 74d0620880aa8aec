"""Checkpoints with the key names and shapes that the authors publish, for the encoders of ``encoder_zoo``.

Read off the model definitions in the authors' public repositories (dinov2, dinov3, segment-anything, sam2,
CLIP).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor

WIDTH, DEPTH, HEADS = 48, 2, 2
Shapes = Iterator[tuple[str, tuple[int, ...]]]


def filled(shapes: Shapes) -> dict[str, Tensor]:
    """Gives every tensor values of its own."""
    generator = torch.Generator().manual_seed(7)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes}


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _block(name: str, width: int, mlp: tuple[str, str], out: int | None = None) -> Shapes:
    out = out or width
    yield from _norm(f"{name}.norm1", width)
    yield from _linear(f"{name}.attn.qkv", width, 3 * out)
    yield from _linear(f"{name}.attn.proj", out, out)
    yield from _norm(f"{name}.norm2", out)
    yield from _linear(f"{name}.mlp.{mlp[0]}", out, 4 * out)
    yield from _linear(f"{name}.mlp.{mlp[1]}", 4 * out, out)


def _patches(name: str, width: int, side: int) -> Shapes:
    yield f"{name}.weight", (width, 3, side, side)
    yield f"{name}.bias", (width,)


def _dino_blocks() -> Shapes:
    for i in range(DEPTH):
        yield from _block(f"blocks.{i}", WIDTH, ("fc1", "fc2"))
        yield f"blocks.{i}.ls1.gamma", (WIDTH,)
        yield f"blocks.{i}.ls2.gamma", (WIDTH,)


def dinov2() -> dict[str, Tensor]:
    """``dinov2_vitb14_pretrain.pth``: trained at 518 x 518, so 37 x 37 patches and the class token."""

    def shapes() -> Shapes:
        yield "cls_token", (1, 1, WIDTH)
        yield "pos_embed", (1, 1 + 37 * 37, WIDTH)
        yield "mask_token", (1, WIDTH)
        yield from _patches("patch_embed.proj", WIDTH, 14)
        yield from _dino_blocks()
        yield from _norm("norm", WIDTH)

    return filled(shapes())


def dinov2_registers() -> dict[str, Tensor]:
    """``dinov2_vits14_reg4_pretrain.pth``: four register tokens, which have no place in the positions."""
    return dinov2() | filled(iter([("register_tokens", (1, 4, WIDTH))]))


def dinov3_convnext() -> dict[str, Tensor]:
    """``dinov3_convnext_tiny_pretrain_lvd1689m-*.pth``: the last norm stands there twice."""
    widths, depths = (16, 32, 64, 128), (1, 1, 2, 1)

    def shapes() -> Shapes:
        yield from _patches("downsample_layers.0.0", widths[0], 4)
        yield from _norm("downsample_layers.0.1", widths[0])
        for i in range(1, 4):
            yield from _norm(f"downsample_layers.{i}.0", widths[i - 1])
            yield f"downsample_layers.{i}.1.weight", (widths[i], widths[i - 1], 2, 2)
            yield f"downsample_layers.{i}.1.bias", (widths[i],)
        for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for name in (f"stages.{i}.{j}" for j in range(depth)):
                yield f"{name}.gamma", (width,)
                yield f"{name}.dwconv.weight", (width, 1, 7, 7)
                yield f"{name}.dwconv.bias", (width,)
                yield from _norm(f"{name}.norm", width)
                yield from _linear(f"{name}.pwconv1", width, 4 * width)
                yield from _linear(f"{name}.pwconv2", 4 * width, width)
        yield from _norm("norm", widths[-1])
        yield from _norm("norms.3", widths[-1])

    return filled(shapes())


def dinov3(swiglu: int | None = None) -> dict[str, Tensor]:
    """``dinov3_vitb16_pretrain_lvd1689m-*.pth``: masked key biases, four storage tokens, bfloat16 periods.

    Args:
        swiglu: width of the gated MLP of the `plus` models.
    """

    def shapes() -> Shapes:
        yield "cls_token", (1, 1, WIDTH)
        yield "storage_tokens", (1, 4, WIDTH)
        yield "mask_token", (1, WIDTH)
        yield "rope_embed.periods", (WIDTH // HEADS // 4,)
        yield from _patches("patch_embed.proj", WIDTH, 16)
        yield from _dino_blocks()
        yield from _norm("norm", WIDTH)

    tensors = filled(shapes())
    if swiglu:
        tensors = {key: value for key, value in tensors.items() if ".mlp." not in key}
        gated = [_linear(f"blocks.{i}.mlp.{w}", WIDTH, swiglu) for i in range(DEPTH) for w in ("w1", "w2")]
        back = [_linear(f"blocks.{i}.mlp.w3", swiglu, WIDTH) for i in range(DEPTH)]
        tensors |= filled(chain(*gated, *back))
    tensors["rope_embed.periods"] = tensors["rope_embed.periods"].bfloat16()
    for i in range(DEPTH):
        tensors[f"blocks.{i}.attn.qkv.bias"] = torch.zeros(3 * WIDTH)
        tensors[f"blocks.{i}.attn.qkv.bias_mask"] = torch.tensor([1.0, 0.0, 1.0]).repeat_interleave(WIDTH)
    return tensors


def sam() -> dict[str, Tensor]:
    """``sam_vit_b_01ec64.pth``: the image encoder with its neck, and the two other parts."""
    head = WIDTH // HEADS

    def shapes() -> Shapes:
        yield "image_encoder.pos_embed", (1, 64, 64, WIDTH)
        yield from _patches("image_encoder.patch_embed.proj", WIDTH, 16)
        for i, window in enumerate((14, 64)):
            yield from _block(f"image_encoder.blocks.{i}", WIDTH, ("lin1", "lin2"))
            yield f"image_encoder.blocks.{i}.attn.rel_pos_h", (2 * window - 1, head)
            yield f"image_encoder.blocks.{i}.attn.rel_pos_w", (2 * window - 1, head)
        yield "image_encoder.neck.0.weight", (256, WIDTH, 1, 1)
        yield from _norm("image_encoder.neck.1", 256)
        yield "image_encoder.neck.2.weight", (256, 256, 3, 3)
        yield from _norm("image_encoder.neck.3", 256)
        yield "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", (2, 128)
        yield "prompt_encoder.point_embeddings.0.weight", (1, 256)
        yield "prompt_encoder.no_mask_embed.weight", (1, 256)
        yield "mask_decoder.iou_token.weight", (1, 256)
        yield "mask_decoder.mask_tokens.weight", (4, 256)
        yield from _linear("mask_decoder.transformer.layers.0.self_attn.q_proj", 256, 256)

    return filled(shapes())


def sam2() -> dict[str, dict[str, Tensor]]:
    """``sam2.1_hiera_base_plus.pt``: the trunk under ``model``, and what SAM 2 has behind it."""
    trunk = "image_encoder.trunk"

    def shapes() -> Shapes:
        yield f"{trunk}.pos_embed", (1, 16, 7, 7)
        yield f"{trunk}.pos_embed_window", (1, 16, 8, 8)
        yield from _patches(f"{trunk}.patch_embed.proj", 16, 7)
        for i, (width, out) in enumerate(zip((16, 16, 32, 64, 64), (16, 32, 64, 64, 128), strict=True)):
            yield from _block(f"{trunk}.blocks.{i}", width, ("layers.0", "layers.1"), out)
            if width != out:
                yield from _linear(f"{trunk}.blocks.{i}.proj", width, out)
        yield from _patches("image_encoder.neck.convs.0.conv", 256, 1)
        yield from _linear("memory_attention.layers.0.linear1", 256, 2048)
        yield "memory_encoder.fuser.layers.0.gamma", (256,)
        yield "sam_prompt_encoder.no_mask_embed.weight", (1, 256)
        yield "sam_mask_decoder.iou_token.weight", (1, 256)
        yield from _patches("mask_downsample", 1, 4)
        yield from _linear("obj_ptr_proj.layers.0", 256, 256)
        yield from _linear("obj_ptr_tpos_proj", 256, 64)
        yield "maskmem_tpos_enc", (7, 1, 1, 64)
        yield "no_mem_embed", (1, 1, 256)
        yield "no_mem_pos_enc", (1, 1, 256)
        yield "no_obj_ptr", (1, 256)
        yield "no_obj_embed_spatial", (1, 64)

    return {"model": filled(shapes())}


def clip(projected: int = 32) -> dict[str, Tensor]:
    """``ViT-B-16.pt``, the state dict of its TorchScript: the image tower, the text's, and three sizes.

    Args:
        projected: width of the space that images and text share.
    """

    def tower(name: str, width: int) -> Shapes:
        for block in (f"{name}.resblocks.{i}" for i in range(DEPTH)):
            yield f"{block}.attn.in_proj_weight", (3 * width, width)
            yield f"{block}.attn.in_proj_bias", (3 * width,)
            yield from _linear(f"{block}.attn.out_proj", width, width)
            yield from _norm(f"{block}.ln_1", width)
            yield from _linear(f"{block}.mlp.c_fc", width, 4 * width)
            yield from _linear(f"{block}.mlp.c_proj", 4 * width, width)
            yield from _norm(f"{block}.ln_2", width)

    def shapes() -> Shapes:
        yield "positional_embedding", (77, 16)
        yield "text_projection", (16, projected)
        yield "logit_scale", ()
        yield "visual.class_embedding", (WIDTH,)
        yield "visual.positional_embedding", (1 + 14 * 14, WIDTH)
        yield "visual.proj", (WIDTH, projected)
        yield "visual.conv1.weight", (WIDTH, 3, 16, 16)
        yield from _norm("visual.ln_pre", WIDTH)
        yield from tower("visual.transformer", WIDTH)
        yield from _norm("visual.ln_post", WIDTH)
        yield from tower("transformer", 16)
        yield "token_embedding.weight", (20, 16)
        yield from _norm("ln_final", 16)

    sizes = {"input_resolution": 224, "context_length": 77, "vocab_size": 20}
    return filled(shapes()) | {name: torch.tensor(size) for name, size in sizes.items()}
