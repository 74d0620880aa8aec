"""Replacement at one stride (Eq. 9) and the alignment of what is injected."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.config.training import FusionConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.fusion.align import SampleChannels, resize_to_grid
from vfm_fusion.fusion.registry import OPERATORS, build_fusion

MASTER = {4: 8, 8: 12, 16: 16, 32: 20}
AUXILIARY = {4: 6, 8: 12, 16: 24, 32: 48}


def pyramid(
    channels: dict[int, int], size: tuple[int, int] = (64, 96), seed: int = 0
) -> dict[int, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        s: torch.randn(2, c, size[0] // s, size[1] // s, generator=generator) for s, c in channels.items()
    }


def replace(stride: int, align: str = "sample"):
    return build_fusion(FusionConfig(align=align), stride, MASTER, AUXILIARY)


@pytest.mark.parametrize("stride", MASTER)
def test_only_the_injection_stride_changes(stride: int) -> None:
    master, auxiliary = pyramid(MASTER), pyramid(AUXILIARY, seed=1)
    fused = replace(stride)(master, auxiliary)
    assert list(fused) == list(MASTER)
    for s, feature in fused.items():
        assert feature.shape == master[s].shape
        assert torch.equal(feature, master[s]) == (s != stride)


def test_equal_widths_inject_the_auxiliary_map_bit_for_bit() -> None:
    auxiliary = pyramid(AUXILIARY, seed=1)
    assert torch.equal(replace(8)(pyramid(MASTER), auxiliary)[8], auxiliary[8])


def test_a_wider_map_gives_evenly_spaced_channels() -> None:
    feature = torch.arange(6.0).view(1, 6, 1, 1).expand(1, 6, 2, 3)
    assert SampleChannels(6, 4)(feature)[0, :, 0, 0].tolist() == [0, 1, 3, 4]


@given(st.integers(1, 64), st.integers(1, 64))
def test_channel_sampling_is_the_released_formula(channels_in: int, channels_out: int) -> None:
    feature = torch.randn(1, channels_in, 1, 2)
    aligned = SampleChannels(channels_in, channels_out)(feature)
    if channels_in >= channels_out:
        expected = feature[:, [i * channels_in // channels_out for i in range(channels_out)]]
    else:
        mean = feature.mean(dim=1, keepdim=True)
        expected = torch.cat([feature] + [mean] * (channels_out - channels_in), dim=1)
    assert torch.equal(aligned, expected)


def test_another_grid_is_resized_bilinearly_to_the_masters() -> None:
    auxiliary = pyramid(AUXILIARY, size=(48, 64), seed=1)
    fused = replace(8)(pyramid(MASTER), auxiliary)[8]
    assert torch.equal(fused, F.interpolate(auxiliary[8], size=(8, 12), mode="bilinear", align_corners=False))


def test_resizing_keeps_a_constant_map_constant() -> None:
    resized = resize_to_grid(torch.full((1, 2, 5, 7), 3.0), (9, 4))
    torch.testing.assert_close(resized, torch.full((1, 2, 9, 4), 3.0))


@pytest.mark.parametrize("stride", MASTER)
def test_the_masters_map_at_the_injection_stride_is_not_needed(stride: int) -> None:
    operator = replace(stride)
    master, auxiliary = pyramid(MASTER), pyramid(AUXILIARY, seed=1)
    expected = operator(master, auxiliary)
    assert operator.replaced == {stride}
    found = operator({s: f for s, f in master.items() if s not in operator.replaced}, auxiliary)
    assert all(torch.equal(found[s], expected[s]) for s in MASTER)


def test_sampling_has_no_parameters_and_projection_learns() -> None:
    assert not list(replace(16).parameters())
    projecting = replace(16, align="project")
    projecting(pyramid(MASTER), pyramid(AUXILIARY, seed=1))[16].square().sum().backward()
    assert projecting.align.weight.shape == (MASTER[16], AUXILIARY[16], 1, 1)
    assert projecting.align.weight.grad.abs().sum() > 0


def test_an_impossible_stride_is_refused_by_name() -> None:
    with pytest.raises(ShapeError, match="injection stride 64: the master's pyramid has strides"):
        replace(64)


def test_every_operator_of_the_configuration_exists() -> None:
    assert set(OPERATORS) == set(get_args(FusionConfig.model_fields["operator"].annotation))
