"""The part of the image that is seen: its box, the way there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.config.clicks import ZoomConfig
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.interactive.zoom import Box, next_box, whole_image

SIZE = (300, 400)
WHOLE = Box(0, 299, 0, 399)
ZOOM = ZoomConfig()
SMALL = ZoomConfig(min_side=10)


def predicted(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    """Probability .9 in a box, ends included."""
    probability = np.full(SIZE, 0.5, np.float32)  # not above the threshold
    probability[top : bottom + 1, left : right + 1] = 0.9
    return probability


def test_the_first_click_sees_the_whole_image() -> None:
    assert next_box(None, np.zeros(SIZE, np.float32), [Click(3, 3, True)], ZOOM) == WHOLE == whole_image(SIZE)


def test_the_box_is_scaled_about_its_centre() -> None:
    found = next_box(None, predicted(100, 149, 200, 249), [], SMALL)
    assert found == (90, 160, 190, 260)  # 50 x 1.4 = 70; the centre is at 124.5 and 224.5; halves go to even


def test_the_box_is_at_least_200_pixels_and_ends_at_the_image() -> None:
    assert next_box(None, predicted(150, 150, 200, 200), [], ZOOM) == (50, 250, 100, 300)
    assert next_box(None, predicted(10, 20, 390, 399), [], ZOOM) == (0, 115, 294, 399)
    assert next_box(None, predicted(0, 299, 0, 399), [], ZOOM) == WHOLE


def test_positive_clicks_belong_to_the_box_and_negative_ones_do_not() -> None:
    mask = predicted(100, 149, 200, 249)
    assert next_box(None, mask, [Click(0, 0, False)], SMALL) == next_box(None, mask, [], SMALL)
    taller = next_box(None, mask, [Click(50, 210, True)], SMALL)
    assert taller == (30, 170, 190, 260)  # rows 50 to 149: 100 x 1.4 = 140 about 99.5


def test_an_empty_prediction_sees_the_whole_image_again() -> None:
    assert next_box(Box(0, 50, 0, 50), predicted(0, -1, 0, -1), [], SMALL) == WHOLE


def test_a_box_stays_while_it_overlaps_and_holds_the_clicks() -> None:
    current = next_box(None, predicted(100, 149, 200, 249), [], SMALL)
    moved = predicted(105, 154, 205, 254)
    found = next_box(None, moved, [], SMALL)
    assert found.overlap(current) == pytest.approx((67 / 75) ** 2, abs=0.03)
    assert next_box(current, moved, [], SMALL) == current
    inside, outside = Click(95, 200, True), Click(80, 200, True)
    assert next_box(current, moved, [inside], SMALL) == current
    assert next_box(current, moved, [outside], SMALL) == next_box(None, moved, [outside], SMALL)
    last_row = Click(current.bottom, 200, True)
    assert next_box(current, moved, [last_row], SMALL) == next_box(None, moved, [last_row], SMALL) != current
    assert next_box(current, moved, [Click(80, 200, False)], SMALL) == current
    assert next_box(current, predicted(0, 20, 0, 20), [], SMALL) == next_box(
        None, predicted(0, 20, 0, 20), [], SMALL
    )
    strict = ZoomConfig(min_side=10, recompute_iou=1.0)
    assert next_box(current, moved, [], strict) == found


def test_without_following_the_whole_image_is_seen() -> None:
    assert next_box(None, predicted(5, 6, 5, 6), [], ZoomConfig(follow_object=False)) == WHOLE


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0, 9, 0, 9), 1.0),
        (Box(5, 14, 0, 9), 5 / 15),
        (Box(5, 14, 5, 14), 25 / 225),
        (Box(10, 19, 0, 9), 0.0),
        (Box(0, 4, 0, 9), 0.5),
    ],
)
def test_overlap_is_that_of_rows_times_that_of_columns(other: Box, expected: float) -> None:
    assert Box(0, 9, 0, 9).overlap(other) == other.overlap(Box(0, 9, 0, 9)) == pytest.approx(expected)


boxes = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12)).map(
    lambda b: Box(b[0], b[0] + b[2] - 1, b[1], b[1] + b[3] - 1)
)


@given(box=boxes, side=st.integers(1, 30), row=st.integers(0, 40), col=st.integers(0, 40))
def test_clicks_map_affinely_into_the_box_and_back(box: Box, side: int, row: int, col: int) -> None:
    inner = box.inside(Click(row, col, True), (side, 2 * side))
    assert box.top + inner.row * box.size[0] / side == pytest.approx(row)
    assert box.left + inner.col * box.size[1] / (2 * side) == pytest.approx(col)
    last = box.size[0] - 1, box.size[1] - 1  # is outside
    inside = 0 <= row - box.top < last[0] and 0 <= col - box.left < last[1]
    assert box.holds(Click(row, col, True)) == inside


@given(box=boxes)
def test_what_is_cut_at_its_own_size_is_pasted_back_as_it_was(box: Box) -> None:
    pixels = torch.rand(1, 2, 33, 33)
    pasted = box.paste(box.cut(pixels, box.size), (33, 33))
    inside = torch.zeros(33, 33, dtype=torch.bool)
    inside[box.pixels] = True
    assert torch.equal(pasted, torch.where(inside, pixels, 0))


def test_ramps_survive_the_way_to_another_size_and_back() -> None:
    """Bilinear with aligned corners: linear functions are resized without error."""
    rows, cols = torch.meshgrid(torch.arange(40.0), torch.arange(50.0), indexing="ij")
    ramp, box = (2 * rows - cols)[None, None], Box(3, 25, 10, 47)
    pasted = box.paste(box.cut(ramp, (224, 224)), (40, 50))
    torch.testing.assert_close(pasted[..., 3:26, 10:48], ramp[..., 3:26, 10:48], rtol=1e-4, atol=1e-3)
    expected = F.interpolate(ramp[..., 3:26, 10:48], size=(8, 9), mode="bilinear", align_corners=True)
    torch.testing.assert_close(box.cut(ramp, (8, 9)), expected)
