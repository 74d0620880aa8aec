"""Aligning a map to another grid and to other channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from vfm_fusion.fusion.align import SampleChannels, align_channels, resize_to_grid


def test_a_wider_map_gives_evenly_spaced_channels() -> None:
    feature = torch.arange(6.0).view(1, 6, 1, 1).expand(1, 6, 2, 3)
    assert SampleChannels(6, 4)(feature)[0, :, 0, 0].tolist() == [0, 1, 3, 4]


def test_a_narrower_map_is_padded_with_the_mean_over_its_channels() -> None:
    feature = torch.tensor([1.0, 5.0]).view(1, 2, 1, 1)
    assert SampleChannels(2, 4)(feature).flatten().tolist() == [1, 5, 3, 3]


@settings(deadline=None)
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


def test_a_projection_is_a_linear_map_of_the_channels() -> None:
    project = align_channels("project", 2, 1)
    project.load_state_dict({"weight": torch.tensor([[[[2.0]], [[-1.0]]]]), "bias": torch.tensor([0.5])})
    feature = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert project(feature).item() == 2 * 3 - 4 + 0.5


def test_two_pixels_become_four_by_half_pixel_bilinear_weights() -> None:
    resized = resize_to_grid(torch.tensor([[[[0.0, 8.0]]]]), (1, 4))
    assert resized.flatten().tolist() == [0, 2, 6, 8]


def test_a_map_on_the_right_grid_is_passed_on_itself() -> None:
    feature = torch.randn(1, 2, 3, 4)
    assert resize_to_grid(feature, (3, 4)) is feature


@settings(deadline=None)
@given(st.tuples(*[st.integers(1, 12)] * 4), st.floats(-100, 100))
def test_resizing_keeps_a_constant_map_constant(sides: tuple[int, int, int, int], value: float) -> None:
    resized = resize_to_grid(torch.full((1, 2, *sides[:2]), value), sides[2:])
    torch.testing.assert_close(resized, torch.full((1, 2, *sides[2:]), value))


def test_resizing_is_torchs_without_antialiasing() -> None:
    feature = torch.randn(1, 2, 9, 6)
    expected = F.interpolate(feature, size=(4, 3), mode="bilinear", align_corners=False)
    assert torch.equal(resize_to_grid(feature, (4, 3)), expected)
