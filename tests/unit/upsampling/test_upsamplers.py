"""What all upsamplers promise: sizes, counts of parameters, bands, batches, precisions, gradients, errors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.errors import ConfigError, ShapeError
from vfm_fusion.upsampling.build import build_upsampler, count_parameters, facts_of
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Upsampler

CHANNELS, IMAGE = 8, (40, 36)
GRIDS = {name: (4, 5) if name == "uplift" else (10, 9) for name in UPSAMPLERS}
"""UPLiFT looks at 16 x 16 pixels a cell."""
LEARNED = [name for name in UPSAMPLERS if facts_of(name).learned]
BANDED = [*LEARNED, "jbu_classic"]


def build(name: str, **arguments: bool) -> Upsampler:
    """An upsampler whose parameters and statistics are all random, frozen."""
    torch.manual_seed(0)
    upsampler = build_upsampler(name, CHANNELS, **arguments)
    for parameter in upsampler.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    for key, buffer in upsampler.named_buffers():
        if key.endswith("running_mean"):
            buffer.normal_(std=0.1)
        elif key.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return upsampler.eval().requires_grad_(False)


def inputs(name: str, batch: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, CHANNELS, *GRIDS[name], generator=generator),
        torch.randn(batch, 3, *IMAGE, generator=generator),
    )


COUNTS = {
    "jbu": {128: 41_444, 384: 172_772, 768: 615_524, 1024: 1_074_532},
    "lift": {384: 1_187_280},
    "loftup": {384: 4_303_894},
    "anyup": dict.fromkeys((128, 384, 768, 1024), 878_080),
    "naf": dict.fromkeys((128, 384, 768, 1024), 662_528),
    "jafar": {128: 562_688, 384: 628_480, 768: 727_168, 1024: 792_960},
    "uplift": {384: 789_521},
}


@pytest.mark.parametrize("name", UPSAMPLERS)
def test_parameters_are_as_many_as_published(name: str) -> None:
    assert (name in COUNTS) == facts_of(name).learned
    for channels, count in COUNTS.get(name, {384: 0}).items():
        assert count_parameters(name, channels) == count


def test_parameters_of_featup_with_its_norm() -> None:
    counts = {c: count_parameters("jbu", c, input_norm=True) for c in (128, 384, 768, 1024)}
    assert counts == {128: 41_700, 384: 173_540, 768: 617_060, 1024: 1_076_580}


@pytest.mark.parametrize("name", UPSAMPLERS)
@pytest.mark.parametrize("size", [(10, 9), IMAGE, (33, 47)])
def test_the_result_has_the_size_that_is_asked_for(name: str, size: tuple[int, int]) -> None:
    upsampler = build(name)
    features, image = inputs(name)
    made = upsampler.up(features, image, size)
    assert made.shape == (1, CHANNELS, *upsampler.size(GRIDS[name], size))
    assert upsampler.size(GRIDS[name], size) == (GRIDS[name] if name == "none" else size)
    assert torch.isfinite(made).all()


def test_native_sizes() -> None:
    native = {name: build(name).native_size((7, 10), (50, 50)) for name in BANDED}
    assert native.pop("jbu") == (112, 160)
    assert native.pop("lift") == (14, 20)
    assert native.pop("uplift") == (56, 80)
    assert native.pop("naf") == (56, 50)
    assert set(native.values()) == {(50, 50)}


@pytest.mark.parametrize("name", BANDED)
@settings(max_examples=6, deadline=None)
@given(rows=st.integers(1, 40))
def test_bands_change_nothing(name: str, rows: int) -> None:
    upsampler = build(name)
    assert isinstance(upsampler, BandedUpsampler)
    features, image = inputs(name)
    whole = upsampler.up(features, image, IMAGE)
    upsampler.band_rows = rows
    torch.testing.assert_close(upsampler.up(features, image, IMAGE), whole, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", UPSAMPLERS)
def test_other_images_of_a_batch_change_nothing(name: str) -> None:
    upsampler = build(name)
    features, image = inputs(name, batch=3)
    made = upsampler.up(features, image, IMAGE)
    alone = upsampler.up(features[1:2], image[1:2], IMAGE)
    assert torch.equal(made[1:2], alone)


def test_the_range_of_a_batch_is_a_setting_of_loftup() -> None:
    features, image = inputs("loftup", batch=2)
    image[1] *= 3
    upsampler = build("loftup", batch_range=True)
    together, alone = upsampler.up(features, image, IMAGE), upsampler.up(features[:1], image[:1], IMAGE)
    assert (together[:1] - alone).abs().max() > 0.1


@pytest.mark.parametrize("name", UPSAMPLERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.03), (torch.float16, 0.005)])
def test_half_precision_agrees(name: str, dtype: torch.dtype, tolerance: float) -> None:
    upsampler = build(name)
    features, image = inputs(name)
    exact = upsampler.up(features, image, IMAGE)
    made = upsampler.to(dtype).up(features.to(dtype), image, IMAGE)
    assert made.dtype == dtype
    assert (made.float() - exact).norm() / exact.norm() < tolerance


@pytest.mark.parametrize("name", BANDED)
def test_features_of_half_precision_pass_a_module_of_float32(name: str) -> None:
    upsampler = build(name)
    features, image = inputs(name)
    rounded = features.to(torch.bfloat16)
    made, exact = upsampler.up(rounded, image, IMAGE), upsampler.up(rounded.float(), image, IMAGE)
    assert made.dtype == torch.bfloat16
    assert (made.float() - exact).norm() / exact.norm() < 0.02


@pytest.mark.parametrize("name", BANDED)
def test_autocast_agrees(name: str) -> None:
    upsampler = build(name)
    features, image = inputs(name)
    exact = upsampler.up(features, image, IMAGE)
    with torch.autocast("cpu", torch.bfloat16):
        made = upsampler.up(features, image, IMAGE)
    assert made.dtype == torch.float32
    assert (made - exact).norm() / exact.norm() < 0.03


@pytest.mark.parametrize("name", BANDED)
def test_gradients_reach_the_features_and_change_nothing(name: str) -> None:
    upsampler = build(name)
    features, image = inputs(name, batch=2)
    frozen = upsampler.up(features, image, IMAGE)
    features.requires_grad_()
    made = upsampler.up(features, image, IMAGE)
    torch.testing.assert_close(made, frozen, rtol=1e-4, atol=2e-5)
    made.square().sum().backward()
    assert torch.isfinite(features.grad).all()
    assert (features.grad != 0).any(1).all()


IDLE = {
    "anyup": {"attention.attention.out_proj.weight", "attention.attention.out_proj.bias"},
    "jafar": {
        "attention.attention.out_proj.weight",
        "attention.attention.out_proj.bias",
        "attention.attention.v_proj_weight",
        "attention.norm_v.weight",
    },
}
"""Parameters that never act, and are in the authors' files."""


@pytest.mark.parametrize("name", LEARNED)
def test_every_parameter_that_acts_learns(name: str) -> None:
    upsampler = build(name).train().requires_grad_()
    features, image = inputs(name, batch=2)
    upsampler.up(features, image, IMAGE).square().sum().backward()
    idle = {key for key, value in upsampler.named_parameters() if value.grad is None}
    assert idle == IDLE.get(name, set())


@pytest.mark.parametrize("name", LEARNED)
def test_a_frozen_upsampler_stays_as_it_is(name: str) -> None:
    upsampler = build(name)
    before = {key: value.clone() for key, value in upsampler.state_dict().items()}
    features, image = inputs(name, batch=2)
    first = upsampler.up(features, image, IMAGE)
    assert torch.equal(first, upsampler.up(features, image, IMAGE))
    assert all(torch.equal(value, before[key]) for key, value in upsampler.state_dict().items())


@pytest.mark.parametrize("name", ["nearest", "bilinear", "jbu_classic", "anyup", "jafar", "naf", "uplift"])
def test_means_of_features_keep_their_range_and_a_constant(name: str) -> None:
    upsampler = build(name)
    features, image = inputs(name)
    made = upsampler.up(features, image, IMAGE)
    assert made.amax() <= features.amax() + 1e-5
    assert made.amin() >= features.amin() - 1e-5
    constant = upsampler.up(torch.full_like(features, 1.5), image, IMAGE)
    torch.testing.assert_close(constant, torch.full_like(constant, 1.5))


def test_bad_input_is_refused_by_name() -> None:
    features, image = inputs("anyup")
    upsampler = build("anyup")
    with pytest.raises(ShapeError, match="expected floats \\(B, 8, h, w\\)"):
        upsampler.up(features[:, :4], image, IMAGE)
    with pytest.raises(ShapeError, match="expected normalised floats \\(1, 3, H, W\\)"):
        upsampler.up(features, (image * 255).byte(), IMAGE)
    with pytest.raises(ShapeError, match="at least \\(10, 9\\), found \\(9, 9\\)"):
        upsampler.up(features, image, (9, 9))
    with pytest.raises(ShapeError, match="needs a map of 2 x 2 or more, found 1 x 9"):
        upsampler.up(features[:, :, :1], image, IMAGE)
    with pytest.raises(ShapeError, match="multiple of 4, found 6"):
        build_upsampler("naf", 6)
    with pytest.raises(ConfigError, match="did you mean 'loftup'"):
        build_upsampler("loftupp", 8)
    with pytest.raises(ConfigError, match="unexpected keyword argument 'norm'"):
        build_upsampler("jbu", 8, norm=True)
