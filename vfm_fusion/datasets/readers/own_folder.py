"""Kind ``folder``: photos at any depth of a folder, perhaps with a mask of classes for each."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from vfm_fusion.config.datasets import Protocol
from vfm_fusion.config.own_data import KEY, OwnFolderConfig
from vfm_fusion.datasets.base import VOID, Category, RasterDataset
from vfm_fusion.datasets.folders import pair, visible
from vfm_fusion.datasets.images import IMAGE_SUFFIXES
from vfm_fusion.datasets.index import AnyReader, Files, Listing
from vfm_fusion.datasets.numbering import distinct
from vfm_fusion.datasets.own_splits import NOT_LISTED, of_split
from vfm_fusion.datasets.rasters import INDEXED_8, read_colors, read_labels
from vfm_fusion.datasets.readers.id_tables import train_ids, voc_color
from vfm_fusion.errors import DatasetLayoutError, LabelError

_PACKED = np.array([1, 256, 65_536], np.int32)
_ADD = "Add it to `classes` or to `ignore`"


class OwnFolder(RasterDataset):
    """A split of a folder of photos."""

    def __init__(self, root: Path, index: pd.DataFrame, config: OwnFolderConfig) -> None:
        """Opens the split of an index; see :class:`~vfm_fusion.datasets.base.Dataset`."""
        super().__init__(root, index)
        self._config = config

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes that the settings name; none without masks."""
        return classes_of(self._config)

    def _read_semantic(self, path: Path) -> np.ndarray:
        return _by_color(path, self._config) if self._config.by_color else _by_id(path, self._config)


def classes_of(config: OwnFolderConfig) -> tuple[Category, ...]:
    """The classes of the masks, all of them stuff: a mask does not tell objects apart."""
    return tuple(
        Category(number, entry.name, False, entry.color or voc_color(number + 1))
        for number, entry in enumerate(config.table)
    )


def _by_id(path: Path, config: OwnFolderConfig) -> np.ndarray:
    table = dict.fromkeys(config.ignore, VOID) | {entry.id: n for n, entry in enumerate(config.table)}
    known = ", ".join(f"{entry.id} {entry.name}" for entry in config.table)
    return train_ids(read_labels(path, INDEXED_8), table, path, f"the classes ({known}). {_ADD}")


def _by_color(path: Path, config: OwnFolderConfig) -> np.ndarray:
    """Looks the colour of every pixel up: ``(H, W)`` uint8 train ids."""
    colors = {entry.color: number for number, entry in enumerate(config.table)}
    table = {int(_PACKED @ color): number for color, number in colors.items()}
    table |= {int(_PACKED @ color): VOID for color in config.ignore}
    packed = read_colors(path).astype(np.int32) @ _PACKED
    found, places = distinct(packed)
    unknown = [value for value in found.tolist() if value not in table]
    if unknown:
        first = [unknown[0] >> shift & 255 for shift in (0, 8, 16)]
        pixels = np.count_nonzero(np.isin(packed, unknown))
        raise LabelError(
            f"{path}: {pixels} pixels have other colours than those of the classes, the first {first}. "
            f"{_ADD}. Where lines were drawn smoothly, draw them again without antialiasing."
        )
    return np.array([table[value] for value in found.tolist()], np.uint8)[places]


def list_files(config: OwnFolderConfig, root: Path, split: str) -> Listing:
    """Lists the photos of a split with their masks; an image id is a path below the folder of the photos.

    Raises:
        DatasetLayoutError: a folder is missing or has no image, a photo lacks its mask or a mask its photo,
            two photos have one mask, or the split cannot be made.
    """
    images = config.path(config.images, split)
    photos, left_out = _photos(config, root, images, split)
    chosen, rest = of_split(photos, config, root, split)
    masks: dict[str, str] = {}
    if config.masks is not None:
        pattern = config.path(config.masks, split)
        masks = _masks(photos, set(chosen), root, pattern)
    files = [
        Files(key, _below(images, key), mask, None)
        for key, mask in ((key, masks.get(key)) for key in sorted(chosen))
    ]
    return Listing(files, left_out | ({NOT_LISTED: rest} if rest else {}))


def _photos(config: OwnFolderConfig, root: Path, images: str, split: str) -> tuple[list[str], dict[str, int]]:
    """Paths of the photos below their folder, and how many files of other kinds are among them."""
    folder = root / images
    if not folder.is_dir():
        raise DatasetLayoutError(
            f"{folder}: no such folder; set `images` of the data set to that of its photos"
        )
    is_mask = None if config.masks is None else _mask_pattern(config.path(config.masks, split))
    photos, other = [], Counter()
    for path in visible(folder, "**/*"):
        key = path.as_posix()
        if (folder / path).is_dir() or (is_mask and is_mask.fullmatch(_below(images, key))):
            continue
        if path.suffix.lower() in IMAGE_SUFFIXES:
            photos.append(key)
        else:
            other[f"files that are read as no image ({path.suffix.lower() or 'without extension'})"] += 1
    if not photos:
        seen = f"; it has {', '.join(f'{n} {what}' for what, n in sorted(other.items()))}" if other else ""
        raise DatasetLayoutError(
            f"{folder}: holds no image, at any depth ({', '.join(IMAGE_SUFFIXES)}){seen}. Correct `root` or "
            "`images` of the data set, or convert the files."
        )
    return photos, dict(other)


def _masks(photos: list[str], chosen: set[str], root: Path, pattern: str) -> dict[str, str]:
    """Those of the photos that are chosen to their masks, all as paths."""
    stems: dict[str, str] = {}
    for photo in photos:
        stem = str(PurePosixPath(photo).with_suffix(""))
        if stem in stems:
            raise DatasetLayoutError(
                f"{root}: the photos {stems[stem]} and {photo} would have one mask, "
                f"{pattern.replace(KEY, stem)}. Remove or rename one of the two."
            )
        stems[stem] = photo
    matcher, folder = _mask_pattern(pattern), str(PurePosixPath(pattern.split(KEY)[0] + "x").parent)
    found = (matcher.fullmatch(_below(folder, path.as_posix())) for path in visible(root / folder, "**/*"))
    others = {stem for stem, photo in stems.items() if photo not in chosen}
    labels = {match[1] for match in found if match} - others
    paired = pair(stems.keys() - others, labels, root, pattern)
    return {stems[stem]: pattern.replace(KEY, stem) for stem in paired}


def _mask_pattern(pattern: str) -> re.Pattern[str]:
    start, end = map(re.escape, str(PurePosixPath(pattern)).split(KEY))
    return re.compile(f"{start}(.+){end}")


def _below(folder: str, key: str) -> str:
    return str(PurePosixPath(folder) / key)


class _FolderReader(AnyReader):
    """Reads by the settings of each data set."""

    protocol: Protocol = "coco"

    def classes(self, config: OwnFolderConfig, root: Path) -> tuple[Category, ...]:
        return classes_of(config)

    def listing(self, config: OwnFolderConfig, root: Path, split: str) -> Listing:
        return list_files(config, root, split)

    def open(self, config: OwnFolderConfig, root: Path, index: pd.DataFrame) -> OwnFolder:
        return OwnFolder(root, index, config)


READER = _FolderReader()
