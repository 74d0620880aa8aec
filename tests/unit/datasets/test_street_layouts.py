"""What holds for the readers of all street scenes: classes, complete layouts, readable labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_layouts import litter, resave, save
from tiny_streets import HEIGHT, TINY, WIDTH, Tiny, read, save_deep

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.registry import categories, index_split
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

KEYS = ("00001", "00002")


@pytest.fixture(params=sorted(TINY))
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> Tiny:
    found = TINY[request.param]
    for key in KEYS:
        found.write(tmp_path, key)
    return found


def test_the_classes_are_those_of_cityscapes(tiny: Tiny, tmp_path: Path) -> None:
    assert categories(FolderConfig(kind=tiny.kind, root=".")) == CATEGORIES
    assert read(tiny.kind, tmp_path).categories == CATEGORIES


def test_the_index(tiny: Tiny, tmp_path: Path) -> None:
    frame = index_split(FolderConfig(kind=tiny.kind, root="."), tmp_path, "train").frame
    assert len(frame) == (8 if tiny.kind == "acdc" else 2)
    rows = frame[frame["image"] == tiny.image.format("00002")]
    assert rows["semantic"].tolist() == [tiny.labels[0].format("00002")]
    assert frame["image_id"].is_unique
    assert frame["image_id"].is_monotonic_increasing
    assert set(zip(frame["height"], frame["width"], strict=True)) == {(HEIGHT, WIDTH)}


def test_a_missing_label(tiny: Tiny, tmp_path: Path) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format("00002")
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(DatasetLayoutError, match=rf"{path}: is missing, one of 1 "):
            read(tiny.kind, tmp_path)
        path.write_bytes(content)
    assert read(tiny.kind, tmp_path)


def test_a_file_of_another_case(tiny: Tiny, tmp_path: Path) -> None:
    for pattern in (tiny.image, *tiny.labels):
        path = tmp_path / pattern.format("00002")
        other = path.rename(path.with_suffix(path.suffix.upper()))
        with pytest.raises(DatasetLayoutError, match=f"{other}: the layout names such files .*; one of 1 "):
            read(tiny.kind, tmp_path)
        other.rename(path)


def test_a_missing_image(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / tiny.image.format("00001")).unlink()
    with pytest.raises(DatasetLayoutError, match=rf"{tiny.labels[0].format('00001')}: has no image"):
        read(tiny.kind, tmp_path)


def test_an_image_in_another_format_is_named(tiny: Tiny, tmp_path: Path) -> None:
    path = tmp_path / tiny.image.format("00001")
    other = path.rename(path.with_suffix(".tiff"))
    with pytest.raises(DatasetLayoutError, match=rf"has no image.* \(there is {other}, in another format"):
        read(tiny.kind, tmp_path)


def test_a_missing_folder(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / Path(tiny.labels[0]).parts[0]).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetLayoutError, match=rf"{tmp_path}/.*: no such folder\. The layout of "):
        read(tiny.kind, tmp_path)


def test_a_split_that_there_is_not(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"has no split 'test', only 'train'"):
        read(tiny.kind, tmp_path, "test")


def test_labels_of_another_size(tiny: Tiny, tmp_path: Path) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format("00001")
        content = path.read_bytes()
        if tiny.kind == "synthia":
            save_deep(path, np.zeros((3, 4)), np.zeros((3, 4)))
        else:
            channels = () if Image.open(path).mode in ("L", "P") else (3,)
            save(path, np.zeros((3, 4, *channels), np.uint8))
        with pytest.raises(CorruptImageError, match=r"3 x 4.* from the same release") as caught:
            read(tiny.kind, tmp_path)
        assert str(path) in str(caught.value)
        path.write_bytes(content)


def test_truncated_labels(tiny: Tiny, tmp_path: Path) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format("00001")
        content = path.read_bytes()
        path.write_bytes(content[:-20])
        with pytest.raises(CorruptImageError, match=str(path)):
            read(tiny.kind, tmp_path)
        path.write_bytes(content)


def test_an_id_that_is_not_defined(tiny: Tiny, tmp_path: Path) -> None:
    path = tmp_path / tiny.labels[0].format("00002")
    unknown = np.full((HEIGHT, WIDTH), 77, np.uint8)
    if tiny.kind == "synthia":
        save_deep(path, unknown, unknown)
    else:
        save(path, unknown)
    with pytest.raises(LabelError, match=rf"{path}: .*77 is not "):
        read(tiny.kind, tmp_path)


def test_labels_in_another_depth(tiny: Tiny, tmp_path: Path) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format("00001")
        if path.suffix == ".mat":
            continue
        content = path.read_bytes()
        expected, found = resave(path)
        with pytest.raises(CorruptImageError, match=rf"{path}: expected {expected} bits, found {found}\."):
            read(tiny.kind, tmp_path)
        path.write_bytes(content)


def test_files_that_systems_leave_beside_data_are_passed_over(tiny: Tiny, tmp_path: Path) -> None:
    before = read(tiny.kind, tmp_path).ids
    litter(tmp_path)
    assert read(tiny.kind, tmp_path).ids == before
