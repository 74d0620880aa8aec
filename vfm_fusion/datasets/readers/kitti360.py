"""KITTI-360: the labelled frames of the perspective cameras, with the classes of Cityscapes.

The lists ``data_2d_semantics/train/2013_05_28_drive_{split}_frames.txt`` name the images, in
``data_2d_raw/``, and their ``semantic/`` rasters; the ``instance/`` rasters lie beside those. Ids and train
ids are those of the table of ``kitti360Scripts``, which adds classes of its own to Cityscapes: garages count
as building, gates as fence, small poles as pole, and the others are void. Buildings, poles, lights and signs
are told apart in the instance rasters, but are no things among the classes of Cityscapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vfm_fusion.datasets.base import VOID, Instances, RasterDataset
from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import GREY_8, GREY_16, read_labels
from vfm_fusion.datasets.readers.id_tables import classes_of_codes, objects_of_codes, train_ids
from vfm_fusion.datasets.readers.street_scenes import StreetScenes
from vfm_fusion.errors import DatasetLayoutError

_LISTS = "data_2d_semantics/train"
_LAST_ID = 44
_FACTOR = 1000
_OWN_LABELS = {34: "building", 35: "fence", 37: "pole"}  # garage, gate, small pole
_LINE = re.compile(
    r"data_2d_raw/(?P<drive>\w+)/(?P<camera>image_0[01])/data_rect/(?P<frame>\d+)\.png"
    r"\s+data_2d_semantics/train/(?P=drive)/(?P=camera)/semantic/(?P=frame)\.png"
)

_CLASS_IDS = {category.name: category.id for category in CATEGORIES}
_TRAIN_IDS = (
    dict.fromkeys(range(_LAST_ID + 1), VOID)
    | {label_id: _CLASS_IDS[name] for name, label_id in LABEL_IDS.items()}
    | {label_id: _CLASS_IDS[name] for label_id, name in _OWN_LABELS.items()}
)
_THINGS = [category.id for category in CATEGORIES if category.isthing]
_EXPECTED = f"KITTI-360's 0..{_LAST_ID}. Use the semantic and instance rasters of the release"


class Kitti360(StreetScenes, RasterDataset):
    """A split of KITTI-360."""

    codes_classes = True

    def _read_semantic(self, path: Path) -> np.ndarray:
        return train_ids(read_labels(path, GREY_8), _TRAIN_IDS, path, _EXPECTED)

    def _read_instances(self, path: Path) -> tuple[Instances, np.ndarray]:
        raster = read_labels(path, GREY_16)
        return instances_from_codes(raster, path), classes_of_codes(_codes(raster), _FACTOR, _TRAIN_IDS)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the frames of a split's list.

    Raises:
        DatasetLayoutError: the list or a file that it names is missing, or a line has another form.
    """
    path = root / _LISTS / f"2013_05_28_drive_{split}_frames.txt"
    if not path.is_file():
        raise DatasetLayoutError(
            f"{path}: no such file. It comes with the semantics of KITTI-360; unpack the whole archive."
        )
    files = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            files.append(_files(line.strip(), f"{path}, line {number}"))
    _check_files(root, files)
    return files


def instances_from_codes(raster: np.ndarray, path: Path) -> Instances:
    """Turns codes, label id * 1000 + number, into objects.

    The number 0 marks pixels whose object is not known: a crowd. So does a plain label id.

    Args:
        raster: ``(H, W)`` int32.
        path: the file, for messages.

    Returns:
        Objects in the order of their codes.

    Raises:
        LabelError: a label id that the table lacks.
    """
    objects, numbers = objects_of_codes(_codes(raster), _FACTOR, _TRAIN_IDS, _THINGS, path, _EXPECTED)
    return Instances(objects.ids, objects.categories, crowd=numbers == 0)


def _codes(raster: np.ndarray) -> np.ndarray:
    """Turns plain label ids into codes, too."""
    return np.where(raster < _FACTOR, raster * _FACTOR, raster)


def _files(line: str, where: str) -> Files:
    match = _LINE.fullmatch(line)
    if match is None:
        raise DatasetLayoutError(
            f"{where}: {line!r} is not an image and its semantic raster. Take the list of the release."
        )
    drive, camera, frame = match.group("drive", "camera", "frame")
    labels = f"{_LISTS}/{drive}/{camera}"
    return Files(
        image_id=f"{drive}_{camera}_{frame}",
        image=f"data_2d_raw/{drive}/{camera}/data_rect/{frame}.png",
        semantic=f"{labels}/semantic/{frame}.png",
        instance=f"{labels}/instance/{frame}.png",
    )


def _check_files(root: Path, files: Iterable[Files]) -> None:
    paths = (path for entry in files for path in (entry.image, entry.semantic, entry.instance))
    missing = [path for path in paths if not (root / path).is_file()]
    if missing:
        raise DatasetLayoutError(
            f"{root / missing[0]}: no such file, one of {len(missing)} such that the split's list names. "
            "Unpack the perspective images and the semantics of KITTI-360 into one folder."
        )


READER = Reader(CATEGORIES, list_files, Kitti360)
