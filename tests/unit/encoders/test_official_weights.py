"""Official checkpoints of DINOv2, DINOv3, SAM and SAM 2 land in timm's models, tensor by tensor."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import official_checkpoints as official
import pytest
import torch
from encoder_zoo import TINY
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig, FileWeights
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.weight_files import weight_file
from vfm_fusion.errors import WeightsError

CHECKPOINTS: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, str]]] = {
    "dinov2_vitb14": (official.dinov2, {}),
    "dinov3_vitb16": (
        official.dinov3,
        {"ls1.gamma": "gamma_1", "ls2.gamma": "gamma_2", "storage_tokens": "reg_token"},
    ),
    "dinov3_vits16plus": (
        lambda: official.dinov3(swiglu=192),
        {
            "ls1.gamma": "gamma_1",
            "ls2.gamma": "gamma_2",
            "storage_tokens": "reg_token",
            "mlp.w1": "mlp.fc1_g",
            "mlp.w2": "mlp.fc1_x",
            "mlp.w3": "mlp.fc2",
        },
    ),
    "sam_vitb16": (official.sam, {"image_encoder.": "", "mlp.lin": "mlp.fc"}),
    "sam2_hiera_bplus": (
        official.sam2,
        {"image_encoder.trunk.": "", "mlp.layers.0": "mlp.fc1", "mlp.layers.1": "mlp.fc2"},
    ),
}
"""Architecture -> its official checkpoint in tiny, and how its names differ from timm's."""


@pytest.fixture(autouse=True)
def zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in TINY:
        monkeypatch.setitem(ARCHITECTURES, spec.architecture, spec)


def config(name: str, path: Path) -> EncoderConfig:
    weights = FileWeights(source="file", path=str(path), format="official")
    return EncoderConfig(architecture=f"tiny_{name}", weights=weights)


def unwrapped(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    return checkpoint.get("model", checkpoint)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_tensor_lands_where_its_name_says(name: str, tmp_path: Path) -> None:
    make, renames = CHECKPOINTS[name]
    checkpoint = make()
    torch.save(checkpoint, tmp_path / "official.pth")
    encoder = build_encoder(config(name, tmp_path / "official.pth"))
    own = encoder.model.state_dict()
    placed = set()
    for key, value in unwrapped(checkpoint).items():
        for old, new in renames.items():
            key = key.replace(old, new)
        if key in own:
            assert torch.equal(own[key], value), key
            placed.add(key)
    assert placed == set(own)
    with torch.inference_mode():
        maps = encoder(torch.rand(1, 3, 64, 96))
    assert all(torch.isfinite(feature).all() for feature in maps.values())
    assert describe_pretraining(config(name, tmp_path)) == ARCHITECTURES[name].published.pretraining


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda tensors, key: tensors.pop(key), "missing"),
        (lambda tensors, key: tensors.update({"head.weight": torch.zeros(2)}), "unknown.*head.weight"),
        (lambda tensors, key: tensors.update({key: torch.zeros(5, 48)}), r"patch_embed\.proj\.bias"),
    ],
    ids=["a key is missing", "an undeclared key", "another shape"],
)
def test_what_does_not_fit_is_refused_by_key(
    name: str, harm: Callable[[dict[str, Tensor], str], None], message: str, tmp_path: Path
) -> None:
    checkpoint = CHECKPOINTS[name][0]()
    key = next(key for key in unwrapped(checkpoint) if key.endswith("patch_embed.proj.bias"))
    harm(unwrapped(checkpoint), key)
    torch.save(checkpoint, tmp_path / "official.pth")
    with pytest.raises(WeightsError, match=message):
        build_encoder(config(name, tmp_path / "official.pth"))


def test_registers_leave_no_place_for_the_class_token_in_the_positions(tmp_path: Path) -> None:
    """What DINOv2 adds to its class token in every pass, the model has in its class token."""
    checkpoint = official.dinov2_registers()
    torch.save(checkpoint, tmp_path / "official.pth")
    own = build_encoder(config("dinov2_vits14_reg", tmp_path / "official.pth")).model.state_dict()
    assert torch.equal(own["pos_embed"], checkpoint["pos_embed"][:, 1:])
    assert torch.equal(own["cls_token"], checkpoint["cls_token"] + checkpoint["pos_embed"][:, :1])
    assert torch.equal(own["reg_token"], checkpoint["register_tokens"])
    assert torch.equal(own["blocks.1.mlp.fc2.weight"], checkpoint["blocks.1.mlp.fc2.weight"])
    for harm, message in (
        ({"pos_embed": torch.zeros(1, 1 + 16 * 16, 48)}, "of another size: pos_embed"),
        ({"cls_token": torch.zeros(1, 1, 32)}, r"found \(1, 1370, 48\) and \(1, 1, 32\)"),
    ):
        torch.save(checkpoint | harm, tmp_path / "official.pth")
        with pytest.raises(WeightsError, match=message):
            build_encoder(config("dinov2_vits14_reg", tmp_path / "official.pth"))


def test_a_convnext_of_dinov3_lands_where_its_names_say(tmp_path: Path) -> None:
    checkpoint = official.dinov3_convnext()
    torch.save(checkpoint, tmp_path / "official.pth")
    own = build_encoder(config("dinov3_convnext_tiny", tmp_path / "official.pth")).model.state_dict()
    named = {
        re.sub(r"^stages\.(\d)\.(\d)", r"stages.\1.blocks.\2", key)
        .replace("downsample_layers.0", "stem")
        .replace("dwconv", "conv_dw")
        .replace("pwconv", "mlp.fc"): value
        for key, value in checkpoint.items()
        if not key.startswith("norm")
    }
    named = {re.sub(r"downsample_layers\.(\d)", r"stages.\1.downsample", k): v for k, v in named.items()}
    assert named.keys() == own.keys()
    assert all(torch.equal(own[key], value) for key, value in named.items())
    torch.save(checkpoint | {"extra.weight": torch.zeros(3)}, tmp_path / "official.pth")
    with pytest.raises(WeightsError, match=r"unknown.*extra\.weight"):
        build_encoder(config("dinov3_convnext_tiny", tmp_path / "official.pth"))


def test_positions_of_another_training_size_are_not_resampled_in_silence(tmp_path: Path) -> None:
    checkpoint = official.dinov2() | {"pos_embed": torch.zeros(1, 1 + 16 * 16, 48)}
    torch.save(checkpoint, tmp_path / "official.pth")
    with pytest.raises(WeightsError, match="of another size: pos_embed"):
        build_encoder(config("dinov2_vitb14", tmp_path / "official.pth"))


def test_biases_that_the_model_lacks_must_be_zero(tmp_path: Path) -> None:
    checkpoint = official.dinov3()
    checkpoint["blocks.1.attn.qkv.bias"][48:96] = 3.0  # of the key: masked out, and no softmax sees it
    torch.save(checkpoint, tmp_path / "official.pth")
    build_encoder(config("dinov3_vitb16", tmp_path / "official.pth"))
    checkpoint["blocks.1.attn.qkv.bias"][-1] = 1e-3
    torch.save(checkpoint, tmp_path / "official.pth")
    with pytest.raises(WeightsError, match=r"blocks\.1\.attn\.qkv\.bias is not zero"):
        build_encoder(config("dinov3_vitb16", tmp_path / "official.pth"))


def test_one_encoders_checkpoint_is_not_anothers(tmp_path: Path) -> None:
    torch.save(official.sam2(), tmp_path / "official.pth")
    for name in ("dinov2_vitb14", "dinov3_vitb16", "sam_vitb16"):
        with pytest.raises(WeightsError, match="unknown"):
            build_encoder(config(name, tmp_path / "official.pth"))


def test_a_missing_official_file_says_where_it_is_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"put there sam_vit_b_01ec64\.pth from https://dl\.fbaipublic"):
        weight_file("sam", config("sam_vitb16", tmp_path / "absent.pth"))


def test_an_official_checkpoint_is_not_mistaken_for_a_native_one(tmp_path: Path) -> None:
    torch.save(official.sam(), tmp_path / "official.pth")
    native = FileWeights(source="file", path=str(tmp_path / "official.pth"))
    with pytest.raises(WeightsError, match=r"missing model\.blocks.*unknown model\.image_encoder"):
        build_encoder(EncoderConfig(architecture="tiny_sam_vitb16", weights=native))
