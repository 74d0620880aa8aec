"""RankMe of maps whose rank is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vfm_fusion.metrics.effective_rank import effective_rank, rankme
from vfm_fusion.metrics.feature_map import FeatureMap


def of_rank(rank: int, channels: int = 12, size: tuple[int, int] = (6, 8)) -> FeatureMap:
    """A map of as many orthonormal directions, all equally strong."""
    generator = torch.Generator().manual_seed(rank)
    left = torch.linalg.qr(torch.randn(channels, rank, generator=generator, dtype=torch.float64))[0]
    right = torch.linalg.qr(torch.randn(size[0] * size[1], rank, generator=generator, dtype=torch.float64))[0]
    return FeatureMap((left @ right.T).float().reshape(channels, *size))


@pytest.mark.parametrize("rank", [1, 2, 7, 12])
def test_orthonormal_directions_count_one_each(rank: int) -> None:
    assert rankme(of_rank(rank)).value == pytest.approx(rank, rel=1e-5)


@pytest.mark.parametrize("size", [(2, 3), (6, 8)], ids=["more channels than tokens", "more tokens"])
def test_it_is_that_of_the_singular_values(size: tuple[int, int]) -> None:
    features = torch.randn(12, *size, generator=torch.Generator().manual_seed(0))
    values = np.linalg.svd(features.reshape(12, -1).double().numpy(), compute_uv=False)
    shares = values / values.sum()
    expected = math.exp(-(shares * np.log(shares)).sum())
    assert rankme(FeatureMap(features)).value == pytest.approx(expected, rel=1e-6)


def test_repeated_pixels_change_nothing() -> None:
    features = FeatureMap(torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0)))
    assert rankme(features.repeated(4)) == rankme(features)


@pytest.mark.parametrize(
    ("value", "reason"), [(math.nan, "nan_features"), (math.inf, "inf_features"), (1.0, "constant_features")]
)
def test_it_is_undefined_with_a_reason(value: float, reason: str) -> None:
    found = rankme(FeatureMap(torch.full((3, 4, 4), value)))
    assert math.isnan(found.value)
    assert found.reason == reason


VALUE = st.just(0.0) | st.floats(1e-100, 1e6)
"""None so small that a factor makes it 0."""


@settings(deadline=None, max_examples=50)
@given(st.lists(VALUE, min_size=1, max_size=30).filter(any), st.floats(1e-3, 1e3))
def test_it_lies_between_one_and_the_number_of_values_whatever_their_scale(
    values: list[float], factor: float
) -> None:
    singular = torch.tensor(values, dtype=torch.float64)
    found = effective_rank(singular)
    assert 1 - 1e-9 <= found <= sum(value > 0 for value in values) + 1e-9
    assert effective_rank(singular * factor) == pytest.approx(found, rel=1e-6)
