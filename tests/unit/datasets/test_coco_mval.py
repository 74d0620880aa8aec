"""COCO-MVal: its layout, and what its masks mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_interactive import mask, photo, read

from vfm_fusion.errors import DatasetLayoutError


def test_one_object_a_photo(tmp_path: Path) -> None:
    for name in ("airplane_1", "airplane_2"):
        photo(tmp_path / f"img/{name}.jpg")
    values = np.array([[0, 100, 129, 255], [0, 0, 255, 255], [0, 0, 0, 0]], np.uint8)
    mask(tmp_path / "gt/airplane_1.png", values)
    mask(tmp_path / "gt/airplane_2.png", np.repeat(values[..., None], 3, axis=2))
    dataset = read("coco_mval", tmp_path)
    assert dataset.ids == ("airplane_1", "airplane_2")
    for sample in dataset:
        assert sample.semantic.tolist() == [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]
        assert sample.instances.ids.tolist() == sample.semantic.tolist()


def test_a_photo_without_mask(tmp_path: Path) -> None:
    photo(tmp_path / "img/a.jpg")
    (tmp_path / "gt").mkdir()
    with pytest.raises(DatasetLayoutError, match=r"gt/a\.\*: is missing"):
        read("coco_mval", tmp_path)
