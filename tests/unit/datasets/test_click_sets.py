"""GrabCut, Berkeley and DAVIS: their layouts, and what their masks mean."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_interactive import TRIMAP, mask, photo, read
from tiny_layouts import litter

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.click_benchmarks import differing
from vfm_fusion.datasets.registry import categories, index_split
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

FOLDERS = {"grabcut": ("data_GT", "boundary_GT"), "berkeley": ("images", "masks"), "davis": ("img", "gt")}


def _write(root: Path, kind: str, stem: str = "vase") -> None:
    photos, masks = FOLDERS[kind]
    photo(root / photos / f"{stem}.jpg")
    mask(root / masks / f"{stem}.png", TRIMAP)


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_classes(kind: str) -> None:
    found = categories(FolderConfig(kind=kind, root="."))
    assert [(c.id, c.name, c.isthing) for c in found] == [(0, "background", False), (1, "object", True)]


@pytest.mark.parametrize("kind", ["grabcut", "berkeley"])
def test_a_trimap(tmp_path: Path, kind: str) -> None:
    _write(tmp_path, kind)
    sample = read(kind, tmp_path)[0]
    assert sample.image_id == "vase"
    assert sample.semantic.tolist() == [[0, 0, 255, 1], [0, 0, 255, 1], [0, 0, 255, 1]]
    assert sample.semantic.dtype == np.uint8
    assert sample.instances.ids.tolist() == [[0, 0, 0, 1]] * 3
    assert sample.instances.ids.dtype == np.int32
    assert sample.instances.categories.tolist() == [1]
    assert sample.instances.crowd.tolist() == [False]


def test_the_other_folders_of_grabcut(tmp_path: Path) -> None:
    photo(tmp_path / "images/banana1.JPG")
    mask(tmp_path / "masks/banana1.bmp", TRIMAP)
    dataset = read("grabcut", tmp_path)
    assert dataset.path("image", 0) == tmp_path / "images/banana1.JPG"
    assert dataset.path("semantic", 0) == dataset.path("instance", 0) == tmp_path / "masks/banana1.bmp"


def test_masks_saved_in_colour(tmp_path: Path) -> None:
    photo(tmp_path / "images/189011a.jpg")
    colour = np.repeat(TRIMAP[..., None], 3, axis=2)
    colour[2, 3] = (255, 0, 255)  # as in a few pixels of the release
    mask(tmp_path / "masks/189011a.png", colour)
    assert read("berkeley", tmp_path)[0].semantic.tolist() == [[0, 0, 255, 1], [0, 0, 255, 1], [0, 0, 255, 1]]


def test_the_numbered_objects_of_davis_are_one(tmp_path: Path) -> None:
    photo(tmp_path / "img/007.jpg", 2, 3)
    numbered = np.array([[0, 1, 2], [3, 0, 255]], np.uint8)
    palette = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, *[0] * 753, 224, 224, 192]
    mask(tmp_path / "gt/007.png", numbered, palette)
    sample = read("davis", tmp_path)[0]
    assert sample.semantic.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert sample.instances.ids.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert len(sample.instances) == 1


@pytest.mark.parametrize("kind", FOLDERS)
def test_what_is_no_photo_is_passed_over(tmp_path: Path, kind: str) -> None:
    _write(tmp_path, kind)
    (tmp_path / FOLDERS[kind][1] / "readme.txt").write_text("x")
    litter(tmp_path)
    assert read(kind, tmp_path).ids == ("vase",)


@pytest.mark.parametrize("suffix", ["webp", "WEBP", "avif", "gif", "jfif", "jpe", "pgm", "ppm", "tif"])
def test_any_common_format(tmp_path: Path, suffix: str) -> None:
    photo(tmp_path / f"img/vase.{suffix}")
    mask(tmp_path / "gt/vase.png", TRIMAP)
    assert read("davis", tmp_path).path("image", 0) == tmp_path / f"img/vase.{suffix}"


def test_a_format_that_is_not_read(tmp_path: Path) -> None:
    _write(tmp_path, "davis")
    (tmp_path / "img/vase.jpg").rename(tmp_path / "img/vase.heic")
    with pytest.raises(DatasetLayoutError, match=r"img/vase\.heic: is of no format that is read \(\.avif, "):
        read("davis", tmp_path)


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("channels", ["grey", "colour"])
def test_masks_with_alpha(tmp_path: Path, kind: str, channels: str) -> None:
    painted, alpha = np.zeros((40, 60), np.uint8), np.full((40, 60), 255, np.uint8)
    painted[10:20, 15:35] = 255
    photos, masks = FOLDERS[kind]
    photo(tmp_path / photos / "vase.jpg", 40, 60)
    mask(tmp_path / masks / "vase.png", np.dstack([painted] * (1 if channels == "grey" else 3) + [alpha]))
    sample = read(kind, tmp_path)[0]
    assert (sample.semantic == 1).sum() == 200
    assert np.array_equal(sample.instances.ids > 0, painted > 0)
    mask(tmp_path / masks / "vase.png", np.dstack([alpha] * (1 if channels == "grey" else 3) + [painted]))
    with pytest.raises(CorruptImageError, match=r"vase\.png: its alpha channel varies"):
        read(kind, tmp_path)


@pytest.mark.parametrize("kind", FOLDERS)
def test_there_is_no_training_split(tmp_path: Path, kind: str) -> None:
    _write(tmp_path, kind)
    with pytest.raises(DatasetLayoutError, match=r"has no split 'train', only 'val'"):
        index_split(FolderConfig(kind=kind, root=str(tmp_path)), tmp_path, "train")


@pytest.mark.parametrize("kind", FOLDERS)
def test_missing_folders_and_files(tmp_path: Path, kind: str) -> None:
    photos, masks = FOLDERS[kind]
    with pytest.raises(DatasetLayoutError, match=f"{photos}: no such folder"):
        read(kind, tmp_path)
    _write(tmp_path, kind)
    photo(tmp_path / photos / "bush.jpg")
    with pytest.raises(DatasetLayoutError, match=rf"{masks}/bush\.\*: is missing"):
        read(kind, tmp_path)
    (tmp_path / photos / "bush.jpg").rename(tmp_path / photos / "vase.jpg")
    mask(tmp_path / masks / "cross.png", TRIMAP)
    with pytest.raises(DatasetLayoutError, match=rf"{masks}/cross\.\*: has no image"):
        read(kind, tmp_path)
    photo(tmp_path / photos / "Cross.jpg")
    with pytest.raises(DatasetLayoutError, match=rf"{masks}/Cross\.\*: is missing, .* \(there is 'cross'"):
        read(kind, tmp_path)


@pytest.mark.parametrize(("kind", "whole"), [("grabcut", 50), ("berkeley", 100), ("davis", 345)])
def test_a_part_of_a_benchmark_is_said_to_be_one(tmp_path: Path, kind: str, whole: int) -> None:
    for number in range(2):
        _write(tmp_path, kind, str(number))
    found = index_split(FolderConfig(kind=kind, root=str(tmp_path)), tmp_path, "val")
    assert found.left_out == {f"of the benchmark's {whole} photos, not there": whole - 2}


def test_a_whole_benchmark_leaves_nothing_out(tmp_path: Path) -> None:
    for number in range(50):
        _write(tmp_path, "grabcut", f"{number:02}")
    assert index_split(FolderConfig(kind="grabcut", root=str(tmp_path)), tmp_path, "val").left_out == {}


@pytest.mark.parametrize(
    ("kind", "photos", "objects", "said"),
    [
        ("grabcut", 50, 50, ""),
        ("sbd", 2857, 6671, ""),
        ("coco", 40, 100, ""),
        (
            "grabcut",
            8,
            8,
            "8 objects of 8 photos .* numbers on GrabCut are of 50 objects of 50: these are not",
        ),
        ("davis", 346, 346, "346 objects of 346 photos .* on DAVIS are of 345 objects of 345"),
        ("sbd", 2857, 6670, "6,670 objects of 2,857 photos .* on SBD are of 6,671 objects of 2,857"),
    ],
)
def test_what_is_not_a_benchmark_as_published_is_said(
    kind: str, photos: int, objects: int, said: str
) -> None:
    assert re.match(said or "$", differing(kind, photos, objects))


def test_two_photos_of_one_name(tmp_path: Path) -> None:
    _write(tmp_path, "grabcut")
    photo(tmp_path / "data_GT/vase.bmp")
    with pytest.raises(DatasetLayoutError, match=r"vase\.jpg: vase\.bmp beside it has the same name"):
        read("grabcut", tmp_path)


def test_a_mask_without_object(tmp_path: Path) -> None:
    _write(tmp_path, "grabcut")
    mask(tmp_path / "boundary_GT/vase.png", np.full((3, 4), 128, np.uint8))
    with pytest.raises(LabelError, match=r"vase\.png: the mask has no object"):
        read("grabcut", tmp_path)


def test_damaged_masks(tmp_path: Path) -> None:
    _write(tmp_path, "davis")
    path = tmp_path / "gt/vase.png"
    mask(path, TRIMAP[:2])
    with pytest.raises(CorruptImageError, match=r"vase\.png: the labels are 2 x 4 .*3 x 4"):
        read("davis", tmp_path)
    path.write_bytes(path.read_bytes()[:-25])
    with pytest.raises(CorruptImageError, match=r"vase\.png"):
        read("davis", tmp_path)


@pytest.mark.realdata
def test_the_real_grabcut_photos(realdata: Path) -> None:
    root = realdata / "images/grabcut"
    index = index_split(FolderConfig(kind="grabcut", root=str(root)), root, "val")
    assert index.left_out == {"of the benchmark's 50 photos, not there": 42}
    dataset = read("grabcut", root)
    assert dataset.ids == ("banana1", "banana2", "book", "bush", "cross", "flower", "fullmoon", "grave")
    for position, name in enumerate(dataset.ids):
        sample = dataset[position]
        truth = np.array(Image.open(root / f"masks/{name}.bmp")) == 255
        assert 1000 < truth.sum() < truth.size / 2
        assert np.array_equal(sample.semantic == 1, truth)
        assert np.array_equal(sample.instances.mask(0), truth)
        assert not (sample.semantic == 255).any()


def test_every_colour_of_tetris_is_an_object(tmp_path: Path) -> None:
    photo(tmp_path / "images/a.jpg")
    colours = np.zeros((3, 4, 3), np.uint8)
    colours[0, :2], colours[2, 3] = (0, 0, 1), (200, 10, 0)
    mask(tmp_path / "masks/a.png", colours)
    sample = read("tetris", tmp_path)[0]
    assert sample.instances.ids.tolist() == [[2, 2, 0, 0], [0] * 4, [0, 0, 0, 1]]
    assert sample.semantic.tolist() == [[1, 1, 0, 0], [0] * 4, [0, 0, 0, 1]]
    assert sample.instances.categories.tolist() == [1, 1]
    full = np.full((3, 4, 3), 7, np.uint8)
    mask(tmp_path / "masks/a.png", full)
    assert read("tetris", tmp_path)[0].instances.ids.tolist() == [[1] * 4] * 3
    mask(tmp_path / "masks/a.png", 0 * full)
    with pytest.raises(LabelError, match=r"a\.png: the mask has no object"):
        read("tetris", tmp_path)[0]
