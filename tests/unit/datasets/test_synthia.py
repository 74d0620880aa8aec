"""SYNTHIA-RAND-CITYSCAPES: classes, and 16-bit labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_layouts import save
from tiny_streets import TINY, read

from vfm_fusion.datasets.base import VOID
from vfm_fusion.datasets.readers.synthia import semantic_from_classes
from vfm_fusion.errors import CorruptImageError, LabelError

# class -> train id, as in the benchmarks with 16 classes
BENCHMARK = {1: 10, 2: 2, 3: 0, 4: 1, 5: 4, 6: 8, 7: 5, 8: 13, 9: 7, 10: 11, 11: 18, 12: 17, 15: 6, 17: 12}
BENCHMARK |= {19: 15, 21: 3}


def test_classes_become_train_ids() -> None:
    classes = np.arange(23, dtype=np.uint16).reshape(1, 23)
    expected = [BENCHMARK.get(number, VOID) for number in range(23)]
    found = semantic_from_classes(classes, Path("a.png"))
    assert found.ravel().tolist() == expected
    assert found.dtype == np.uint8
    assert sorted({*expected} - {VOID}) == sorted({*range(19)} - {9, 14, 16})  # no terrain, truck, train


@pytest.mark.parametrize("unknown", [23, 255, 65_535])
def test_an_unknown_class_is_named(unknown: int) -> None:
    with pytest.raises(LabelError, match=rf"a\.png: class {unknown} is not"):
        semantic_from_classes(np.array([[3, unknown]], np.uint16), Path("a.png"))


def test_classes_and_objects(tmp_path: Path) -> None:
    TINY["synthia"].write(tmp_path, "0000000")
    sample = read("synthia", tmp_path)[0]
    assert sample.semantic.tolist() == [[0, 13, 13, VOID], [VOID, 12, 18, 11]]
    # object 1000 needs 16 bits; the rider and the bicycle have one number; the person has none
    assert sample.instances.ids.tolist() == [[0, 5, 2, 0], [0, 3, 4, 1]]
    assert sample.instances.categories.tolist() == [11, 13, 12, 18, 13]
    assert sample.instances.crowd.tolist() == [True, False, False, False, False]


def test_the_fixture_is_what_pillow_cannot_read(tmp_path: Path) -> None:
    TINY["synthia"].write(tmp_path, "0000000")
    path = tmp_path / "GT/LABELS/0000000.png"
    assert path.read_bytes()[24] == 16  # bits a sample
    assert not np.array(Image.open(path)).any(axis=2)[0, 0]  # the high byte of class 3


def test_one_channel_is_refused(tmp_path: Path) -> None:
    TINY["synthia"].write(tmp_path, "0000000")
    save(tmp_path / "GT/LABELS/0000000.png", np.zeros((2, 4), np.uint8))
    with pytest.raises(CorruptImageError, match=r"LABELS/0000000\.png: expected three channels .*found 1 "):
        read("synthia", tmp_path)


def test_train_ids_that_tools_wrote_are_passed_over(tmp_path: Path) -> None:
    TINY["synthia"].write(tmp_path, "0000000")
    save(tmp_path / "GT/LABELS/0000000_labelTrainIds.png", np.zeros((2, 4), np.uint8))
    assert read("synthia", tmp_path).ids == ("0000000",)
