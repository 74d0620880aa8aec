"""Tiny data sets with rasters of ids of their own, in their official layouts, one image a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_matrix
from tiny_layouts import save

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset

HEIGHT, WIDTH = 3, 4
DRIVE = "2013_05_28_drive_0003_sync/image_00"


def photo(path: Path) -> None:
    save(path, np.full((HEIGHT, WIDTH, 3), 60, np.uint8))


def raster(rows: list[list[int]], dtype: type = np.uint8) -> np.ndarray:
    return np.array(rows, dtype)


def _coco_stuff(root: Path, key: str) -> None:
    photo(root / f"val2017/{key}.jpg")
    labels = raster([[0, 91, 181, 255], [15, 15, 156, 255], [89, 89, 89, 89]])
    save(root / f"stuffthingmaps_trainval2017/val2017/{key}.png", labels)


def _spade(root: Path, key: str) -> None:
    photo(root / f"val_img/{key}.jpg")
    labels = raster([[0, 91, 181, 255], [15, 15, 156, 255], [89, 89, 89, 89]])
    save(root / f"val_label/{key}.png", labels)
    save(root / f"val_inst/{key}.png", labels)


def _ade20k(root: Path, key: str) -> None:
    photo(root / f"images/validation/{key}.jpg")
    save(root / f"annotations/validation/{key}.png", raster([[0, 1, 150, 8], [13, 13, 13, 8], [4, 4, 4, 4]]))
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colours[0, 3] = colours[1, 3] = (1, 3, 9)  # a bed
    colours[1, 0], colours[1, 1] = (4, 2, 9), (4, 1, 9)  # two people
    colours[1, 2] = (4, 0, 9)  # a person that is no object
    colours[0, 2] = (100, 4, 9)  # a flag
    save(root / f"annotations_instance/validation/{key}.png", colours)


def _mapillary(labels: str) -> Callable[[Path, str], None]:
    def write(root: Path, key: str) -> None:
        photo(root / f"validation/images/{key}.jpg")
        ids = raster([[13, 24, 41, 2], [55, 55, 20, 52], [0, 65, 45, 47]])
        numbers = raster([[0, 0, 0, 0], [0, 1, 0, 0], [3, 0, 0, 0]], np.uint16)
        save(root / f"validation/{labels}labels/{key}.png", ids)
        save(root / f"validation/{labels}instances/{key}.png", ids * np.uint16(256) + numbers)

    return write


def _kitti360(root: Path, key: str) -> None:
    photo(root / f"data_2d_raw/{DRIVE}/data_rect/{key}.png")
    ids = raster([[7, 8, 34, 35], [37, 26, 26, 24], [0, 44, 26, 11]])
    numbers = raster([[0, 0, 2, 0], [5, 17, 3, 0], [0, 0, 0, 9]], np.uint16)
    labels = root / f"data_2d_semantics/train/{DRIVE}"
    save(labels / f"semantic/{key}.png", ids)
    save(labels / f"instance/{key}.png", ids * np.uint16(1000) + numbers)
    line = f"data_2d_raw/{DRIVE}/data_rect/{key}.png data_2d_semantics/train/{DRIVE}/semantic/{key}.png\n"
    with (root / "data_2d_semantics/train/2013_05_28_drive_val_frames.txt").open("a") as file:
        file.write(line)


def write_mat(path: Path, name: str, segmentation: np.ndarray, **fields: object) -> None:
    """Writes a structure as SBD's files hold it: compressed, sparse boundaries included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    boundaries = np.empty((1, 1), object)
    boundaries[0, 0] = csc_matrix(np.eye(HEIGHT, WIDTH))
    content = {"Boundaries": boundaries, "Segmentation": segmentation, **fields}
    savemat(path, {name: content}, do_compression=True)


def _sbd(base: str) -> Callable[[Path, str], None]:
    def write(root: Path, key: str) -> None:
        photo(root / f"{base}img/{key}.jpg")
        classes = raster([[0, 15, 15, 0], [0, 15, 15, 20], [0, 0, 1, 20]])
        objects = raster([[0, 1, 2, 0], [0, 1, 2, 3], [0, 0, 4, 3]])
        write_mat(
            root / f"{base}cls/{key}.mat", "GTcls", classes, CategoriesPresent=np.array([1, 15, 20], np.uint8)
        )
        categories = np.array([[15], [15], [20], [1]], np.uint8)
        write_mat(root / f"{base}inst/{key}.mat", "GTinst", objects, Categories=categories)
        with (root / f"{base}val.txt").open("a") as file:
            file.write(f"{key}\n")

    return write


@dataclass(frozen=True)
class TinySet:
    """A data set: how to write an image, and the patterns of its files."""

    kind: str
    write: Callable[[Path, str], None]
    image: str
    labels: tuple[str, ...]


_KITTI = f"data_2d_semantics/train/{DRIVE}"
_STUFF = "stuffthingmaps_trainval2017/val2017/{}.png"

TINY = {
    "coco_stuff": TinySet("coco_stuff", _coco_stuff, "val2017/{}.jpg", (_STUFF,)),
    "coco_stuff (SPADE)": TinySet("coco_stuff", _spade, "val_img/{}.jpg", ("val_label/{}.png",)),
    "ade20k": TinySet(
        "ade20k",
        _ade20k,
        "images/validation/{}.jpg",
        ("annotations/validation/{}.png", "annotations_instance/validation/{}.png"),
    ),
    "mapillary": TinySet(
        "mapillary",
        _mapillary(""),
        "validation/images/{}.jpg",
        ("validation/labels/{}.png", "validation/instances/{}.png"),
    ),
    "mapillary (2.0)": TinySet(
        "mapillary",
        _mapillary("v1.2/"),
        "validation/images/{}.jpg",
        ("validation/v1.2/labels/{}.png", "validation/v1.2/instances/{}.png"),
    ),
    "kitti360": TinySet(
        "kitti360",
        _kitti360,
        f"data_2d_raw/{DRIVE}/data_rect/{{}}.png",
        (f"{_KITTI}/semantic/{{}}.png", f"{_KITTI}/instance/{{}}.png"),
    ),
    "sbd": TinySet("sbd", _sbd(""), "img/{}.jpg", ("cls/{}.mat", "inst/{}.mat")),
    "sbd (release)": TinySet(
        "sbd", _sbd("dataset/"), "dataset/img/{}.jpg", ("dataset/cls/{}.mat", "dataset/inst/{}.mat")
    ),
}


def read(kind: str, root: Path, split: str = "val") -> Dataset:
    config = FolderConfig(kind=kind, root=str(root))
    return open_dataset(config, root, index_split(config, root, split, workers=2).frame)
