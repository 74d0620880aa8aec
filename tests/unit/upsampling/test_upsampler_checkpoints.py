"""Weights: files with the names and shapes that the authors publish, our own, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vfm_fusion.errors import ConfigError, WeightsError
from vfm_fusion.upsampling.build import build_upsampler

C = 8
Shapes = Iterator[tuple[str, tuple[int, ...]]]


def affine(name: str, *shape: int, bias: int | None = None) -> Shapes:
    yield f"{name}.weight", shape
    yield f"{name}.bias", (bias or shape[0],)


def batch_norm(name: str, width: int) -> Shapes:
    yield from affine(name, width)
    yield f"{name}.running_mean", (width,)
    yield f"{name}.running_var", (width,)
    yield f"{name}.num_batches_tracked", ()


def featup() -> Shapes:
    for stage in ("up1", "up2", "up3", "up4"):
        yield f"upsampler.{stage}.range_temp", ()
        yield f"upsampler.{stage}.sigma_spatial", ()
        yield from affine(f"upsampler.{stage}.range_proj.0", 32, 3, 1, 1)
        yield from affine(f"upsampler.{stage}.range_proj.3", 32, 32, 1, 1)
        yield from affine(f"upsampler.{stage}.fixup_proj.0", 49, 52, 1, 1)
        yield from affine(f"upsampler.{stage}.fixup_proj.3", 49, 49, 1, 1)
    yield from affine("upsampler.fixup_proj.1", C, C, 1, 1)
    yield from affine("model.1.norm", C)
    yield "model.0.model.cls_token", (1, 1, C)
    yield from affine("downsampler.attention_net.1", 1, C, 1, 1)
    yield "scale_net.net.weight", (1, C, 1, 1)


def lift() -> Shapes:
    for place, channels in ((0, 3), (3, 32)):
        yield from affine(f"module.image_convs_1.{place}", 32, channels, 3, 3)
        yield from batch_norm(f"module.image_convs_1.{place + 1}", 32)
    yield from affine("module.image_convs_2.0", 32, 32, 3, 3)
    yield from batch_norm("module.image_convs_2.1", 32)
    half = (C + 32) // 2
    yield from affine("module.up1.up", C + 32, half, 2, 2, bias=half)
    for place, channels in ((0, half + 32), (3, C // 2)):
        yield f"module.up1.conv_1.double_conv.{place}.weight", (C // 2, channels, 3, 3)
        yield from batch_norm(f"module.up1.conv_1.double_conv.{place + 1}", C // 2)
    yield from affine("module.outc", C, C // 2, 1, 1)


def loftup(norm: str) -> Shapes:
    width = C + 20
    yield from affine(norm, C)
    yield "upsampler.lr_pe.biases", (2, 2, 5)
    yield "upsampler.fourier_feat.1.biases", (2, 5, 20)
    yield from affine("upsampler.first_conv.0.norm", 203)
    for place, channels in ((1, 203), (4, width)):
        yield from affine(f"upsampler.first_conv.{place}", width, channels, 3, 3)
        yield from batch_norm(f"upsampler.first_conv.{place + 1}", width)
    yield from affine("upsampler.final_conv.0", C, width, 1, 1)
    yield from affine("upsampler.final_conv.1", C)
    yield from affine("upsampler.ca_transformer.norm", width)
    for layer in range(2):
        start = f"upsampler.ca_transformer.layers.{layer}"
        yield from affine(f"{start}.0.norm_q", width)
        yield from affine(f"{start}.0.norm_kv", width)
        yield f"{start}.0.attention.in_proj_weight", (3 * width, width)
        yield f"{start}.0.attention.in_proj_bias", (3 * width,)
        yield from affine(f"{start}.0.attention.out_proj", width, width)
        yield from affine(f"{start}.1.net.0", width)
        yield from affine(f"{start}.1.net.1", C, width)
        yield from affine(f"{start}.1.net.4", width, C)


def anyup_block(name: str) -> Shapes:
    for place in (0, 3):
        yield from affine(f"{name}.block.{place}", 128)
        yield f"{name}.block.{place + 2}.weight", (128, 128, 1, 1)


def jafar_block(name: str) -> Shapes:
    for number in (1, 2):
        yield from affine(f"{name}.norm{number}", 128)
        yield f"{name}.conv{number}.weight", (128, 128, 1, 1)


def anyup() -> Shapes:
    for name, channels, kernel in (
        ("image_encoder", 3, 1),
        ("key_encoder", 128, 1),
        ("query_encoder", 128, 1),
        ("aggregation", 256, 3),
    ):
        yield f"{name}.0.weight", (128, channels, kernel, kernel)
        yield from anyup_block(f"{name}.1")
        yield from anyup_block(f"{name}.2")
    yield "key_features_encoder.0.basis", (128, 1, 5, 5)
    yield from anyup_block("key_features_encoder.1")
    yield from anyup_block("key_features_encoder.2")
    yield "cross_decode.cross_attn.norm_q.weight", (128,)
    yield "cross_decode.cross_attn.norm_k.weight", (128,)
    yield "cross_decode.cross_attn.attention.in_proj_weight", (384, 128)
    yield "cross_decode.cross_attn.attention.in_proj_bias", (384,)
    yield from affine("cross_decode.cross_attn.attention.out_proj", 128, 128)
    yield "cross_decode.conv2d.weight", (128, 128, 3, 3)
    yield "rope.freqs", (2, 128)


def jafar() -> Shapes:
    for name, channels in (
        ("image_encoder", 3),
        ("key_encoder", 128),
        ("query_encoder", 128),
        ("key_features_encoder", C),
    ):
        yield f"{name}.0.weight", (128, channels, 1, 1)
        yield from jafar_block(f"{name}.1")
        yield from jafar_block(f"{name}.2")
    start = "cross_decode.cross_attn"
    for name, width in (("norm_q", 128), ("norm_k", 128), ("norm_v", C)):
        yield f"{start}.{name}.weight", (width,)
    for name, width in (("q", 128), ("k", 128), ("v", C)):
        yield f"{start}.attention.{name}_proj_weight", (128, width)
    yield f"{start}.attention.in_proj_bias", (384,)
    yield from affine(f"{start}.attention.out_proj", 128, 128)
    yield "cross_decode.conv2d.weight", (128, 128, 3, 3)
    yield "sft_key.gamma.weight", (128, 128, 1, 1)
    yield "sft_key.beta.weight", (128, 128, 1, 1)
    yield "rope.freqs", (2, 128)


def naf() -> Shapes:
    for name, kernel in (("encoder", 1), ("sem_encoder", 3)):
        yield from affine(f"image_encoder.{name}.0", 128, 3, kernel, kernel)
        for block in (1, 2):
            for number in (1, 2):
                yield from affine(f"image_encoder.{name}.{block}.norm{number}", 128)
                yield from affine(f"image_encoder.{name}.{block}.conv{number}", 128, 128, kernel, kernel)
    yield "image_encoder.rope.periods", (16,)


def uplift() -> Shapes:
    for block, (before, after) in enumerate(((3, 16), (16, 32), (32, 64), (64, 128), (128, 128))):
        start = f"encoder.block_{block}.blocks.0.conv"
        yield f"{start}.0.weight", (after, before, 3, 3)
        yield from batch_norm(f"{start}.1", after)
        yield from affine(f"{start}.3", after, after, 1, 1)
    for block, channels in ((0, C + 128), (1, 64 + 128)):
        start = f"decoder.block_{block}.blocks.0.conv"
        yield f"{start}.0.weight", (64, channels, 3, 3)
        yield from batch_norm(f"{start}.1", 64)
        yield f"{start}.3.weight", (64, 64, 3, 3)
        yield from batch_norm(f"{start}.4", 64)
        yield from affine(f"{start}.6", 64, 64, 1, 1)
    yield from affine("decoder.up_1.up", 64, 64, 2, 2)
    yield from affine("attender.conv1", 17, 64, 1, 1)


RELEASED = {
    "jbu": (featup, "state_dict"),
    "lift": (lift, None),
    "loftup": (lambda: loftup("model.1.norm"), "state_dict"),
    "loftup, from the hub": (lambda: loftup("channelnorm.norm"), None),
    "anyup": (anyup, None),
    "jafar": (jafar, "jafar"),
    "naf": (naf, None),
    "uplift": (uplift, None),
}
"""Names and shapes, and the entry of the file that holds them."""

OTHERS = ("model.0.", "downsampler.", "scale_net.")
"""What is no part of an upsampler."""

PLACES = {
    "jbu": {
        "upsampler.up1.range_proj.3.bias": "stages.0.project.3.bias",
        "upsampler.up4.fixup_proj.0.weight": "stages.3.correct.0.weight",
        "upsampler.up2.range_temp": "stages.1.temperature",
        "upsampler.fixup_proj.1.bias": "mix.1.bias",
        "model.1.norm.bias": "norm.bias",
    },
    "lift": {
        "module.image_convs_1.3.bias": "fine.3.bias",
        "module.up1.conv_1.double_conv.4.running_var": "merge.4.running_var",
    },
    "loftup": {
        "upsampler.lr_pe.biases": "place_phases",
        "upsampler.first_conv.5.running_mean": "second.1.running_mean",
        "upsampler.ca_transformer.layers.1.0.norm_kv.bias": "layers.1.norm_kv.bias",
        "upsampler.ca_transformer.layers.0.1.net.4.bias": "layers.0.feed.3.bias",
    },
    "anyup": {
        "query_encoder.1.block.3.bias": "query.blocks.0.norm2.bias",
        "key_features_encoder.2.block.5.weight": "unified.1.conv2.weight",
        "aggregation.2.block.2.weight": "semantic.blocks.1.conv1.weight",
        "cross_decode.cross_attn.norm_k.weight": "attention.norm_k.weight",
    },
    "jafar": {
        "key_encoder.2.norm1.weight": "key.blocks.1.norm1.weight",
        "key_features_encoder.1.conv2.weight": "semantic.blocks.0.conv2.weight",
        "sft_key.beta.weight": "beta.weight",
        "rope.freqs": "positions.freqs",
    },
    "naf": {
        "image_encoder.encoder.2.conv1.bias": "point.blocks.1.conv1.bias",
        "image_encoder.sem_encoder.0.weight": "local.stem.weight",
        "image_encoder.rope.periods": "periods",
    },
    "uplift": {
        "encoder.block_3.blocks.0.conv.1.running_mean": "image.3.1.running_mean",
        "decoder.block_1.blocks.0.conv.4.bias": "high.4.bias",
        "decoder.up_1.up.bias": "doubling.bias",
    },
}
"""Where some of them belong."""


def tensors_of(shapes: Shapes) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator)
        if shape or "num_batches" not in name
        else torch.tensor(7)
        for name, shape in shapes
    }


def write(folder: Path, tensors: dict[str, Tensor], entry: str | None) -> Path:
    path = folder / "weights.pth"
    torch.save(tensors if entry is None else {entry: tensors, "epoch": 3}, path)
    return path


@pytest.mark.parametrize("case", RELEASED)
def test_released_files_are_read_whole_and_every_tensor_in_its_place(case: str, tmp_path: Path) -> None:
    (shapes, entry), name = RELEASED[case], case.split(",")[0]
    tensors = tensors_of(shapes())
    settings = {"input_norm": True} if name == "jbu" else {}
    upsampler = build_upsampler(name, C, write(tmp_path, tensors, entry), **settings)
    own = upsampler.state_dict()
    used = {key: value for key, value in tensors.items() if not key.startswith(OTHERS)}
    assert len(own) == len(used)
    left = list(used.values())
    for key, value in own.items():
        same = [
            i for i, tensor in enumerate(left) if tensor.shape == value.shape and torch.equal(tensor, value)
        ]
        assert same, key
        del left[same[0]]
    for theirs, ours in PLACES[name].items():
        assert torch.equal(own[ours], tensors[theirs])
    assert not upsampler.training
    assert not any(parameter.requires_grad for parameter in upsampler.parameters())


def test_featup_without_its_norm_leaves_the_norms_weights_out(tmp_path: Path) -> None:
    tensors = tensors_of(featup())
    upsampler = build_upsampler("jbu", C, write(tmp_path, tensors, "state_dict"))
    assert upsampler.norm is None
    bare = {key: value for key, value in tensors.items() if not key.startswith("model.1.")}
    with pytest.raises(WeightsError, match=r"missing: norm.bias, norm.weight;"):
        build_upsampler("jbu", C, write(tmp_path, bare, "state_dict"), input_norm=True)


def test_an_entry_that_was_saved_alone_is_read(tmp_path: Path) -> None:
    """As a user must who has found that the authors' file holds settings beside its tensors."""
    tensors = tensors_of(jafar())
    upsampler = build_upsampler("jafar", C, write(tmp_path, tensors, None))
    assert torch.equal(upsampler.positions.freqs, tensors["rope.freqs"])


@pytest.mark.parametrize("name", PLACES)
def test_our_own_files_reproduce_the_upsampler(name: str, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    upsampler = build_upsampler(name, C)
    save_file(upsampler.state_dict(), path)
    again = build_upsampler(name, C, path)
    assert all(torch.equal(value, upsampler.state_dict()[key]) for key, value in again.state_dict().items())


def test_files_that_do_not_fit_are_refused_with_their_keys(tmp_path: Path) -> None:
    tensors = tensors_of(naf())
    tensors["image_encoder.encoder.3.conv1.weight"] = torch.ones(1)
    del tensors["image_encoder.sem_encoder.0.bias"]
    tensors["image_encoder.encoder.0.weight"] = torch.ones(64, 3, 1, 1)
    tensors["image_encoder.encoder.1.norm2.bias"] = torch.full((128,), torch.nan)
    with pytest.raises(WeightsError) as caught:
        build_upsampler("naf", C, write(tmp_path, tensors, None))
    message = str(caught.value)
    assert "no weights of NAF for 8 channels" in message
    assert "unknown: image_encoder.encoder.3.conv1.weight;" in message
    assert "missing: local.stem.bias;" in message
    assert "of another shape: point.stem.weight (64, 3, 1, 1) instead of (128, 3, 1, 1);" in message
    assert "not finite: point.blocks.0.norm2.bias;" in message


def test_two_tensors_for_one_place_are_refused(tmp_path: Path) -> None:
    tensors = tensors_of(loftup("model.1.norm"))
    tensors["channelnorm.norm.weight"] = torch.ones(C)
    with pytest.raises(WeightsError, match=r"twice: channelnorm.norm.weight;"):
        build_upsampler("loftup", C, write(tmp_path, tensors, "state_dict"))


def test_weights_of_other_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights of LiFT for 16 channels; of another shape: "):
        build_upsampler("lift", 16, write(tmp_path, tensors_of(lift()), None))


def test_a_missing_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"github.com/wimmerth/anyup \(CC-BY-4.0\)"):
        build_upsampler("anyup", C, tmp_path / "none.pth")
    with pytest.raises(ConfigError, match="'bilinear' has no parameters"):
        build_upsampler("bilinear", C, tmp_path / "none.pth")
