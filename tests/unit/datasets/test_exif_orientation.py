"""Images with an EXIF orientation: turned where their labels are, and refused where that cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_coco import annotation as coco_annotation
from tiny_coco import box, listed, write_json
from tiny_layouts import save

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.index import complete, files_frame
from vfm_fusion.datasets.kinds import reader
from vfm_fusion.datasets.readers.coco_labels import PANOPTIC, THINGS
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import CorruptImageError

Size = tuple[int, int]


def _photo(path: Path, size: Size, orientation: int) -> np.ndarray:
    """Writes an image with an orientation; returns its pixels as stored."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = Image.fromarray(pixels)
    exif = file.getexif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path, exif=exif)
    return np.array(Image.open(path))  # Pillow leaves the pixels of a PNG or JPEG as they are stored


def _grabcut(root: Path, size: Size, orientation: int, labelled: Size) -> np.ndarray:
    save(root / "masks/a.png", np.full(labelled, 255, np.uint8))
    return _photo(root / "images/a.jpg", size, orientation)


def _ade20k(root: Path, size: Size, orientation: int, labelled: Size) -> np.ndarray:
    save(root / "annotations/validation/a.png", np.ones(labelled, np.uint8))
    return _photo(root / "images/validation/a.jpg", size, orientation)


def _camvid(root: Path, size: Size, orientation: int, labelled: Size) -> np.ndarray:
    save(root / "valannot/a.png", np.ones(labelled, np.uint8))
    return _photo(root / "val/a.png", size, orientation)


def _coco_instance(root: Path, size: Size, orientation: int, labelled: Size) -> np.ndarray:
    content = {
        "images": [listed(7, height=labelled[0], width=labelled[1])],
        "annotations": [coco_annotation(1, 7, 1, [box(0, 0, 3, 3)])],
        "categories": [{"id": row[0], "name": row[1]} for row in THINGS],
    }
    write_json(root / "annotations/instances_val2017.json", content)
    return _photo(root / "val2017/000000000007.jpg", size, orientation)


def _coco_panoptic(root: Path, size: Size, orientation: int, labelled: Size) -> np.ndarray:
    folder = root / "annotations/panoptic_val2017"
    save(folder / "000000000007.png", np.full((*labelled, 3), [9, 0, 0], np.uint8))
    segments = [{"id": 9, "category_id": 1, "iscrowd": 0}]
    content = {
        "images": [listed(7, height=labelled[0], width=labelled[1])],
        "annotations": [{"image_id": 7, "file_name": "000000000007.png", "segments_info": segments}],
        "categories": [{"id": row[0], "name": row[1]} for row in PANOPTIC],
    }
    write_json(folder.with_suffix(".json"), content)
    return _photo(root / "val2017/000000000007.jpg", size, orientation)


WRITERS = {
    "grabcut": _grabcut,
    "ade20k": _ade20k,
    "camvid": _camvid,
    "coco_instance": _coco_instance,
    "coco_panoptic": _coco_panoptic,
}
Writer = Callable[[Path, Size, int, Size], np.ndarray]


def _read(kind: str, root: Path) -> tuple[Dataset, str]:
    """Indexes and opens the one image; returns what was converted, too."""
    config = FolderConfig(kind=kind, root=str(root))
    frame = index_split(config, root, "val").frame
    return open_dataset(config, root, frame), frame["converted"].iloc[0]


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_size_of_the_labels_tells(tmp_path: Path, kind: str, orientation: int) -> None:
    stored = WRITERS[kind](tmp_path / "stored", (4, 6), orientation, (4, 6))
    dataset, converted = _read(kind, tmp_path / "stored")
    assert np.array_equal(dataset[0].image, stored)
    assert np.array_equal(dataset.image(0), stored)
    assert converted == "EXIF orientation not applied"

    stored = WRITERS[kind](tmp_path / "turned", (4, 6), orientation, (6, 4))
    dataset, converted = _read(kind, tmp_path / "turned")
    turned = {5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1), 8: np.rot90(stored)}
    turned[7] = turned[5][::-1, ::-1]
    assert np.array_equal(dataset[0].image, turned[orientation])
    assert np.array_equal(dataset.image(0), turned[orientation])
    assert converted == "EXIF orientation"


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(("size", "orientation"), [((40, 60), 3), ((5, 5), 6), ((4, 6), 2), ((4, 6), 4)])
def test_what_the_size_cannot_tell_is_refused(
    tmp_path: Path, kind: str, size: Size, orientation: int
) -> None:
    WRITERS[kind](tmp_path, size, orientation, size)
    with pytest.raises(CorruptImageError, match=rf"\.\w+: has EXIF orientation {orientation}, and the size"):
        _read(kind, tmp_path)


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_other_values_turn_nothing(tmp_path: Path, orientation: int) -> None:
    stored = _camvid(tmp_path, (5, 5), orientation, (5, 5))
    dataset, converted = _read("camvid", tmp_path)
    assert np.array_equal(dataset[0].image, stored)
    assert converted == ""


def test_damaged_images_may_be_skipped(tmp_path: Path) -> None:
    _camvid(tmp_path, (4, 6), 3, (4, 6))
    save(tmp_path / "val/b.png", np.zeros((4, 6, 3), np.uint8))
    save(tmp_path / "valannot/b.png", np.ones((4, 6), np.uint8))
    config = FolderConfig(kind="camvid", root=str(tmp_path), damaged="skip")
    frame, skipped, _ = index_split(config, tmp_path, "val")
    assert frame["image_id"].tolist() == ["b"]
    assert skipped[0].reason.startswith("val/a.png: has EXIF orientation 3")


@pytest.mark.parametrize("orientation", [3, 6])
def test_an_image_without_labels_is_turned(tmp_path: Path, orientation: int) -> None:
    stored = _camvid(tmp_path, (5, 5), orientation, (5, 5))
    found = reader("camvid")
    files = [replace(row, semantic=None) for row in found.list_files(tmp_path, "val")]
    frame = files_frame(files, "val")
    frame = complete(frame, found.dataset(tmp_path, frame), tmp_path).frame
    turned = np.rot90(stored, 2 if orientation == 3 else -1)
    assert np.array_equal(found.dataset(tmp_path, frame).image(0), turned)
    assert frame["converted"].tolist() == ["EXIF orientation"]


@pytest.mark.parametrize(
    ("labelled", "message"),
    [
        ((6, 4), None),
        ((4, 6), "is a TIFF, turned by its EXIF orientation 6"),
        ((3, 3), "the labels are 3 x 3"),
    ],
)
def test_a_tiff_that_its_decoder_turns(tmp_path: Path, labelled: Size, message: str | None) -> None:
    save(tmp_path / "masks/a.png", np.full(labelled, 255, np.uint8))
    _photo(tmp_path / "images/a.tif", (4, 6), 6)
    if message is None:
        dataset, converted = _read("grabcut", tmp_path)
        assert dataset.image(0).shape == (6, 4, 3)
        assert converted == "EXIF orientation"
    else:
        with pytest.raises(CorruptImageError, match=message):
            _read("grabcut", tmp_path)
