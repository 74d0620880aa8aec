"""SBD, the Semantic Boundaries Dataset: objects of VOC's 20 classes, as MATLAB files.

The root holds the release's ``dataset/`` or is that folder: ``img/``, ``cls/``, ``inst/`` and the lists
``train.txt`` and ``val.txt``. Background is void: the 20 classes are all things.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from vfm_fusion.datasets.base import VOID, Category, Instances, RasterDataset
from vfm_fusion.datasets.folders import pair, refuse_other_case, require_folder
from vfm_fusion.datasets.index import Files
from vfm_fusion.datasets.readers.click_sets import BenchmarkReader
from vfm_fusion.datasets.readers.id_tables import train_ids, voc_color
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

_LAYOUT = "SBD"
_DECODER_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    RuntimeError,
    MatReadError,
    zlib.error,
)

_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip

CATEGORIES = tuple(
    Category(train_id, name, True, voc_color(train_id + 1)) for train_id, name in enumerate(_NAMES)
)
"""VOC's 20 classes in VOC's colours."""

_TRAIN_IDS = {0: VOID} | {category.id + 1: category.id for category in CATEGORIES}


class Sbd(RasterDataset):
    """A split of SBD."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """VOC's 20 classes."""
        return CATEGORIES

    def _read_semantic(self, path: Path) -> np.ndarray:
        raster = _segmentation(_load(path, "GTcls"), path)
        return train_ids(raster, _TRAIN_IDS, path, f"VOC's 0..{len(CATEGORIES)} (0 = background)")

    def _read_instances(self, path: Path) -> tuple[Instances, np.ndarray]:
        content = _load(path, "GTinst")
        ids = _segmentation(content, path)
        classes = np.asarray(content.get("Categories", []), np.int64).ravel()
        if int(ids.max()) > len(classes):
            raise LabelError(
                f"{path}: has object {int(ids.max())}, but the classes of {len(classes)} objects. Restore it "
                "from the data set's archive."
            )
        unknown = classes[(classes < 1) | (classes > len(CATEGORIES))]
        if unknown.size:
            raise LabelError(f"{path}: class {unknown[0]} is not one of VOC's 1..{len(CATEGORIES)}.")
        instances = Instances(ids.astype(np.int32), classes - 1, np.zeros(len(classes), bool))
        return instances, instances.classes()


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images of a split's list.

    Raises:
        DatasetLayoutError: a folder or the list is missing, or a file that the list names.
    """
    base = "dataset/" if (root / "dataset").is_dir() else ""
    names = _names(root / f"{base}{split}.txt")
    for folder, suffix in (("img", "jpg"), ("cls", "mat"), ("inst", "mat")):
        path = require_folder(root, f"{base}{folder}", _LAYOUT)
        refuse_other_case(path, f"*.{suffix}")
        stems = {entry.stem for entry in path.glob(f"*.{suffix}")}
        pair(names, stems.intersection(names), path, f"{{}}.{suffix}")
    return [
        Files(name, f"{base}img/{name}.jpg", f"{base}cls/{name}.mat", f"{base}inst/{name}.mat")
        for name in names
    ]


def _names(path: Path) -> list[str]:
    if not path.is_file():
        raise DatasetLayoutError(f"{path}: no such file. It is a list of SBD; unpack the whole archive.")
    return path.read_text(encoding="utf-8").split()


def _load(path: Path, name: str) -> dict[str, np.ndarray]:
    """Reads a structure of a MATLAB file."""
    if not path.is_file():
        raise DatasetLayoutError(f"{path}: no such file. Restore it from the data set's archive.")
    try:
        record = loadmat(path, variable_names=[name])[name][0, 0]
        return {field: record[field] for field in record.dtype.names}
    except _DECODER_ERRORS as error:
        raise CorruptImageError(
            f"{path}: not a MATLAB file with {name} ({type(error).__name__}: {error}). Restore it from the "
            "data set's archive."
        ) from error


def _segmentation(content: dict[str, np.ndarray], path: Path) -> np.ndarray:
    raster = np.asarray(content.get("Segmentation"))
    if raster.ndim != 2 or raster.dtype != np.uint8:
        raise CorruptImageError(
            f"{path}: its Segmentation is not a raster of 8-bit ids. Restore it from the data set's archive."
        )
    return raster


READER = BenchmarkReader(CATEGORIES, list_files, Sbd)
