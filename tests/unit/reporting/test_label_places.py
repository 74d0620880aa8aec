"""Labels of points: none on another or on a point where there is room; the same places every time."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import reporting_results as results
from matplotlib.text import Annotation, Text

from vfm_fusion.reporting.figures.sc_ef_plane import sc_ef_plane_figure
from vfm_fusion.reporting.label_places import place_labels

NO_LINES = np.empty((0, 4))
WITHOUT_INK = np.array([0.3, 2.5, -0.3, -0.5])
"""Pixels from the box of a text to the ink of digits, at 100 dots per inch."""
FRAME = (0.0, 0.0, 200.0, 150.0)


def placed(points: np.ndarray, lines: np.ndarray = NO_LINES, frame=FRAME) -> np.ndarray:
    """Boxes of labels of 7 x 5 at points of radius 2.5."""
    radii, sizes = np.full(len(points), 2.5), [(7.0, 5.0)] * len(points)
    centres, half = points + place_labels(points, radii, sizes, lines, frame), np.array([3.5, 2.5])
    return np.concatenate([centres - half, centres + half], axis=1)


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((np.minimum(one[2:], other[2:]) > np.maximum(one[:2], other[:2]) + 1e-9).all())


def test_a_lone_label_stands_above_its_point() -> None:
    np.testing.assert_allclose(placed(np.array([[50.0, 50.0]])), [[46.5, 53.5, 53.5, 58.5]])


@pytest.mark.parametrize("seed", range(5))
def test_labels_overlap_neither_each_other_nor_points_and_stay_within_the_frame(seed: int) -> None:
    points = np.random.default_rng(seed).uniform((40, 40), (110, 100), (28, 2))
    boxes = placed(points)
    assert not any(overlap(one, other) for one, other in itertools.combinations(boxes, 2))
    markers = np.concatenate([points - 2.5, points + 2.5], axis=1)
    assert not any(overlap(box, marker) for box in boxes for marker in markers)
    assert (boxes[:, :2] >= FRAME[:2]).all()
    assert (boxes[:, 2:] <= FRAME[2:]).all()
    np.testing.assert_array_equal(placed(points), boxes)


def test_labels_of_one_place_lie_around_it() -> None:
    boxes = placed(np.full((8, 2), 50.0))
    assert not any(overlap(one, other) for one, other in itertools.combinations(boxes, 2))


def test_a_label_leaves_lines_and_the_edge() -> None:
    line = np.array([[50.0, 50.0, 50.0, 90.0]])
    below = placed(np.array([[50.0, 50.0]]), line)[0]
    assert below[3] < 50
    at_the_top = placed(np.array([[50.0, 148.0]]))[0]
    assert at_the_top[3] <= FRAME[3]


def test_strides_in_the_plane_do_not_overlap(selection: dict[str, Any]) -> None:
    """Twelve encoders close to each other, and one without a score."""
    labels = {
        f"e{i}": {"label": f"Encoder {i}", "pretraining": "pretrained on images " * 3} for i in range(13)
    }
    rng = np.random.default_rng(0)
    rows = [
        (f"e{i}", "paper", stride, score, *values, 80, 0, None)
        for i in range(13)
        for stride in results.STRIDES
        for score, level in (("sc", 0.5 + 0.02 * rng.normal()), ("ef", 8 + rng.normal()))
        for values in [[np.nan] * 3 if i == 12 else [level, 0.99 * level, 1.01 * level]]
    ]
    columns = ["encoder", "definition", "stride", "score", "mean", "ci_low", "ci_high", "images", "undefined"]
    profiles = pd.DataFrame(rows, columns=[*columns, "reason"])
    chosen = {"master": "e0", "auxiliary": "e1", "stride": 8}
    figure = sc_ef_plane_figure(profiles, labels, selection | chosen)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    shown = [text for text in axes.texts if isinstance(text, Annotation)]
    assert sorted(text.get_text() for text in shown) == sorted(12 * ["16", "32", "4", "8"])
    boxes = [Text.get_window_extent(text).extents for text in shown]  # without the line to the point
    inked = [box + WITHOUT_INK for box in boxes]
    assert not any(overlap(one, other) for one, other in itertools.combinations(inked, 2))
    assert axes.bbox.height / figure.dpi > 1.8
