"""Values of cells: means over seeds, what is missing, and on which side of zero an interval lies."""

from __future__ import annotations

import math

import pytest

from vfm_fusion.reporting.cells import Value


def test_mean_and_sample_deviation_over_seeds() -> None:
    found = Value.over_seeds({0: (1.0, ""), 1: (3.0, "")})
    assert (found.mean, found.std, found.n, found.reason) == (2.0, math.sqrt(2), 2, "")
    alone = Value.over_seeds({7: (1.5, "")})
    assert (alone.mean, alone.n) == (1.5, 1)
    assert math.isnan(alone.std)


def test_an_undefined_seed_leaves_no_mean_and_is_named_among_several() -> None:
    several = Value.over_seeds({0: (1.0, ""), 3: (math.nan, "no object")})
    assert (several.reason, several.n) == ("seed 3: no object", 0)
    assert math.isnan(several.mean)
    assert Value.over_seeds({3: (math.nan, "no object")}).reason == "no object"


def test_only_what_is_undefined_has_a_reason() -> None:
    assert Value(1.0).because("lost").reason == ""
    assert math.isnan(Value.missing("lost").mean)
    assert Value(math.nan, n=2).because("lost").reason == "lost"


@pytest.mark.parametrize(
    ("ends", "sign"), [((0.1, 2.0), 1), ((-2.0, -0.1), -1), ((-1.0, 1.0), 0), ((math.nan, math.nan), None)]
)
def test_sign_is_that_of_the_whole_interval(ends: tuple[float, float], sign: int | None) -> None:
    assert Value(0.5, low=ends[0], high=ends[1]).sign == sign
