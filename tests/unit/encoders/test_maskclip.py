"""MaskCLIP's dense features are those of its formula, from CLIP's weights in either layout."""

from __future__ import annotations

from pathlib import Path

import official_checkpoints as official
import pytest
import torch
import torch.nn.functional as F
from encoder_zoo import TINY, VIT
from safetensors.torch import save_file
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig, FileWeights
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.timm_models import timm
from vfm_fusion.errors import WeightsError


@pytest.fixture(autouse=True)
def zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in TINY:
        monkeypatch.setitem(ARCHITECTURES, spec.architecture, spec)


def built(tensors: dict[str, Tensor], folder: Path, layout: str, name: str = "maskclip_vitb16") -> Encoder:
    """A tiny encoder with the weights of a file in OpenAI's layout (`official`) or timm's (`native`)."""
    path = folder / ("ViT-B-16.pt" if layout == "official" else "model.safetensors")
    if layout == "official":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    weights = FileWeights(source="file", path=str(path), format=layout)
    return build_encoder(EncoderConfig(architecture=f"tiny_{name}", weights=weights))


def in_timms_names(projected: int) -> dict[str, Tensor]:
    """OpenAI's checkpoint as timm converts it whole; without projection where that is of no width."""
    model = timm.create_model("vit_base_patch16_clip_quickgelu_224", num_classes=projected, **VIT)
    convert = timm.models.vision_transformer.checkpoint_filter_fn
    converted = convert(official.clip(projected or 32), model)
    return {key: converted[key].contiguous() for key in model.state_dict()}


def by_formula(weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """MaskCLIP's features ``(B, D, h, w)`` of normalised images, from OpenAI's own tensors alone."""
    tower = {key.removeprefix("visual."): value for key, value in weights.items() if key[:7] == "visual."}

    def norm(name: str, tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, (48,), tower[f"{name}.weight"], tower[f"{name}.bias"], eps=1e-5)

    def linear(name: str, tokens: Tensor) -> Tensor:
        return F.linear(tokens, tower[f"{name}.weight"], tower[f"{name}.bias"])

    def attention(name: str, tokens: Tensor, *, mixes: bool) -> Tensor:
        weight, bias = tower[f"{name}.in_proj_weight"], tower[f"{name}.in_proj_bias"]
        queries, keys, values = F.linear(tokens, weight, bias).split(48, dim=2)
        if mixes:
            parts = (part.unflatten(2, (2, 24)).transpose(1, 2) for part in (queries, keys, values))
            values = F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        return linear(f"{name}.out_proj", values)

    patches = F.conv2d(images, tower["conv1.weight"], stride=16).flatten(2).transpose(1, 2)
    first = tower["class_embedding"].expand(len(images), 1, -1)
    tokens = norm("ln_pre", torch.cat([first, patches], dim=1) + tower["positional_embedding"])
    block, last = "transformer.resblocks.0", "transformer.resblocks.1"
    tokens = tokens + attention(f"{block}.attn", norm(f"{block}.ln_1", tokens), mixes=True)
    hidden = linear(f"{block}.mlp.c_fc", norm(f"{block}.ln_2", tokens))
    tokens = tokens + linear(f"{block}.mlp.c_proj", hidden * torch.sigmoid(1.702 * hidden))
    dense = attention(f"{last}.attn", norm(f"{last}.ln_1", tokens), mixes=False)
    projected = norm("ln_post", dense[:, 1:]) @ tower["proj"]
    return projected.transpose(1, 2).unflatten(2, (14, 14))


def test_features_are_those_of_the_formula_from_openais_weights(tmp_path: Path) -> None:
    weights = official.clip()
    encoder = built(weights, tmp_path, "official")
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = by_formula(weights, encoder.normalise(images))
        found = encoder(images)[16]
    assert found.shape == (2, 32, 14, 14)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_both_layouts_hold_the_same_weights(tmp_path: Path) -> None:
    weights = official.clip()
    theirs, timms = built(weights, tmp_path, "official"), built(in_timms_names(32), tmp_path, "native")
    assert torch.equal(theirs.model.head.weight, weights["visual.proj"].T)
    assert not theirs.model.head.bias.any()
    found, expected = theirs.state_dict(), timms.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in found)


def test_the_projection_must_be_there(tmp_path: Path) -> None:
    lacking = {key: value for key, value in official.clip().items() if key != "visual.proj"}
    for layout, tensors in (("official", lacking), ("native", in_timms_names(0))):
        with pytest.raises(WeightsError, match=r"do not fit tiny_maskclip.*missing .*model\.head\.weight"):
            built(tensors, tmp_path, layout)
    with pytest.raises(WeightsError, match=r"model\.head\.weight: \(24, 48\) instead of \(32, 48\)"):
        built(official.clip(24), tmp_path, "official")


def test_plain_clip_reads_the_same_files_without_projection(tmp_path: Path) -> None:
    encoders = [
        built(official.clip(), tmp_path, "official", "clip_vitb16"),
        built(in_timms_names(32), tmp_path, "native", "clip_vitb16"),
    ]
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        first, second = (encoder(images)[16] for encoder in encoders)
    assert first.shape == (1, 48, 4, 6)
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["clip_vitb16", "maskclip_vitb16"])
@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("visual.conv1.weight", (48, 3, 32, 32), r"of another size: visual\.conv1\.weight"),  # ViT-B/32
        ("visual.attnpool.k_proj.weight", (48, 48), r"unknown model\.attnpool\.k_proj\.weight"),  # RN50
        ("visual_projection.weight", (32, 48), r"unknown, or .*: visual_projection\.weight"),
    ],
)
def test_another_clip_is_refused(
    name: str, key: str, shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=message):
        built(official.clip() | {key: torch.zeros(shape)}, tmp_path, "official", name)
