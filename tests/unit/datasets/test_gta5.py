"""GTA5: its palette files, and its split file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from tiny_layouts import save
from tiny_streets import TINY, read

from vfm_fusion.datasets.base import VOID
from vfm_fusion.errors import DatasetLayoutError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(1, 6):
        TINY["gta5"].write(tmp_path, f"{number:05d}")
    return tmp_path


def _write_split(root: Path, train: list[int], val: list[int]) -> None:
    columns = {"trainIds": np.array([train]).T, "valIds": np.array([val]).T, "testIds": np.array([[5]])}
    savemat(root / "split.mat", {name: ids.astype(np.uint16) for name, ids in columns.items()})


def test_classes(root: Path) -> None:
    sample = read("gta5", root)[0]
    assert sample.semantic.tolist() == [[0, 13, VOID, VOID], [18, VOID, 2, 10]]
    assert sample.instances is None


def test_everything_trains_without_a_split_file(root: Path) -> None:
    assert read("gta5", root).ids == ("00001", "00002", "00003", "00004", "00005")
    with pytest.raises(DatasetLayoutError, match=r"GTA5 without split\.mat has no split 'val', only 'train'"):
        read("gta5", root, "val")


def test_the_official_splits(root: Path) -> None:
    _write_split(root, [3, 1], [2, 4])
    assert read("gta5", root).ids == ("00001", "00003")
    assert read("gta5", root, "val").ids == ("00002", "00004")


def test_images_that_the_split_file_lists_are_needed(root: Path) -> None:
    _write_split(root, [1, 2], [3, 24_966, 17])
    with pytest.raises(DatasetLayoutError, match=r"00017\.png: no such file, one of 2 .*'val'"):
        read("gta5", root, "val")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"<html>404</html>" * 40])
def test_a_damaged_split_file(root: Path, content: bytes) -> None:
    (root / "split.mat").write_bytes(content)
    with pytest.raises(DatasetLayoutError, match=r"split\.mat: cannot be read"):
        read("gta5", root)


def test_another_split_file(root: Path) -> None:
    savemat(root / "split.mat", {"train": np.arange(3)})
    with pytest.raises(DatasetLayoutError, match=r"split\.mat: .*'trainIds'"):
        read("gta5", root)
    savemat(root / "split.mat", {"trainIds": np.array(["first", "second"])})
    with pytest.raises(DatasetLayoutError, match=r"split\.mat: cannot be read"):
        read("gta5", root)


def test_train_ids_that_tools_wrote_are_passed_over(root: Path) -> None:
    save(root / "labels/00001_labelTrainIds.png", np.full((2, 4), 3, np.uint8))
    dataset = read("gta5", root)
    assert len(dataset) == 5
    assert dataset.path("semantic", 0) == root / "labels/00001.png"
