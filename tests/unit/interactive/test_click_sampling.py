"""The laws of the first clicks, by their shares over many draws, and of iterative clicks."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from interactive_toys import toy_model
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.stats import binomtest, chisquare

from vfm_fusion.config.clicks import ClickSamplingConfig
from vfm_fusion.interactive.click_sampling import (
    SAMPLED_ORDER,
    Target,
    border_ring,
    draw_count,
    sample_points,
    sample_target,
)
from vfm_fusion.interactive.clicks import UNUSED, Click, points_tensor
from vfm_fusion.interactive.iterative_clicks import add_correction, click_on_errors

LAWS = ClickSamplingConfig()
SIZE = (40, 50)
SIGNIFICANCE = 1e-4  # of a fixed seed: one that fails is to be looked at, not drawn again


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


FIRST, SECOND, THIRD = box(5, 20, 5, 20), box(25, 35, 5, 15), box(10, 30, 30, 45)
OBJECTS = np.stack([FIRST, np.zeros(SIZE, bool), SECOND, THIRD])
KNOWN = np.zeros(SIZE, bool)


def target_of(*parts: np.ndarray, others: np.ndarray = KNOWN) -> Target:
    return Target(np.array(parts).reshape(-1, *SIZE), others, ~KNOWN)


def used(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, column) of the positive and of the negative clicks."""
    signs = points.reshape(2, -1, 3)
    for sign in signs:
        assert set(sign[sign[:, 0] != UNUSED][:, 2]) <= {SAMPLED_ORDER}
        assert (np.diff((sign[:, 0] == UNUSED).astype(int)) >= 0).all()  # the first slots are filled first
    return tuple(sign[sign[:, 0] != UNUSED][:, :2].astype(int) for sign in signs)


def follows(counts: Counter[int], most: int) -> bool:
    """Whether counts of n = 0 .. most follow .8^n, rare ones taken together."""
    shares = 0.8 ** np.arange(most + 1) / (0.8 ** np.arange(most + 1)).sum()
    observed = np.array([counts[n] for n in range(most + 1)])
    assert observed.sum() == counts.total()
    cut = 12
    observed, shares = (np.append(part[:cut], part[cut:].sum()) for part in (observed, shares))
    return chisquare(observed, shares * observed.sum()).pvalue > SIGNIFICANCE


@pytest.mark.parametrize("most", [23, 24])
def test_counts_fall_by_a_fifth(most: int) -> None:
    rng = np.random.default_rng(0)
    assert follows(Counter(draw_count(most, 0.8, rng) for _ in range(4000)), most)
    assert not follows(Counter(draw_count(most, 0.7, rng) for _ in range(4000)), most)


def test_numbers_of_clicks_follow_the_laws() -> None:
    rng = np.random.default_rng(1)
    drawn = [used(sample_points(target_of(FIRST), LAWS, rng)) for _ in range(2500)]
    assert follows(Counter(len(positive) - 1 for positive, _ in drawn), 23)
    assert follows(Counter(len(negative) for _, negative in drawn), 24)


def test_an_object_of_several_is_picked_evenly_and_two_are_merged_at_times() -> None:
    rng = np.random.default_rng(2)
    targets = [sample_target(OBJECTS, KNOWN, LAWS, rng) for _ in range(4000)]
    merged = sum(len(target.parts) == 2 for target in targets)
    assert binomtest(merged, 4000, 0.15).pvalue > SIGNIFICANCE
    single = Counter(int(t.parts[0].sum()) for t in targets if len(t.parts) == 1)
    assert chisquare([single[area] for area in (225, 100, 300)]).pvalue > SIGNIFICANCE
    assert single.total() + merged == 4000  # the object without pixels is never picked
    for target in targets[:50]:
        assert np.array_equal(target.mask | target.others, OBJECTS.any(axis=0))
        assert not (target.mask & target.others).any()


def test_overlapped_pixels_of_another_object_belong_to_the_target() -> None:
    objects = np.stack([box(0, 10, 0, 10), box(5, 20, 5, 20)])
    for seed in range(5):
        target = sample_target(objects, KNOWN, LAWS, np.random.default_rng(seed))
        assert not (target.mask & target.others).any()


def test_an_image_without_objects_has_negative_clicks_anywhere() -> None:
    rng = np.random.default_rng(3)
    negatives = []
    for objects in (np.zeros((0, *SIZE), bool), np.zeros((1, *SIZE), bool)):
        for _ in range(300):
            target = sample_target(objects, KNOWN, LAWS, rng)
            positive, negative = used(sample_points(target, LAWS, rng))
            assert not len(positive)
            negatives.append(negative)
    rows, cols = np.concatenate(negatives).T
    assert chisquare(np.bincount(rows // 10)).pvalue > SIGNIFICANCE
    assert chisquare(np.bincount(cols // 10)).pvalue > SIGNIFICANCE


def test_nine_objects_of_ten_have_all_clicks_off_their_rims() -> None:
    rng = np.random.default_rng(4)
    inner = binary_erosion(FIRST, np.ones((3, 3)), iterations=3)
    drawn = [used(sample_points(target_of(FIRST), LAWS, rng))[0] for _ in range(2000)]
    clicks = np.concatenate(drawn)
    assert FIRST[tuple(clicks.T)].all()
    inside = inner.sum() / FIRST.sum()
    on_rim = sum(not inner[tuple(each.T)].all() for each in drawn)
    expected = np.array([0.1 * (1 - inside ** len(each)) for each in drawn])
    assert abs(on_rim - expected.sum()) < 4 * np.sqrt((expected * (1 - expected)).sum())
    pixels = np.zeros(SIZE, int)
    np.add.at(pixels, tuple(clicks.T), 1)
    assert chisquare(pixels[inner]).pvalue > SIGNIFICANCE


@pytest.mark.parametrize(("side", "is_eroded"), [(10, True), (9, False)])
def test_an_erosion_to_ten_pixels_is_not_done(side: int, is_eroded: bool) -> None:
    """A square of 10 keeps 16 pixels, one of 9 only 9."""
    rng, mask = np.random.default_rng(5), box(5, 5 + side, 5, 5 + side)
    laws = ClickSamplingConfig(erode=1.0)
    clicks = np.concatenate([used(sample_points(target_of(mask), laws, rng))[0] for _ in range(100)])
    assert ((clicks.min() >= 8) and (clicks.max() < 2 + side)) == is_eroded


def test_merged_objects_have_a_click_each_first() -> None:
    rng = np.random.default_rng(6)
    counts, on_first = Counter(), 0
    for _ in range(2500):
        positive, _ = used(sample_points(target_of(FIRST, THIRD), LAWS, rng))
        assert FIRST[tuple(positive[0])]
        assert THIRD[tuple(positive[1])]
        assert (FIRST | THIRD)[tuple(positive.T)].all()
        counts[len(positive) - 2] += 1
        on_first += FIRST[tuple(positive[2:].T)].sum()
    more = sum(number * count for number, count in counts.items())
    assert binomtest(int(on_first), more, 0.5).pvalue > SIGNIFICANCE  # although it is the smaller one
    observed = np.array([counts[n] for n in range(23)])  # 22 to 24 are cut at 24 clicks
    shares = 0.8 ** np.arange(25) / (0.8 ** np.arange(25)).sum()
    shares = np.append(shares[:12], shares[12:].sum())
    assert chisquare(np.append(observed[:12], observed[12:].sum()), shares * 2500).pvalue > SIGNIFICANCE


def test_negative_clicks_share_three_places() -> None:
    rng = np.random.default_rng(7)
    ring = border_ring(FIRST, LAWS.border_ratio)
    assert not (ring & THIRD).any()
    drawn = [used(sample_points(target_of(FIRST, others=THIRD), LAWS, rng))[1] for _ in range(800)]
    clicks = np.concatenate(drawn)
    assert not FIRST[tuple(clicks.T)].any()
    background = ~FIRST
    rest = background & ~ring & ~THIRD
    shares = [
        0.5 + 0.1 * ring.sum() / background.sum(),
        0.4 + 0.1 * THIRD.sum() / background.sum(),
        0.1 * rest.sum() / background.sum(),
    ]
    observed = [place[tuple(clicks.T)].sum() for place in (ring, THIRD, rest)]
    assert chisquare(observed, np.array(shares) * len(clicks)).pvalue > SIGNIFICANCE


def test_without_other_objects_their_clicks_go_to_the_background() -> None:
    rng, laws = np.random.default_rng(8), ClickSamplingConfig(background=0.0, others=1.0, border=0.0)
    drawn = [used(sample_points(target_of(FIRST), laws, rng))[1] for _ in range(200)]
    clicks = np.concatenate(drawn)
    assert follows(Counter(map(len, drawn)), 24)
    assert not FIRST[tuple(clicks.T)].any()
    assert (clicks[:, 1] > 30).any()


def test_clicks_without_place_are_left_out() -> None:
    whole = Target(np.ones((1, *SIZE), bool), KNOWN, ~KNOWN)
    assert not len(used(sample_points(whole, LAWS, np.random.default_rng(9)))[1])


def test_negative_clicks_avoid_pixels_of_unknown_label() -> None:
    rng, ignored = np.random.default_rng(10), ~FIRST
    ignored[30:] = False
    target = Target(FIRST[None], THIRD, ~ignored)
    clicks = np.concatenate([used(sample_points(target, LAWS, rng))[1] for _ in range(50)])
    assert clicks[:, 0].min() >= 30


def test_the_ring_is_a_tenth_of_the_objects_size() -> None:
    for ratio, iterations in ((0.1, 2), (0.2, 3)):  # the root of the area is 15
        expected = binary_dilation(FIRST, np.ones((3, 3)), iterations=iterations) & ~FIRST
        np.testing.assert_array_equal(border_ring(FIRST, ratio), expected)


def test_draws_repeat_with_their_seed() -> None:
    first, second = (sample_points(target_of(FIRST), LAWS, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_correction_lies_deep_in_the_deeper_error() -> None:
    labels, predicted = np.where(FIRST | SECOND, 1, 0), np.where(SECOND | THIRD, 0.9, 0.1)
    places = Counter()
    for seed in range(300):
        points = torch.full((8, 3), UNUSED)
        add_correction(points, 1, predicted, labels, 0.49, np.random.default_rng(seed))
        (slot,) = (points[:, 0] != UNUSED).nonzero().flatten().tolist()
        assert slot == 7  # THIRD, 20 x 15, is as deep as FIRST, 15 x 15: negative, in the last slot
        row, col, order = points[slot].tolist()
        assert order == 1
        places[int(row), int(col)] += 1
    depths = cv2.distanceTransform(np.pad(THIRD.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    allowed = {tuple(pixel) for pixel in np.argwhere(depths > depths.max() / 2).tolist()}
    assert set(places) <= allowed
    assert len(places) > 0.7 * len(allowed)


def test_a_missed_object_is_clicked_in_the_last_positive_slots_but_order() -> None:
    points = points_tensor([[Click(1, 1, True), Click(2, 2, True)]], slots=2)[0]
    for order in (1, 2, 3):
        add_correction(points, order, np.zeros(SIZE), np.where(FIRST, 1, 0), 0.49, np.random.default_rng(0))
    assert points[:2, 2].tolist() == [3, 1]  # the third had to take the first slot
    assert points[2:].eq(UNUSED).all()


def test_ignored_pixels_and_perfect_masks_are_not_corrected() -> None:
    for labels, predicted in (
        (np.where(THIRD, -1, np.where(FIRST, 1, 0)), np.where(FIRST | THIRD, 0.9, 0.1)),
        (np.where(FIRST, 1, 0), np.full(SIZE, 0.49)),  # neither below nor above
    ):
        points = torch.full((4, 3), UNUSED)
        add_correction(points, 1, predicted, labels, 0.49, np.random.default_rng(0))
        assert points.eq(UNUSED).all()


def test_iterative_clicks_follow_the_models_own_errors() -> None:
    model = toy_model(inject="late_lr").train()
    seen = model.see(torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0)))
    truth = torch.zeros(2, 1, 48, 64)
    truth[:, :, 10:30, 20:50] = 1
    first = points_tensor([[Click(20, 30, True)], [Click(15, 25, True)]], slots=6)
    for rounds in range(4):
        rngs = [np.random.default_rng(rounds), np.random.default_rng(9)]
        points, previous = click_on_errors(model, seen, first, truth, LAWS.threshold, rounds, rngs)
        assert int((points[..., 2] != first[..., 2]).sum()) == 2 * rounds
        assert previous.any() == (rounds > 0)
        if rounds == 1:
            assert torch.equal(previous, model.answer(seen, torch.zeros_like(truth), first).sigmoid())
        assert not previous.requires_grad
    assert model.training
    assert model.head.training
    assert first[:, 1:6].eq(UNUSED).all()  # the first clicks are left as they were
