"""One contract for the tokens of every plain ViT in the registry: cuts, gaps to work in, and taps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from encoder_zoo import HEAVY, TINY, as_timm, maskclips_own, seeded, tiny
from torch import Tensor, nn

from vfm_fusion.config.registries import FAMILIES, TOKEN_FAMILIES
from vfm_fusion.encoders.build import build_encoder, build_token_encoder
from vfm_fusion.encoders.maskclip import MaskClip
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.timm_models import TimmSam, timm
from vfm_fusion.encoders.tokens import TokenEncoder, TokenState
from vfm_fusion.errors import ConfigError, ShapeError
from vfm_fusion.loading import load

VITS = [name for name, spec in ARCHITECTURES.items() if spec.shows_tokens]
BIASED = replace(tiny("dinov3_vitb16", qkv_bias=True), architecture="tiny_dinov3_biased")
"""As timm's `qkvb` variants: one projection for queries, keys and values, its biases apart."""

TINY_VITS = [*(spec for spec in TINY if spec.shows_tokens), BIASED]
LIGHT = ["mini_vit", *(spec.architecture for spec in TINY_VITS)]
ALL = [
    *LIGHT,
    *(pytest.param(n, marks=HEAVY.get(n, ())) for n in VITS if n not in LIGHT),
]
SIZE = (32, 48)


@pytest.fixture(scope="module", autouse=True)
def zoo() -> Iterator[None]:
    """The tiny variants stand in the registry as long as this module is tested."""
    with pytest.MonkeyPatch.context() as patch:
        for spec in TINY_VITS:
            patch.setitem(ARCHITECTURES, spec.architecture, spec)
        yield


def build(name: str, resolution: int | None = None) -> TokenEncoder:
    """A frozen encoder in which no bias, scale or relative position is at its initial zero or one."""
    encoder = build_token_encoder(as_timm(name, resolution=resolution)).requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for parameter in encoder.parameters():
        if parameter.numel() < 1e5:  # large matrices are random as they are
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return encoder


@pytest.fixture(scope="module", params=ALL)
def encoder(request: pytest.FixtureRequest, zoo: None) -> TokenEncoder:
    return build(request.param)


@pytest.fixture(scope="module")
def plain(encoder: TokenEncoder) -> Tensor:
    """The encoder's maps of :func:`photos`."""
    with torch.inference_mode():
        return encoder(photos())[16]


@pytest.fixture(scope="module")
def light(zoo: None) -> dict[str, TokenEncoder]:
    return {name: build(name) for name in LIGHT}


def photos(height: int = SIZE[0], width: int = SIZE[1]) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def timms_own(encoder: TokenEncoder, images: Tensor, blocks: list[int], norm: bool) -> list[Tensor]:
    """timm's own walk through its blocks, as :meth:`features` was before it could be cut."""
    if isinstance(encoder, MaskClip):
        seen = encoder.normalise(images)
        return [maskclips_own(encoder, seen, block, norm=norm) for block in blocks]
    return encoder.model.forward_intermediates(
        encoder.normalise(images), indices=blocks, norm=norm, output_fmt="NCHW", intermediates_only=True
    )


def normed(encoder: TokenEncoder) -> bool:
    return not isinstance(encoder, TimmSam)


def test_the_cuts_compose_to_the_features_in_any_split(encoder: TokenEncoder, plain: Tensor) -> None:
    with torch.inference_mode():
        (expected,) = timms_own(encoder, photos(), [encoder.depth - 1], normed(encoder))
        assert torch.equal(plain, expected)
        assert plain.stride() == expected.stride()  # another layout takes other kernels downstream
        state = encoder.start(photos())
        for block in range(encoder.depth):
            if encoder.depth <= 6 or block == encoder.depth // 2:
                rest = encoder.blocks(state, block, encoder.depth)
                assert torch.equal(encoder.maps(encoder.finish(rest)), expected)
            state = encoder.blocks(state, block, block + 1)
        assert torch.equal(encoder.maps(encoder.finish(encoder.blocks(state, encoder.depth))), expected)


@pytest.mark.parametrize("size", [(96, 32), (16, 16), (224, 240)])
def test_the_cuts_compose_at_every_size(light: dict[str, TokenEncoder], size: tuple[int, int]) -> None:
    images = photos(*size)
    for encoder in light.values():
        with torch.inference_mode():
            (expected,) = timms_own(encoder, images, [encoder.depth - 1], normed(encoder))
            assert torch.equal(encoder(images)[16], expected)


def test_a_state_says_what_it_holds(encoder: TokenEncoder) -> None:
    with torch.inference_mode():
        patches = encoder.patchify(encoder.normalise(photos()))
        state = encoder.embed(patches)
    assert (patches.prefix, patches.grid, patches.rotary) == (0, (2, 3), None)
    assert patches.tokens.shape == (2, 6, encoder.width)
    assert (state.prefix, state.grid) == (encoder.prefix, (2, 3))
    assert state.tokens.shape == (2, encoder.prefix + 6, encoder.width)
    assert state.patches.shape == patches.tokens.shape
    assert state.rotary is None or state.rotary.shape[0] == 6


def test_depth_prefix_and_rotary_positions_of_the_families(light: dict[str, TokenEncoder]) -> None:
    facts = {name: (e.depth, e.prefix, e.start(photos()).rotary is not None) for name, e in light.items()}
    assert facts == {
        "mini_vit": (6, 1, False),
        "tiny_dinov2_vitb14": (2, 1, False),
        "tiny_dinov2_vits14_reg": (2, 5, False),
        "tiny_dinov3_vitb16": (2, 5, True),
        "tiny_dinov3_vits16plus": (2, 5, True),
        "tiny_sam_vitb16": (2, 0, False),
        "tiny_clip_vitb16": (2, 1, False),
        "tiny_maskclip_vitb16": (2, 1, False),
        "tiny_siglip2_vitb16": (2, 0, False),
        "tiny_eva02_clip_b16": (2, 1, True),
        "tiny_eva02_clip_l14": (2, 1, True),
        "tiny_c_radio_v3_b": (2, 8, False),
        "tiny_dinov3_biased": (2, 5, True),
    }


def test_a_click_after_the_first_cut_reaches_the_output(encoder: TokenEncoder, plain: Tensor) -> None:
    patches = encoder.patchify(encoder.normalise(photos()))
    clicks = torch.zeros_like(patches.tokens)
    with torch.inference_mode():
        untouched = encoder.maps(encoder.encode(patches.with_tokens(patches.tokens + clicks)))
    assert torch.equal(untouched, plain)
    clicks[0, 4] = torch.randn(encoder.width, generator=torch.Generator().manual_seed(2))  # row 1, column 1
    clicks.requires_grad_(True)
    clicked = encoder.maps(encoder.encode(patches.with_tokens(patches.tokens + clicks)))
    assert not torch.allclose(clicked[0], plain[0])
    assert torch.allclose(clicked[1], plain[1], atol=1e-4)
    clicked[0].square().mean().backward()
    assert clicks.grad[0].abs().sum() > 0
    assert all(parameter.grad is None for parameter in encoder.parameters())


class Bridge(nn.Module):
    """Adds to the patches of each of two encoders what a linear map makes of the other's."""

    def __init__(self, one: TokenEncoder, other: TokenEncoder, spread: float) -> None:
        super().__init__()
        self.maps = nn.ModuleList([nn.Linear(other.width, one.width), nn.Linear(one.width, other.width)])
        generator = torch.Generator().manual_seed(3)
        for part in self.maps:
            nn.init.normal_(part.weight, std=spread, generator=generator)
            nn.init.zeros_(part.bias)

    def forward(self, one: TokenState, other: TokenState) -> tuple[TokenState, TokenState]:
        moved = []
        for state, source, part in zip((one, other), (other, one), self.maps, strict=True):
            patches = state.patches + part(source.patches)
            moved.append(state.with_tokens(torch.cat([state.tokens[:, : state.prefix], patches], dim=1)))
        return moved[0], moved[1]


def side_by_side(pair: list[TokenEncoder], bridge: Bridge, images: Tensor) -> list[Tensor]:
    """Both encoders' maps, with the bridge behind every block that both have."""
    states = [encoder.start(images) for encoder in pair]
    shared = min(encoder.depth for encoder in pair)
    for block in range(shared):
        steps = zip(pair, states, strict=True)
        states = list(bridge(*(encoder.blocks(state, block, block + 1) for encoder, state in steps)))
    ends = [e.finish(e.blocks(state, shared)) for e, state in zip(pair, states, strict=True)]
    return [e.maps(state) for e, state in zip(pair, ends, strict=True)]


@pytest.mark.parametrize(("first", "second"), list(zip(LIGHT, [*LIGHT[1:], LIGHT[0]], strict=True)))
def test_two_encoders_are_stepped_side_by_side(
    light: dict[str, TokenEncoder], first: str, second: str
) -> None:
    pair, images = [light[first], light[second]], photos()
    plain = [encoder(images)[16] for encoder in pair]
    closed, opened = (Bridge(*pair, spread) for spread in (0.0, 0.1))
    for found, expected in zip(side_by_side(pair, closed, images), plain, strict=True):
        assert torch.equal(found, expected)
    mixed = side_by_side(pair, opened, images)
    assert not any(torch.allclose(found, expected) for found, expected in zip(mixed, plain, strict=True))
    sum(found.square().mean() for found in mixed).backward()
    assert all(bool(p.grad.isfinite().all()) and p.grad.abs().sum() > 0 for p in opened.parameters())
    assert all(p.grad is None for encoder in pair for p in encoder.parameters())


def test_training_all_of_an_encoder_reaches_every_parameter(light: dict[str, TokenEncoder]) -> None:
    for name in LIGHT:
        encoder = build(name).requires_grad_(True).train()
        encoder(photos(224, 224))[16].square().mean().backward()
        idle = [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
        assert idle == []


def own_attention(encoder: TokenEncoder, state: TokenState, block: int) -> Tensor:
    """What the block's own attention gives: the tap's reference."""
    layer = encoder.layers[block]
    tokens = layer.norm1(state.tokens)
    if isinstance(encoder, TimmSam):
        return layer.attn(tokens.unflatten(1, state.grid)).flatten(1, 2)
    return layer.attn(tokens, **({} if state.rotary is None else {"rope": state.rotary}))


def test_attention_of_the_tapped_heads_is_the_blocks_own(encoder: TokenEncoder) -> None:
    state = encoder.start(photos())
    for block in (0, -1):  # any block takes any tokens
        attention = encoder.layers[block].attn
        queries, keys, values = encoder.heads(state, block, rotated=True)
        shape = (2, attention.num_heads, encoder.prefix + 6, encoder.width // attention.num_heads)
        assert queries.shape == keys.shape == values.shape == shape
        scores = queries @ keys.transpose(2, 3) / shape[-1] ** 0.5
        if isinstance(encoder, TimmSam):
            bias_of = timm.models.vision_transformer_sam.get_decomposed_rel_pos_bias
            positions = (attention.rel_pos_h, attention.rel_pos_w, state.grid, state.grid)
            scores += bias_of(queries.flatten(0, 1), *positions).view_as(scores)
        mixed = (scores.softmax(dim=-1) @ values).transpose(1, 2).flatten(2)
        mixed = attention.norm(mixed) if hasattr(attention, "norm") else mixed
        torch.testing.assert_close(attention.proj(mixed), own_attention(encoder, state, block))


def test_only_queries_and_keys_of_patches_are_turned(encoder: TokenEncoder) -> None:
    state = encoder.start(photos())
    plain, turned = (encoder.heads(state, -1, rotated=rotated) for rotated in (False, True))
    assert torch.equal(plain.values, turned.values)
    for before, after in zip(plain[:2], turned[:2], strict=True):
        assert torch.equal(before[:, :, : state.prefix], after[:, :, : state.prefix])
        same = torch.allclose(before[:, :, state.prefix :], after[:, :, state.prefix :])
        assert same == (state.rotary is None)


def test_the_value_path_is_attention_among_equals(encoder: TokenEncoder, plain: Tensor) -> None:
    """Where all tokens are alike, mixing changes none of them: only values and projection are left."""
    state = encoder.start(photos())
    alike = state.with_tokens(state.tokens[:, :1].expand_as(state.tokens))
    torch.testing.assert_close(encoder.value_path(alike, -1).tokens, own_attention(encoder, alike, -1))
    dense = encoder.maps(encoder.finish(encoder.value_path(state, -1)))
    assert dense.shape == (2, encoder.spec.channels[16], 2, 3)
    assert not torch.allclose(dense, plain)


@pytest.mark.parametrize("name", LIGHT)
@pytest.mark.parametrize("norm", [False, True])
def test_maps_at_several_depths(light: dict[str, TokenEncoder], name: str, norm: bool) -> None:
    encoder, images = light[name], photos()
    blocks = list(range(encoder.depth))
    found = encoder.intermediates(images, [-1, *blocks[:-1]], norm=norm)
    assert list(found) == [*blocks[:-1], -1]
    for maps, expected in zip(
        found.values(), timms_own(encoder, images, blocks, norm and normed(encoder)), strict=True
    ):
        assert torch.equal(maps, expected)
    with pytest.raises(ShapeError, match=f"has {encoder.depth} blocks"):
        encoder.intermediates(images, [encoder.depth], norm=norm)


@pytest.mark.parametrize("name", ["tiny_sam_vitb16", "tiny_dinov2_vitb14"])
def test_maps_at_a_fixed_resolution_lie_on_the_images_grid(name: str) -> None:
    encoder = build(name, resolution=112)
    images = photos(64, 128)
    assert torch.equal(encoder.intermediates(images, [-1], norm=True)[-1], encoder(images)[16])


def test_what_is_no_state_for_the_blocks_is_refused(light: dict[str, TokenEncoder]) -> None:
    encoder = light["tiny_dinov3_vitb16"]
    patches = encoder.patchify(encoder.normalise(photos()))
    for vit in light.values():
        unplaced = vit.patchify(vit.normalise(photos()))
        with pytest.raises(ShapeError, match=r"found patches without; call embed first"):
            vit.blocks(unplaced)
        with pytest.raises(ShapeError, match=r"been through embed; give it what patchify returns"):
            vit.embed(vit.embed(unplaced))
    for ends in ((0, 3), (3, None), (-3, None), (0, -3)):
        with pytest.raises(ShapeError, match=r"dinov3_vitb16 has 2 blocks; found"):
            encoder.blocks(encoder.embed(patches), *ends)
    with pytest.raises(ShapeError, match=r"expected tokens \(B, 6, C\) of 0 before a grid of \(2, 3\)"):
        patches.with_tokens(patches.tokens[:, 1:])
    with pytest.raises(ShapeError, match=r"found \(2, 2, 3, 48\)"):
        replace(patches, tokens=patches.tokens.unflatten(1, (2, 3)))


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name not in VITS])
def test_encoders_without_tokens_are_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} has maps, but no tokens") as refused:
        build_token_encoder(seeded(name))
    assert all(vit in str(refused.value) for vit in VITS)


def test_families_that_show_tokens_are_those_of_token_encoders() -> None:
    showing = {name for name, family in FAMILIES.items() if issubclass(load(family), TokenEncoder)}
    assert showing == set(TOKEN_FAMILIES)


@pytest.mark.parametrize("name", ["mini_hiera", "mini_swin", "squeezenet1_0", "r2d2_n16", "mobilenetv2_100"])
def test_an_entry_says_truly_whether_it_shows_tokens(name: str) -> None:
    assert not isinstance(build_encoder(seeded(name)), TokenEncoder)
