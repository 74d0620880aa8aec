"""The painter's order against rays."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vfm_fusion.miniature.scenes.render import paint_order
from vfm_fusion.miniature.scenes.solid import Footprint


def _entry(place: Footprint, slope: float) -> float:
    """Distance z at which the ray x = slope * z enters a footprint; inf if it misses."""
    if slope == 0:
        return place.z0 if place.x0 < 0 < place.x1 else np.inf
    at = sorted((place.x0 / slope, place.x1 / slope))
    start, end = max(at[0], place.z0), min(at[1], place.z1)
    return start if start < end else np.inf


@st.composite
def _street(draw: st.DrawFn) -> list[Footprint]:
    cells = draw(
        st.lists(st.tuples(st.integers(-4, 3), st.integers(1, 8)), min_size=2, max_size=10, unique=True)
    )
    places = []
    for column, row in cells:
        x, z = 3.0 * column + draw(st.floats(0, 1.2)), 6.0 * row + draw(st.floats(0, 2.5))
        places.append(Footprint(x, x + draw(st.floats(0.2, 1.7)), z, z + draw(st.floats(0.2, 3.4))))
    return places


@settings(max_examples=150, deadline=None)
@given(_street())
def test_what_a_ray_meets_first_is_painted_last(places: list[Footprint]) -> None:
    rank = {number: turn for turn, number in enumerate(paint_order(places))}
    assert sorted(rank) == list(range(len(places)))
    for slope in np.linspace(-1.5, 1.5, 121):
        met = sorted(
            (z, number) for number, place in enumerate(places) if (z := _entry(place, slope)) < np.inf
        )
        turns = [rank[number] for _, number in met]
        assert turns == sorted(turns, reverse=True)


def test_a_bus_hides_who_walks_beside_it() -> None:
    bus, walker = Footprint(-4.5, -2.0, 10.0, 22.0), Footprint(-6.3, -5.7, 12.0, 12.6)
    cyclist = Footprint(-1.5, -1.0, 14.0, 15.5)
    assert paint_order([walker, bus, cyclist]) == [0, 1, 2]
    assert paint_order([cyclist, bus, walker]) == [2, 1, 0]


def test_nothing() -> None:
    assert paint_order([]) == []
