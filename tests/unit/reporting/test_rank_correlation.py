"""Spearman's correlation of a few values and what it can show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import permutation_test, spearmanr

from vfm_fusion.reporting.significance import in_words, spearman


@pytest.mark.parametrize("n", [3, 4, 6, 8, 12])
@pytest.mark.parametrize("ties", [False, True])
def test_agrees_with_scipy(n: int, ties: bool) -> None:
    rng = np.random.default_rng(n)
    x, y = (rng.integers(0, 4, n) if ties else rng.random(n) for _ in range(2))
    found, expected = spearman(x, y), spearmanr(x, y)
    assert found.rho == pytest.approx(expected.statistic, abs=1e-12)
    if n > 8:
        assert found.p == pytest.approx(expected.pvalue)


def test_p_is_exact_for_few_pairs() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random(6), rng.random(6)
    exact = permutation_test(
        (x,), lambda order: spearmanr(order, y).statistic, permutation_type="pairings", n_resamples=np.inf
    )
    assert spearman(x, y).p == pytest.approx(exact.pvalue)


@pytest.mark.parametrize(
    ("n", "smallest", "conclusive"), [(3, 2 / 6, False), (4, 2 / 24, False), (5, 2 / 120, True)]
)
def test_a_perfect_order_of_few_values_is_no_evidence(n: int, smallest: float, conclusive: bool) -> None:
    found = spearman(range(n), range(n))
    assert (found.rho, found.n, found.conclusive) == (1.0, n, conclusive)
    assert found.p == pytest.approx(smallest)
    assert found.smallest_p == pytest.approx(smallest)
    said = in_words(found, "encoders")
    assert said == "" if conclusive else f"With {n} encoders" in said and f"{smallest:.2g}" in said


def test_the_papers_own_correlation_of_four_strides() -> None:
    found = spearman([6.21, 8.82, 17.89, 13.32], [2.8, 7.7, 11.1, 4.9])
    assert (round(found.rho, 9), found.p) == (0.8, pytest.approx(8 / 24))


def test_undefined_correlations_say_why() -> None:
    for first, second, reason in (
        ([], [], "there are 0"),
        ([1], [2], "there is 1"),
        ([1, 2], [2, 3], "there are 2"),
        ([1, 2, 3], [5, 5, 5], "all values of one side are equal"),
    ):
        found = spearman(first, second)
        assert math.isnan(found.rho)
        assert math.isnan(found.p)
        assert reason in found.reason
        assert reason in in_words(found, "encoders")
    with pytest.raises(ValueError, match="finite"):
        spearman([1, 2, math.nan], [1, 2, 3])
