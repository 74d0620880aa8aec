"""What holds for the data sets with rasters of ids of their own: complete layouts, readable labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_layouts import litter, resave, save
from tiny_rasters import HEIGHT, TINY, WIDTH, TinySet, photo, read, write_mat

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.registry import categories, index_split
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

KEYS = ("0000000001", "0000000002")


@pytest.fixture(params=sorted(TINY))
def tiny(request: pytest.FixtureRequest, tmp_path: Path) -> TinySet:
    found = TINY[request.param]
    for key in KEYS:
        found.write(tmp_path, key)
    return found


def test_classes_are_numbered_from_0_and_have_names_and_colours(tiny: TinySet, tmp_path: Path) -> None:
    found = categories(FolderConfig(kind=tiny.kind, root="."))
    assert read(tiny.kind, tmp_path).categories == found
    assert [category.id for category in found] == list(range(len(found)))
    assert len({category.name for category in found}) == len(found)
    colours = {category.color for category in found}
    assert len(colours) == len(found) - (tiny.kind == "ade20k")  # road and skyscraper are of one grey there
    assert all(0 <= channel <= 255 for colour in colours for channel in colour)


def test_the_index(tiny: TinySet, tmp_path: Path) -> None:
    frame = index_split(FolderConfig(kind=tiny.kind, root="."), tmp_path, "val").frame
    assert frame["image"].tolist() == [tiny.image.format(key) for key in KEYS]
    assert frame["semantic"].tolist() == [tiny.labels[0].format(key) for key in KEYS]
    if len(tiny.labels) == 2:
        assert frame["instance"].tolist() == [tiny.labels[1].format(key) for key in KEYS]
    else:
        assert frame["instance"].isna().all()
    assert set(zip(frame["height"], frame["width"], strict=True)) == {(HEIGHT, WIDTH)}


def test_every_object_lies_on_pixels_and_is_a_thing(tiny: TinySet, tmp_path: Path) -> None:
    dataset = read(tiny.kind, tmp_path)
    things = {category.id for category in dataset.categories if category.isthing}
    for sample in dataset:
        assert sample.semantic.shape == (HEIGHT, WIDTH)
        assert sample.semantic.dtype == np.uint8
        if sample.instances is not None:
            assert sample.instances.ids.dtype == np.int32
            assert sample.instances.categories.dtype == np.int64
            assert set(sample.instances.categories.tolist()) <= things
            assert np.unique(sample.instances.ids).tolist() == list(range(len(sample.instances) + 1))


def test_a_missing_label(tiny: TinySet, tmp_path: Path) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format(KEYS[1])
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(DatasetLayoutError, match=rf"{path}: (is missing|no such file), one of 1 "):
            read(tiny.kind, tmp_path)
        path.write_bytes(content)
    assert read(tiny.kind, tmp_path)


def test_a_file_of_another_case(tiny: TinySet, tmp_path: Path) -> None:
    for pattern in (tiny.image, *tiny.labels):
        path = tmp_path / pattern.format(KEYS[1])
        other = path.rename(path.with_suffix(path.suffix.upper()))
        message = rf"({other}: the layout names such files .*; one of 1|{path}: no such file, one of 1) "
        with pytest.raises(DatasetLayoutError, match=message):
            read(tiny.kind, tmp_path)
        other.rename(path)


def test_a_missing_image(tiny: TinySet, tmp_path: Path) -> None:
    (tmp_path / tiny.image.format(KEYS[0])).unlink()
    with pytest.raises(
        DatasetLayoutError, match=f"{KEYS[0]}.*(has no image|is missing|no such file), one of 1 "
    ):
        read(tiny.kind, tmp_path)


def test_a_missing_split(tiny: TinySet, tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"no such (folder|file)\. "):
        read(tiny.kind, tmp_path, "train")


def test_an_empty_folder(tiny: TinySet, tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"no such (folder|file)\. "):
        read(tiny.kind, tmp_path / "elsewhere")


def test_labels_of_another_size(tiny: TinySet, tmp_path: Path) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format(KEYS[0])
        content = path.read_bytes()
        if path.suffix == ".mat":
            name = "GTcls" if "cls" in pattern else "GTinst"
            write_mat(path, name, np.zeros((1, WIDTH), np.uint8), Categories=[])
        else:
            with Image.open(path) as file:
                save(path, np.array(file)[:1])
        with pytest.raises(
            CorruptImageError, match=rf"{path}: the labels are 1 x 4 .*'.*{KEYS[0]}' is 3 x 4"
        ):
            read(tiny.kind, tmp_path)
        path.write_bytes(content)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_damaged_labels(tiny: TinySet, tmp_path: Path, damage: str) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format(KEYS[0])
        content = path.read_bytes()
        path.write_bytes(
            {"truncated": content[: len(content) // 2], "empty": b"", "text": b"no raster"}[damage]
        )
        with pytest.raises(CorruptImageError, match=rf"{path}: "):
            read(tiny.kind, tmp_path)
        path.write_bytes(content)


@pytest.mark.parametrize("name", sorted(name for name in TINY if not name.startswith("sbd")))
def test_a_colour_rendering_is_no_label(name: str, tmp_path: Path) -> None:
    TINY[name].write(tmp_path, KEYS[0])
    path = tmp_path / TINY[name].labels[0].format(KEYS[0])
    photo(path)
    with pytest.raises(CorruptImageError, match=rf"{path}: expected one channel of ids"):
        read(TINY[name].kind, tmp_path)


UNKNOWN = {
    "coco_stuff": (11, 182, 254),
    "ade20k": (151, 255),
    "mapillary": (66, 255),
    "kitti360": (45, 255),
    "sbd": (21, 255),
}


def test_an_id_that_is_not_defined(tiny: TinySet, tmp_path: Path) -> None:
    path = tmp_path / tiny.labels[0].format(KEYS[0])
    for unknown in UNKNOWN[tiny.kind]:
        labels = np.full((HEIGHT, WIDTH), unknown, np.uint8)
        if path.suffix == ".mat":
            write_mat(path, "GTcls", labels)
        else:
            save(path, labels)
        with pytest.raises(LabelError, match=rf"{path}: id {unknown} is not one of "):
            read(tiny.kind, tmp_path)


def test_labels_in_another_depth(tiny: TinySet, tmp_path: Path) -> None:
    for pattern in tiny.labels:
        path = tmp_path / pattern.format(KEYS[0])
        if path.suffix == ".mat":
            continue
        content = path.read_bytes()
        expected, found = resave(path)
        with pytest.raises(CorruptImageError, match=rf"{path}: expected {expected} bits, found {found}\."):
            read(tiny.kind, tmp_path)
        path.write_bytes(content)


def test_files_that_systems_leave_beside_data_are_passed_over(tiny: TinySet, tmp_path: Path) -> None:
    before = read(tiny.kind, tmp_path).ids
    litter(tmp_path)
    assert read(tiny.kind, tmp_path).ids == before
