"""Linear CKA: what it must not see, and that few tokens do not bias it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vfm_fusion.metrics.kernel_alignment import linear_cka, unbiased_hsic


def draw(seed: int, channels: int, tokens: int) -> Tensor:
    return torch.randn(channels, tokens, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cka(pairs: list[tuple[Tensor, Tensor]]) -> float:
    """CKA of several images."""
    hsic = [[unbiased_hsic(*of).value for of in ((x, y), (x, x), (y, y))] for x, y in pairs]
    return float(linear_cka(*np.array(hsic).T))


def test_hsic_is_the_estimator_of_song_et_al() -> None:
    x, y, n = draw(0, 5, 9), draw(1, 3, 9), 9
    k, m = x.T @ x, y.T @ y
    k, m = k - k.diag().diag(), m - m.diag().diag()
    ones = torch.ones(n, dtype=torch.float64)
    expected = torch.trace(k @ m) + (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
    expected = (expected - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3))
    assert unbiased_hsic(x, y).value == pytest.approx(float(expected), rel=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(2, 9), st.floats(0.01, 100), st.floats(-10, 10))
def test_rotation_scale_and_offset_do_not_matter(
    seed: int, channels: int, scale: float, offset: float
) -> None:
    x, y = draw(seed, channels, 40), draw(seed + 1, 4, 40)
    rotation = torch.linalg.qr(draw(seed + 2, channels, channels))[0]
    moved = scale * (rotation @ x) + offset
    assert cka([(x, moved)]) == pytest.approx(1.0, abs=1e-4)
    assert cka([(moved, y)]) == pytest.approx(cka([(x, y)]), abs=1e-4)
    assert cka([(y, x)]) == pytest.approx(cka([(x, y)]), abs=1e-6)


def test_a_map_is_exactly_like_itself() -> None:
    assert cka([(draw(seed, 8, 30), draw(seed, 8, 30)) for seed in range(3)]) == pytest.approx(1.0, abs=1e-12)


def test_independent_maps_are_unlike_even_with_more_channels_than_tokens() -> None:
    """The plain estimate would be beyond .8 here."""
    images = [(draw(seed, 200, 50), draw(1000 + seed, 200, 50)) for seed in range(40)]
    assert abs(cka(images)) < 0.03


def test_what_they_share_counts_as_much_as_it_varies() -> None:
    """Half of the variance in common, in one channel of two: cov^2 sums to 1 of 2 times 2."""
    shared = draw(0, 1, 20_000)
    x, y = (torch.cat([shared, draw(seed, 1, 20_000)]) for seed in (1, 2))
    assert cka([(x, y)]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("x", "reason"),
    [(torch.rand(4, 3), "too_few_pixels"), (torch.full((4, 9), torch.nan), "nan_features")],
)
def test_it_is_undefined_with_a_reason(x: Tensor, reason: str) -> None:
    assert unbiased_hsic(x, x).reason == reason


def test_a_map_that_does_not_vary_has_no_cka() -> None:
    assert np.isnan(cka([(torch.ones(3, 20), draw(0, 3, 20))]))
