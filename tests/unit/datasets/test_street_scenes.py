"""Conversion of the rasters of street scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_layouts import save
from tiny_streets import packed

from vfm_fusion.datasets.rasters import read_packed_ids
from vfm_fusion.datasets.readers.street_scenes import objects_from_numbers, semantic_from_train_ids
from vfm_fusion.errors import CorruptImageError, LabelError

FILE = Path("some_train_id.png")


def test_train_ids_stay() -> None:
    raster = np.array([[*range(19), 255]], np.uint8)
    assert semantic_from_train_ids(raster, FILE).tolist() == raster.tolist()


def test_further_void_ids() -> None:
    raster = np.array([[18, 19, 255]], np.uint8)
    assert semantic_from_train_ids(raster, FILE, also_void={19}).tolist() == [[18, 255, 255]]
    with pytest.raises(
        LabelError, match=r"some_train_id\.png: id 19 is not a train id \(0\.\.18; void: 255\)"
    ):
        semantic_from_train_ids(raster, FILE)


@pytest.mark.parametrize("unknown", [20, 33, 254])
def test_an_unknown_train_id_is_named(unknown: int) -> None:
    with pytest.raises(LabelError, match=rf"id {unknown} .*void: 19, 255"):
        semantic_from_train_ids(np.array([[0, unknown]], np.uint8), FILE, also_void={19})


def test_packed_ids(tmp_path: Path) -> None:
    numbers = np.array([[0, 255, 256], [65_535, 65_536, 16_777_215]])
    save(tmp_path / "a.png", packed(numbers))
    found = read_packed_ids(tmp_path / "a.png")
    assert found.tolist() == numbers.tolist()
    assert found.dtype == np.int32
    save(tmp_path / "alpha.png", np.dstack([packed(numbers), np.full((2, 3), 255, np.uint8)]))
    assert read_packed_ids(tmp_path / "alpha.png").tolist() == numbers.tolist()


def test_packed_ids_need_colour(tmp_path: Path) -> None:
    save(tmp_path / "grey.png", np.zeros((2, 3), np.uint8))
    with pytest.raises(CorruptImageError, match=r"grey\.png: expected 8-bit red.*found 1 channels of 8 bits"):
        read_packed_ids(tmp_path / "grey.png")


def test_objects_share_a_number_and_a_thing_class() -> None:
    semantic = np.array([[0, 13, 13, 13], [12, 18, 11, 255], [10, 13, 13, 11]], np.uint8)
    numbers = np.array([[5, 70_000, 2, 70_000], [3, 3, 0, 2], [2, 0, 0, 0]])
    found = objects_from_numbers(numbers, semantic)
    # crowds: person, car; then (2, car), (3, rider), (3, bicycle), (70000, car)
    assert found.categories.tolist() == [11, 13, 13, 12, 18, 13]
    assert found.crowd.tolist() == [True, True, False, False, False, False]
    assert found.ids.tolist() == [[0, 6, 3, 6], [4, 5, 1, 0], [0, 2, 2, 1]]
    assert found.ids.dtype == np.int32
    assert found.categories.dtype == np.int64


def test_no_things() -> None:
    found = objects_from_numbers(np.ones((2, 2), np.uint16), np.zeros((2, 2), np.uint8))
    assert len(found) == 0
    assert not found.ids.any()
