"""The stride that EF suggests against the trained ones."""

from __future__ import annotations

import math

import pytest

from vfm_fusion.reporting.stride_suggestion import judge, suggested_stride

EF = {4: 1.0, 8: 2.0, 16: 5.0, 32: 3.0}


@pytest.mark.parametrize(
    ("gains", "best", "margin", "said"),
    [
        ({4: 1.0, 8: 2.0, 16: 3.5, 32: 0.0}, 16, 1.5, "hit, +1.50"),
        ({4: 1.0, 8: 2.0, 16: 1.75, 32: 0.0}, 8, -0.25, "miss, -0.25 (OS 8)"),
        ({8: -3.0, 16: -1.0}, 16, 2.0, "hit, +2.00"),
        ({8: 1.0, 16: 1.0}, 16, 0.0, "hit, +0.00"),
    ],
)
def test_the_margin_is_to_the_best_of_the_others(
    gains: dict[int, float], best: int, margin: float, said: str
) -> None:
    found = judge(EF, gains)
    assert (found.stride, found.best, found.said) == (16, best, said)
    assert found.margin == pytest.approx(margin)


@pytest.mark.parametrize(
    ("ef", "gains", "reason"),
    [
        (EF, {16: 1.0}, "1 stride trained"),
        (EF, {}, "0 strides trained"),
        (EF, {4: 1.0, 8: 2.0}, "OS 16 not trained"),
        (EF, {4: math.nan, 16: 2.0}, "value undefined"),
        ({4: math.nan}, {4: 1.0, 16: 2.0}, "EF undefined"),
    ],
)
def test_what_cannot_be_judged_says_why(ef: dict[int, float], gains: dict[int, float], reason: str) -> None:
    found = judge(ef, gains)
    assert found.said == reason
    assert math.isnan(found.margin)
    assert found.best is None


def test_the_finest_of_equal_strides_is_suggested_and_undefined_ones_are_not() -> None:
    assert suggested_stride({32: 2.0, 8: 2.0, 4: math.nan}) == 8
    assert suggested_stride({}) is None
