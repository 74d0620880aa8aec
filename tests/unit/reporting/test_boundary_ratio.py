"""Boundary-to-area ratio: closed forms on squares, and real labels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.datasets.base import Category, Sample
from vfm_fusion.errors import ReportingError, ShapeError
from vfm_fusion.reporting.boundary_ratio import (
    boundary_to_area,
    class_ratios,
    group_by_ratio,
    segment_borders,
)

REALDATA = Path(os.environ.get("VFM_REALDATA", Path(__file__).parents[3] / ".." / "shared" / "realdata"))


def square(side: int, size: int = 64, top: int = 10, left: int = 10, value: int = 1) -> np.ndarray:
    semantic = np.zeros((size, size), np.uint8)
    semantic[top : top + side, left : left + side] = value
    return semantic


@given(st.integers(2, 40))
def test_square_inside_the_image(side: int) -> None:
    assert boundary_to_area([(square(side), None)], [1])[1] == pytest.approx((4 * side - 4) / side**2)


def test_frame_of_the_image_is_no_boundary() -> None:
    corner = square(8, top=0, left=0)
    assert boundary_to_area([(corner, None)], [1])[1] == pytest.approx(15 / 64)
    assert boundary_to_area([(np.ones((8, 8), np.uint8), None)], [1])[1] == 0.0


def test_instances_separate_touching_squares() -> None:
    semantic = np.zeros((20, 20), np.uint8)
    semantic[5:11, 4:16] = 1  # two squares of side 6, side by side
    instances = np.zeros((20, 20), np.int32)
    instances[5:11, 4:10] = 1
    instances[5:11, 10:16] = 2
    one = boundary_to_area([(semantic, None)], [1])[1]
    two = boundary_to_area([(semantic, instances)], [1])[1]
    assert one == pytest.approx((2 * 12 + 2 * 6 - 4) / 72)
    assert two == pytest.approx((4 * 6 - 4) / 36)


def test_images_are_pooled_not_averaged() -> None:
    pooled = boundary_to_area([(square(4), None), (square(20), None)], [1])[1]
    assert pooled == pytest.approx((12 + 76) / (16 + 400))


def test_absent_class_is_undefined_and_void_never_counts() -> None:
    semantic = square(6, value=255)
    ratios = boundary_to_area([(semantic, None)], [0, 3])
    assert np.isnan(ratios[3])
    assert set(ratios) == {0, 3}


def test_wrong_maps_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"uint8, found .* int64"):
        boundary_to_area([(np.zeros((4, 4), np.int64), None)], [0])
    with pytest.raises(ShapeError, match=r"expected \(4, 4\) of integers, found \(4, 5\)"):
        boundary_to_area([(np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.int32))], [0])


def test_borders_of_a_checkerboard_are_everywhere() -> None:
    board = np.indices((6, 6)).sum(axis=0) % 2
    assert segment_borders(board).all()
    assert not segment_borders(np.zeros((6, 6), int)).any()


def test_groups_split_at_the_median() -> None:
    sensitive, large, median = group_by_ratio(
        {"person": 0.3, "car": 0.1, "bus": 0.05, "rider": 0.4, "train": float("nan")}
    )
    assert (sensitive, large) == (["rider", "person"], ["car", "bus"])
    assert median == pytest.approx(0.2)


def test_groups_of_one_class_and_of_none() -> None:
    assert group_by_ratio({"car": 0.1}) == ([], ["car"], 0.1)
    sensitive, large, median = group_by_ratio({"car": float("nan")})
    assert (sensitive, large) == ([], [])
    assert np.isnan(median)


class _Split:
    """Two labelled images, as a data set gives them."""

    categories = (Category(0, "road", False, (0, 0, 0)), Category(1, "car", True, (0, 0, 0)))

    def __init__(self, *semantic: np.ndarray | None) -> None:
        self._semantic = semantic

    def __len__(self) -> int:
        return len(self._semantic)

    def __getitem__(self, position: int) -> Sample:
        image = np.zeros((64, 64, 3), np.uint8)
        return Sample(f"i{position}", image, self._semantic[position], None)


def test_class_ratios_of_a_split() -> None:
    splits = _Split(square(4)), _Split(square(20))
    assert class_ratios(*splits) == pytest.approx(class_ratios(_Split(square(4), square(20))), nan_ok=True)
    ratios = class_ratios(_Split(square(4), square(20)))
    assert list(ratios) == ["road", "car"]
    assert ratios["car"] == pytest.approx((12 + 76) / (16 + 400))
    with pytest.raises(ReportingError, match="image 'i1' has no labels"):
        class_ratios(_Split(square(4), None))


@pytest.mark.realdata
def test_thin_classes_of_real_streets_have_higher_ratios_than_large_ones() -> None:
    folder = REALDATA / "images" / "camvid"
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set VFM_REALDATA")
    from vfm_fusion.config.datasets import FolderConfig
    from vfm_fusion.datasets.registry import index_split, open_dataset

    config = FolderConfig(kind="camvid", root=str(folder))
    dataset = open_dataset(config, folder, index_split(config, folder, "val").frame.iloc[::5])
    by_name = {name.lower(): ratio for name, ratio in class_ratios(dataset).items()}
    thin = [ratio for name, ratio in by_name.items() if "pole" in name]
    large = [ratio for name, ratio in by_name.items() if name in ("sky", "road", "building")]
    assert len(thin) == 1
    assert len(large) == 3
    assert thin[0] > 3 * max(large)
