"""The robot against an independent one that measures all pairs of pixels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.interactive.click_robot import RandomRobot, Robot
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.interactive.distances import depth

PROTOCOL = ClickProtocolConfig()
NOTHING = np.zeros((12, 14), bool)


def box(*corners: int, size: tuple[int, int] = NOTHING.shape) -> np.ndarray:
    mask = np.zeros(size, bool)
    top, bottom, left, right = corners
    mask[top:bottom, left:right] = True
    return mask


def brute_force(
    truth: np.ndarray, predicted: np.ndarray, ignored: np.ndarray, clicked: set[tuple[int, int]]
) -> tuple[int, int, bool] | None:
    """The next click, by whole numbers alone: squares of the distances of all pairs of pixels."""
    height, width = truth.shape
    best = {True: (0, 0, 0), False: (0, 0, 0)}  # sign -> square of the depth, row, column
    for positive in (True, False):
        wanted = truth if positive else predicted
        other = predicted if positive else truth
        region = {
            (row, col)
            for row in range(height)
            for col in range(width)
            if wanted[row, col] and not other[row, col] and not ignored[row, col]
        }
        outside = [
            (row, col) for row in range(-1, height + 1) for col in range(-1, width + 1)
            if (row, col) not in region
        ]  # fmt: skip
        for row, col in sorted(region - clicked):
            square = min((row - r) ** 2 + (col - c) ** 2 for r, c in outside)
            if square > best[positive][0]:
                best[positive] = square, row, col
    positive = best[True][0] > best[False][0]
    square, row, col = best[positive]
    return (row, col, positive) if square else None


def place(
    truth: np.ndarray, predicted: np.ndarray, clicks: tuple[Click, ...] = (), **settings: object
) -> tuple[tuple[int, int, bool] | None, str]:
    robot = Robot(ClickProtocolConfig(**settings))
    click, case = robot.place(truth, predicted, np.zeros_like(truth), clicks)
    return (None if click is None else tuple(click)), case


def test_a_square_is_first_clicked_in_its_middle() -> None:
    assert place(box(2, 9, 3, 10), NOTHING) == ((5, 6, True), "")


def test_of_equally_deep_pixels_the_first_one_row_by_row_is_clicked() -> None:
    assert place(box(2, 8, 3, 11), NOTHING) == ((4, 5, True), "")  # rows 4, 5 and columns 5 to 8 are


def test_a_ring_is_clicked_on_its_band() -> None:
    ring = box(0, 11, 0, 11) & ~box(3, 8, 3, 8)
    (row, col, positive), _ = place(ring, NOTHING)
    assert (row, col) == brute_force(ring, NOTHING, NOTHING, set())[:2] == (1, 1)
    assert positive


def test_the_border_of_the_image_is_outside() -> None:
    assert place(np.ones((5, 9), bool), np.zeros((5, 9), bool)) == ((2, 2, True), "")


@pytest.mark.parametrize(
    ("missed", "wrong", "expected"),
    [(5, 3, (4, 3, True)), (3, 5, (4, 10, False)), (4, 3, (3, 2, True))],
)
def test_the_deeper_of_two_errors_is_corrected(
    missed: int, wrong: int, expected: tuple[int, int, bool]
) -> None:
    """Errors of 3, 4 and 5 pixels a side are 2, 2 and 3 deep; equal ones are positive here."""
    truth, predicted = box(2, 2 + missed, 1, 1 + missed), box(2, 2 + wrong, 8, 8 + wrong)
    click, _ = place(truth, predicted, equal_errors="positive")
    assert click == expected


def test_equal_errors_are_named_and_negative_unless_set() -> None:
    truth, predicted = box(2, 5, 1, 4), box(5, 8, 8, 11)
    assert place(truth, predicted) == ((6, 9, False), "equal_errors")
    assert place(truth, predicted, equal_errors="positive") == ((3, 2, True), "equal_errors")


def test_no_pixel_is_clicked_twice() -> None:
    truth, clicks = box(2, 5, 3, 6), []
    for _ in range(9):
        click, case = place(truth, NOTHING, tuple(clicks))
        assert case == ""
        clicks.append(Click(*click))
    assert len(set(clicks)) == 9
    assert clicks[0] == (3, 4, True)
    assert place(truth, NOTHING, tuple(clicks)) == (None, "all_clicked")


def test_ignored_pixels_are_no_error_and_bound_the_others() -> None:
    truth, ignored = box(0, 9, 0, 9), box(0, 9, 4, 9)
    click, _ = Robot(PROTOCOL).place(truth, NOTHING, ignored, [])
    assert click == (1, 1, True)  # columns 0 to 3 are left: depth 2 in columns 1 and 2
    assert Robot(PROTOCOL).place(truth, NOTHING, truth, []) == (None, "no_error_left")


def test_without_error_the_released_robot_clicks_the_first_pixel_every_time() -> None:
    truth = box(2, 5, 3, 6)
    assert place(truth, truth) == (None, "no_error_left")
    first = Click(0, 0, False)
    assert place(truth, truth, perfect_mask="as_released") == (first, "no_error_left")
    assert place(truth, truth, (first,), perfect_mask="as_released") == (first, "no_error_left")


def random_case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and ignored pixels of a small image: boxes, or noise."""
    size = tuple(rng.integers(1, 10, 2))
    masks = []
    for _ in range(2):
        if rng.random() < 0.5:
            masks.append(rng.random(size) < rng.random())
        else:
            rows, cols = (np.sort(rng.integers(0, side + 1, 2)) for side in size)
            masks.append(box(*rows, *cols, size=size))
    return masks[0], masks[1], rng.random(size) < rng.choice([0, 0, 0.2])


def test_a_thousand_random_masks_are_clicked_as_by_brute_force() -> None:
    rng, ends, ties = np.random.default_rng(0), 0, 0
    for _ in range(1000):
        truth, predicted, ignored = random_case(rng)
        clicks: list[Click] = []
        for _ in range(3):
            expected = brute_force(truth, predicted, ignored, {(c.row, c.col) for c in clicks})
            click, case = Robot(PROTOCOL).place(truth, predicted, ignored, clicks)
            ties += case == "equal_errors"
            assert (None if click is None else tuple(click)) == expected
            if click is None:
                ends += 1
                break
            clicks.append(click)
    assert ends > 50
    assert ties > 50


@pytest.mark.parametrize("shape", ["blobs", "large"])
def test_depths_are_exact_on_larger_masks(shape: str) -> None:
    rng = np.random.default_rng(1)
    if shape == "large":
        mask = np.ones((701, 977), bool)
        mask[rng.integers(0, 701, 3), rng.integers(0, 977, 3)] = False
    else:
        mask = rng.random((300, 400)) < 0.98
    expected = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    np.testing.assert_array_equal(depth(mask), expected)


def test_the_approximation_is_within_three_percent_and_not_exact() -> None:
    mask = np.random.default_rng(2).random((200, 200)) < 0.999
    exact, approximate = depth(mask), depth(mask, exact=False)
    np.testing.assert_allclose(approximate, exact, rtol=0.03, atol=0.01)
    assert not np.array_equal(exact, approximate)


@pytest.mark.parametrize("law", ["distance", "uniform"])
def test_groups_of_random_clicks_share_the_error_from_its_depth_to_its_rim(law: str) -> None:
    truth = box(1, 10, 1, 12)
    depths = depth(truth)
    order = sorted(zip(*np.nonzero(truth), strict=True), key=lambda pixel: (-depths[pixel], pixel))
    weights = np.array([depths[pixel] if law == "distance" else 1 for pixel in order])
    ends = np.cumsum(weights) / weights.sum()
    for group in range(10):
        robot = RandomRobot(PROTOCOL, law, group, 10, np.random.default_rng(group))
        drawn = Counter(robot.place(truth, NOTHING, NOTHING, []).click[:2] for _ in range(200))
        first, last = (np.searchsorted(ends, share) for share in (group / 10, (group + 1) / 10 - 1e-9))
        assert set(drawn) <= {(int(row), int(col)) for row, col in order[first : last + 1]}
        assert len(drawn) > (last - first) / 2


def test_random_clicks_are_never_repeated_and_end_with_the_errors() -> None:
    truth, clicks = box(2, 5, 3, 6), []
    robot = RandomRobot(PROTOCOL, "uniform", 9, 10, np.random.default_rng(0))
    for _ in range(9):
        clicks.append(robot.place(truth, NOTHING, NOTHING, clicks).click)
    assert len(set(clicks)) == 9
    assert robot.place(truth, NOTHING, NOTHING, clicks) == (None, "all_clicked")
    assert robot.place(truth, truth, NOTHING, []) == (None, "no_error_left")
