"""Kind ``folder``: photos at any depth of a folder, perhaps with masks of classes, and rasters of objects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from vfm_fusion.config.datasets import Protocol
from vfm_fusion.config.own_folder_data import KEY, OwnFolderConfig
from vfm_fusion.datasets.base import VOID, Category, Instances, RasterDataset
from vfm_fusion.datasets.folders import pair, visible
from vfm_fusion.datasets.images import IMAGE_SUFFIXES
from vfm_fusion.datasets.index import AnyReader, Files, Listing
from vfm_fusion.datasets.numbering import distinct
from vfm_fusion.datasets.own_splits import NOT_LISTED, of_split
from vfm_fusion.datasets.rasters import INDEXED_8, packed, read_colors, read_labels, unpacked
from vfm_fusion.datasets.readers import click_sets
from vfm_fusion.datasets.readers.id_tables import train_ids, voc_color
from vfm_fusion.datasets.readers.own_objects import read_objects, with_classes
from vfm_fusion.errors import DatasetLayoutError, LabelError

_ADD = "Add it to `classes` or to `ignore`"


class OwnFolder(RasterDataset):
    """A split of a folder of photos."""

    def __init__(self, root: Path, index: pd.DataFrame, config: OwnFolderConfig) -> None:
        """Opens the split of an index; see :class:`~vfm_fusion.datasets.base.Dataset`."""
        super().__init__(root, index)
        self._config = config

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes that the settings name; background and object where only objects are told apart."""
        return classes_of(self._config)

    def labels(self, position: int) -> tuple[np.ndarray | None, Instances | None]:
        """See :meth:`~vfm_fusion.datasets.base.Dataset.labels`.

        Raises:
            LabelError: also, an object is of no class, or see :func:`~.own_objects.read_objects`.
        """
        return self._labels(position)[:2] if self._config.objects else super().labels(position)

    def left_out(self, position: int) -> Mapping[str, int]:
        """Counts the objects of no class: all of their pixels are void."""
        if self._config.objects is None or self._config.masks is None:
            return {}
        count = self._labels(position)[2]
        return {"objects on void pixels": count} if count else {}

    def _labels(self, position: int) -> tuple[np.ndarray, Instances, int]:
        """Classes and objects, and how many of these were left out."""
        raster = read_objects(self.path("instance", position), self._config.objects)
        if self._config.masks is None:
            return *raster.alone(), 0
        mask = self.path("semantic", position)
        return with_classes(raster, self._read_semantic(mask), mask, self.categories)

    def _read_semantic(self, path: Path) -> np.ndarray:
        return _by_color(path, self._config) if self._config.by_color else _by_id(path, self._config)


def classes_of(config: OwnFolderConfig) -> tuple[Category, ...]:
    """The classes of the masks, those with objects being things; without masks, background and object."""
    if config.objects is not None and config.masks is None:
        return click_sets.CATEGORIES
    things = config.objects.classes if config.objects is not None else ()
    return tuple(
        Category(number, entry.name, entry.name in things, entry.color or voc_color(number + 1))
        for number, entry in enumerate(config.table)
    )


def _by_id(path: Path, config: OwnFolderConfig) -> np.ndarray:
    table = dict.fromkeys(config.ignore, VOID) | {entry.id: n for n, entry in enumerate(config.table)}
    known = ", ".join(f"{entry.id} {entry.name}" for entry in config.table)
    return train_ids(read_labels(path, INDEXED_8), table, path, f"the classes ({known}). {_ADD}")


def _by_color(path: Path, config: OwnFolderConfig) -> np.ndarray:
    """Looks the colour of every pixel up: ``(H, W)`` uint8 train ids."""
    colors = {entry.color: number for number, entry in enumerate(config.table)}
    colors |= dict.fromkeys(config.ignore, VOID)
    table = {int(packed(np.array(color))): number for color, number in colors.items()}
    raster = packed(read_colors(path))
    found, places = distinct(raster)
    unknown = [value for value in found.tolist() if value not in table]
    if unknown:
        pixels = np.count_nonzero(np.isin(raster, unknown))
        raise LabelError(
            f"{path}: {pixels} pixels have other colours than those of the classes, the first "
            f"{unpacked(unknown[0])}. {_ADD}. Where lines were drawn smoothly, draw them again without "
            "antialiasing."
        )
    return np.array([table[value] for value in found.tolist()], np.uint8)[places]


def list_files(config: OwnFolderConfig, root: Path, split: str) -> Listing:
    """Lists the photos of a split with their labels; an image id is a path below the folder of the photos.

    Where only objects are told apart, their raster is that of the classes too.

    Raises:
        DatasetLayoutError: a folder is missing or has no image, a photo lacks its mask or a mask its photo,
            two photos have one mask, or the split cannot be made.
    """
    images = config.path(config.images, split)
    photos, left_out = _photos(config, root, images, split)
    chosen, rest = of_split(photos, config, root, split)
    patterns = {key: config.path(pattern, split) for key, pattern in config.patterns.items()}
    labels = {
        key: _masks(photos, set(chosen), root, pattern, {*patterns.values()} - {pattern})
        for key, pattern in patterns.items()
    }
    objects = labels.get("objects.path", {})
    masks = labels.get("masks", objects)
    files = [Files(key, _below(images, key), masks.get(key), objects.get(key)) for key in sorted(chosen)]
    return Listing(files, left_out | ({NOT_LISTED: rest} if rest else {}))


def _photos(config: OwnFolderConfig, root: Path, images: str, split: str) -> tuple[list[str], dict[str, int]]:
    """Paths of the photos below their folder, and how many files of other kinds are among them."""
    folder = root / images
    if not folder.is_dir():
        raise DatasetLayoutError(
            f"{folder}: no such folder; set `images` of the data set to that of its photos"
        )
    patterns = [_mask_pattern(config.path(pattern, split)) for pattern in config.patterns.values()]
    photos, other = [], Counter()
    for path in visible(folder, "**/*"):
        key = path.as_posix()
        if (folder / path).is_dir() or any(pattern.fullmatch(_below(images, key)) for pattern in patterns):
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


def _masks(
    photos: list[str], chosen: set[str], root: Path, pattern: str, beside: Collection[str]
) -> dict[str, str]:
    """Those of the photos that are chosen to their masks, all as paths.

    What a pattern of ``beside`` makes of a photo is no mask, though this one may find it too.
    """
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
    other = {_below(".", of.replace(KEY, stem)) for of in beside for stem in stems}
    paths = {_below(folder, path.as_posix()) for path in visible(root / folder, "**/*")} - other
    found = map(matcher.fullmatch, paths)
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
