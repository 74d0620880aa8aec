"""Click encoders and heads: exact sizes, positions, and what reaches what."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vfm_fusion.config.clicks import ClickModelConfig, Head, SimpleVitConfig
from vfm_fusion.errors import ConfigError, ShapeError
from vfm_fusion.interactive.click_encoders import (
    PatchEmbedClicks,
    SimpleVitClicks,
    build_click_encoder,
    sine_positions,
)
from vfm_fusion.interactive.click_heads import build_click_head

SMALL = SimpleVitConfig(depth=1, heads=2, head_dim=8, mlp_dim=32)


def count(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


def test_parameters_are_those_of_the_published_models() -> None:
    with torch.device("meta"):
        assert count(build_click_encoder(ClickModelConfig(), 14, 384)) == 226_176
        vit = ClickModelConfig(click_encoder="simple_vit", inject="late_hr")
        assert count(build_click_encoder(vit, 14, 384)) == 14_408_472
        heads = [count(build_click_head(kind, 384)) for kind in ("convhead", "simple_conv", "linear")]
    assert heads == [2_655_361, 2 * (384 * 384 + 384) + 385, 385]


def test_positions_are_sines_of_columns_before_those_of_rows() -> None:
    positions = sine_positions((3, 5), 16)
    assert positions.shape == (15, 16)
    for row in range(3):
        for col in range(5):
            expected = []
            for axis in (col, row):
                angles = [axis * 10000 ** (-k / 3) for k in range(4)]
                expected += [*map(math.sin, angles), *map(math.cos, angles)]
            torch.testing.assert_close(positions[5 * row + col], torch.tensor(expected))


@pytest.mark.parametrize("width", [4, 10])
def test_widths_without_positions_are_refused(width: int) -> None:
    with pytest.raises(ShapeError, match="multiple of 4"):
        sine_positions((2, 2), width)
    config = ClickModelConfig(click_encoder="simple_vit", simple_vit=SMALL)
    with pytest.raises(ConfigError, match="choose patch_embed"):
        build_click_encoder(config, 4, width)


def test_patch_embed_is_linear_in_each_patch() -> None:
    torch.manual_seed(0)
    encoder, maps = PatchEmbedClicks(4, 8), torch.rand(2, 3, 8, 12)
    patch = maps[1, :, 4:8, 8:12]
    expected = encoder.project.weight.flatten(1) @ patch.flatten() + encoder.project.bias
    torch.testing.assert_close(encoder(maps)[1, :, 1, 2], expected)


def test_simple_vit_keeps_patches_at_their_places() -> None:
    """Without attention a token sees only its own patch and place."""
    torch.manual_seed(0)
    encoder, maps = SimpleVitClicks(4, 16, SMALL), torch.rand(1, 3, 8, 12)
    nn.init.zeros_(encoder.blocks[0].out.weight)
    changed = maps.clone()
    changed[..., 4:8, 8:12] += torch.rand(4, 4)
    differs = (encoder(maps) != encoder(changed)).any(dim=1)[0]
    assert differs.nonzero().tolist() == [[1, 2]]
    blank = encoder(torch.zeros_like(maps))
    assert not torch.allclose(blank[..., 0, 0], blank[..., 0, 1])  # the places differ


def test_simple_vit_mixes_all_patches() -> None:
    torch.manual_seed(0)
    encoder, maps = SimpleVitClicks(4, 16, SMALL), torch.rand(1, 3, 8, 12, requires_grad=True)
    encoder(maps)[0, :, 0, 0].square().sum().backward()
    assert (maps.grad.abs().amax(dim=1) > 0).all()


def test_heads_begin_with_fan_out_weights_and_no_bias() -> None:
    torch.manual_seed(0)
    head = build_click_head("convhead", 64)
    assert all(layer.bias.eq(0).all() for layer in head if isinstance(layer, nn.Conv2d))
    assert head[0].weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.05)
    assert head(torch.rand(2, 64, 5, 7)).shape == (2, 1, 5, 7)
    assert build_click_head("simple_conv", 64)(torch.rand(2, 64, 5, 7)).shape == (2, 1, 5, 7)


@pytest.mark.parametrize("kind", ["convhead", "simple_conv", "linear"])
def test_initial_logits_are_as_large_as_released_or_as_what_is_read(kind: Head) -> None:
    features = torch.randn(1, 128, 24, 24, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    released, small = (
        build_click_head(kind, 128, init)(features).square().mean().sqrt()
        for init in ("as_released", "small")
    )
    assert 10 < released < 22  # the root of 2 x 128 is 16, less where borders are filled up with 0
    assert 0.5 < small < 1.4
