"""GTA5 ("Playing for Data") in its official layout: ``images/`` and ``labels/``, and perhaps ``split.mat``.

With ``split.mat`` (of the release's ``read_mapping.zip``) in the root, the splits are the official ones:
12,403 images to train, 6,382 to validate. Without it all 24,966 are for training, as is usual in domain
generalisation.
The labels are palette files of the label ids of Cityscapes, and 34 for a license plate. Of a few images the
release has labels of another size; they are reported as damaged.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from vfm_fusion.datasets.base import VOID, RasterDataset
from vfm_fusion.datasets.cityscapes import CATEGORIES, semantic_from_label_ids
from vfm_fusion.datasets.folders import list_by_key, require_split
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.rasters import INDEXED_8, read_labels
from vfm_fusion.datasets.readers.street_scenes import StreetScenes, refuse_train_ids
from vfm_fusion.errors import DatasetLayoutError

_LAYOUT = "GTA5"
_SPLIT_FILE = "split.mat"
_LICENSE_PLATE = 34


class Gta5(StreetScenes, RasterDataset):
    """GTA5, which has no objects."""

    def _read_semantic(self, path: Path) -> np.ndarray:
        label_ids = read_labels(path, INDEXED_8)
        refuse_train_ids(label_ids, path)
        label_ids[label_ids == _LICENSE_PLATE] = VOID  # which is also the label id -1 of Cityscapes
        return semantic_from_label_ids(label_ids, path)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images of a split.

    Raises:
        DatasetLayoutError: a split that there is not, a folder is missing, an image lacks its label, a label
            its image, or ``split.mat`` is damaged or names images that are not there.
    """
    has_splits = (root / _SPLIT_FILE).is_file()
    layout = _LAYOUT if has_splits else f"{_LAYOUT} without {_SPLIT_FILE}"
    require_split(root, split, ("train", "val") if has_splits else ("train",), layout)
    files = list_by_key(root, _LAYOUT, "images/{}.png", "labels/{}.png", derived="_labelTrainIds.png")
    if not has_splits:
        return files
    listed = read_split(root / _SPLIT_FILE, split)
    missing = listed - {file.image_id for file in files}
    if missing:
        raise DatasetLayoutError(
            f"{root / 'images' / min(missing)}.png: no such file, one of {len(missing)} that {_SPLIT_FILE} "
            f"lists for {split!r}. Unpack all ten archives of images and of labels."
        )
    return [file for file in files if file.image_id in listed]


def read_split(path: Path, split: str) -> set[str]:
    """Reads the image ids of a split from ``split.mat``.

    Args:
        path: the file.
        split: ``train`` or ``val``.

    Raises:
        DatasetLayoutError: the file cannot be read, or lacks the split.
    """
    key = f"{split}Ids"
    try:
        numbers = np.asarray(loadmat(path)[key])
        return {f"{int(number):05d}" for number in numbers.ravel()}
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, MatReadError, zlib.error) as error:
        raise DatasetLayoutError(
            f"{path}: cannot be read as a list of image numbers {key!r} ({error}). Take the file of the "
            "release's read_mapping.zip."
        ) from error


READER = Reader(CATEGORIES, list_files, Gta5)
