"""Clicks as tensors and as drawn maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.errors import ShapeError
from vfm_fusion.interactive.clicks import UNUSED, Click, click_maps, points_tensor, scaled_points

SIZE = (17, 23)


def brute_force(clicks: list[Click], positive: bool, radius: float) -> np.ndarray:
    """1 where some click of the sign is within the radius, by all pairs."""
    disc = np.zeros(SIZE, np.float32)
    for row in range(SIZE[0]):
        for col in range(SIZE[1]):
            disc[row, col] = any(
                (row - click.row) ** 2 + (col - click.col) ** 2 <= radius**2
                for click in clicks
                if click.positive == positive
            )
    return disc


coordinates = st.tuples(
    st.sampled_from([-3.0, 0.0, 2.25, 4.0, 16.0]), st.sampled_from([0.0, 1.5, 7.0, 22.0, 30.0]), st.booleans()
)


@given(batch=st.lists(st.lists(coordinates.map(lambda c: Click(*c)), max_size=4), min_size=1, max_size=3))
def test_discs_are_those_of_all_pairs_of_pixel_and_click(batch: list[list[Click]]) -> None:
    maps = click_maps(points_tensor(batch), SIZE, radius=5)
    for clicks, (positive, negative) in zip(batch, maps.numpy(), strict=True):
        np.testing.assert_array_equal(positive, brute_force(clicks, True, 5))
        np.testing.assert_array_equal(negative, brute_force(clicks, False, 5))


def test_a_disc_of_radius_5_has_81_pixels() -> None:
    maps = click_maps(points_tensor([[Click(8, 9, True)]]), SIZE, radius=5)
    assert maps.sum(dim=(2, 3)).tolist() == [[81.0, 0.0]]


def test_tanh_is_0_on_the_click_and_1_without_any() -> None:
    maps = click_maps(points_tensor([[Click(3, 4, False)]]), SIZE, radius=5, kind="tanh")
    assert maps[0, 0].eq(1).all()
    assert maps[0, 1, 3, 4] == 0
    assert maps[0, 1, 6, 8].item() == pytest.approx(np.tanh(2 * 5 / 5))  # 3 down, 4 across: distance 5


def test_positive_slots_precede_negative_ones() -> None:
    points = points_tensor([[Click(1, 2, False), Click(3, 4, True), Click(5, 6, False)], []], slots=3)
    assert points[0].tolist() == [
        [3, 4, 1], [UNUSED] * 3, [UNUSED] * 3,
        [1, 2, 0], [5, 6, 2], [UNUSED] * 3,
    ]  # fmt: skip
    assert points[1].eq(UNUSED).all()


def test_a_point_is_unused_only_when_both_coordinates_are_negative() -> None:
    points = torch.tensor([[[-0.5, 3.0, 0.0], [-1.0, -1.0, -1.0]]])
    positive, negative = click_maps(points, SIZE, radius=2)[0]
    assert positive[0, 3] == 1
    assert negative.sum() == 0


def test_scaled_points_stay_unused() -> None:
    points = points_tensor([[Click(8, 16, True)]], slots=2)
    scaled = scaled_points(points, (16, 32), (14, 28))
    assert scaled[0, 0].tolist() == [7, 14, 0]
    assert click_maps(scaled, (14, 28), 1).sum() == 5
    assert scaled_points(points, (16, 32), (16, 32)) is points


def test_clicks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="2 clicks of one sign do not fit into 1"):
        points_tensor([[Click(0, 0, True), Click(1, 1, True)]], slots=1)
    with pytest.raises(ShapeError, match="expected points"):
        click_maps(torch.zeros(1, 3, 3), SIZE, 5)
