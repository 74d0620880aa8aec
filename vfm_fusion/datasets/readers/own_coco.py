"""Kind ``coco``: COCO's JSON format, of instances or panoptic, with the categories that the file lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from vfm_fusion.config.datasets import Protocol
from vfm_fusion.config.own_data import OwnCocoConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances
from vfm_fusion.datasets.index import AnyReader, Files, Listing
from vfm_fusion.datasets.own_splits import NOT_LISTED, of_split
from vfm_fusion.datasets.readers.coco_classes import CocoClasses, own_classes
from vfm_fusion.datasets.readers.coco_fields import text
from vfm_fusion.datasets.readers.coco_images import match_images
from vfm_fusion.datasets.readers.coco_instance import read_objects
from vfm_fusion.datasets.readers.coco_json import AnnotationFile, annotation_file
from vfm_fusion.datasets.readers.coco_panoptic import read_segments
from vfm_fusion.errors import DatasetLayoutError, LabelError


class OwnCoco(Dataset):
    """A split of a data set in COCO's format."""

    def __init__(self, root: Path, index: pd.DataFrame, config: OwnCocoConfig) -> None:
        """Opens the split of an index; see :class:`~vfm_fusion.datasets.base.Dataset`.

        The JSON is parsed when labels or classes are asked for.
        """
        super().__init__(root, index)
        self._config, self._split = config, index["split"].iloc[0]

    @property
    def categories(self) -> tuple[Category, ...]:
        """The evaluated classes of the JSON."""
        return self._classes.categories

    def labels(self, position: int) -> tuple[np.ndarray, Instances]:
        """Classes and objects of an image, the objects in the order of the JSON.

        Raises:
            LabelError: see :func:`read_objects` and :func:`read_segments` of the readers of COCO.
            CorruptImageError: the JSON or a PNG is damaged.
            DatasetLayoutError: a file is missing, or the JSON does not list the image.
        """
        name = self.ids[position]
        if self._annotations.is_panoptic:
            return read_segments(self._annotations, name, self.path("semantic", position), self._classes)
        return read_objects(self._annotations, name, self._classes)

    def left_out(self, position: int) -> Mapping[str, int]:
        """Counts the objects and segments of classes that are not evaluated."""
        rows = self._annotations.annotations(self._annotations.image(self.ids[position]).id)
        if self._annotations.is_panoptic:
            rows = [segment for row in rows for segment in row["segments_info"]]
        return Counter(f"annotations of {name!r}" for name in map(self._unevaluated, rows) if name)

    @cached_property
    def _annotations(self) -> AnnotationFile:
        return _annotations(self._config, self._root, self._split)

    @cached_property
    def _classes(self) -> CocoClasses:
        return own_classes(self._annotations, self._config.classes, self._config.ignore)

    def _unevaluated(self, row: Mapping[str, Any]) -> str | None:
        """Name of the class of an annotation, if it is not evaluated."""
        number = int(row["category_id"])
        is_left_out = self._classes.train_ids[number] == VOID
        return self._annotations.categories[number].name if is_left_out else None


def list_files(config: OwnCocoConfig, root: Path, split: str) -> Listing:
    """Lists the images of the JSON that belong to a split; an image id is a ``file_name``.

    Raises:
        DatasetLayoutError: a folder, the JSON, a listed image or its PNG is missing, the split cannot be
            made, or an image is in both splits.
        CorruptImageError: a JSON is damaged.
        LabelError: a JSON contradicts itself or the settings, or those of the two splits list other classes.
    """
    images = config.path(config.images, split)
    if not (root / images).is_dir():
        raise DatasetLayoutError(
            f"{root / images}: no such folder; set `images` of the data set to the folder that the file "
            "names in its JSON start from"
        )
    annotations = _annotations(config, root, split)
    own_classes(annotations, config.classes, config.ignore)
    _check_other_split(annotations, config, root, split)
    listed, unlisted = match_images(annotations, root / images)
    chosen, rest = of_split(listed, config, root, split)
    labels = _pngs(chosen, annotations, config, root, split)
    left_out = {f"images that {annotations.path.name} does not list": len(unlisted), NOT_LISTED: rest}
    return Listing(
        [Files(name, str(PurePosixPath(images) / name), labels[name], labels[name]) for name in chosen],
        {what: count for what, count in left_out.items() if count},
    )


def _annotations(config: OwnCocoConfig, root: Path, split: str) -> AnnotationFile:
    path = root / config.path(config.annotations, split)
    if not path.is_file():
        raise DatasetLayoutError(
            f"{path}: no such file; set `annotations` of the data set to its JSON, with {{split}} in place "
            "of the name of the split where there are two"
        )
    return annotation_file(path)


def _pngs(
    names: list[str], annotations: AnnotationFile, config: OwnCocoConfig, root: Path, split: str
) -> dict[str, str]:
    """The label file of every image: where the JSON is panoptic the PNG that it names, otherwise the JSON."""
    if not annotations.is_panoptic:
        return dict.fromkeys(names, config.path(config.annotations, split))
    folder = config.path(config.segments_folder, split)
    if not (root / folder).is_dir():
        raise DatasetLayoutError(
            f"{root / folder}: no such folder; set `segments` of the data set to that of the PNGs of "
            f"{annotations.path.name}"
        )
    pngs = {name: _png(annotations, name) for name in names}
    absent = sorted(png for png in pngs.values() if not (root / folder / png).is_file())
    if absent:
        raise DatasetLayoutError(
            f"{root / folder / absent[0]}: no such file, one of {len(absent)} that {annotations.path.name} "
            "names; set `segments` of the data set to the folder of its PNGs, or restore them"
        )
    return {name: str(PurePosixPath(folder) / png) for name, png in pngs.items()}


def _png(annotations: AnnotationFile, image: str) -> str:
    """The PNG of an image: as its annotation names it, otherwise as the image."""
    rows = annotations.annotations(annotations.images[image])
    if rows and "file_name" in rows[0]:
        return text(rows[0], "file_name", f"{annotations.path}: the annotation of image {image}")
    return str(PurePosixPath(image).with_suffix(".png"))


def _check_other_split(annotations: AnnotationFile, config: OwnCocoConfig, root: Path, split: str) -> None:
    """Holds the JSON of a split against that of the other one, where there are two."""
    other = "train" if split == "val" else "val"
    path = root / config.path(config.annotations, other)
    if path == annotations.path or not path.is_file():
        return
    beside = annotation_file(path)
    here, there = (
        [(c.name, c.isthing) for c in own_classes(file, config.classes, config.ignore).categories]
        for file in (annotations, beside)
    )
    if here != there:
        differing = sorted(name for name, _ in set(here) ^ set(there))
        raise LabelError(
            f"{annotations.path}: has other classes than {beside.path.name} "
            f"({', '.join(differing[:5]) or 'in another order'}); name those that both list in the setting "
            "classes of the data set"
        )
    both = annotations.images.keys() & beside.images.keys()
    if both and config.path(config.images, split) == config.path(config.images, other):
        raise DatasetLayoutError(
            f"{annotations.path}: lists {min(both)!r}, as {beside.path.name} does, one of {len(both)} such; "
            "what is evaluated must not be trained on"
        )


class _CocoReader(AnyReader):
    """Reads by the settings of each data set and the JSON that they name."""

    protocol: Protocol = "coco"

    def classes(self, config: OwnCocoConfig, root: Path) -> tuple[Category, ...]:
        found = _annotations(config, root, "train" if config.has_training_split else "val")
        return own_classes(found, config.classes, config.ignore).categories

    def listing(self, config: OwnCocoConfig, root: Path, split: str) -> Listing:
        return list_files(config, root, split)

    def open(self, config: OwnCocoConfig, root: Path, index: pd.DataFrame) -> OwnCoco:
        return OwnCoco(root, index, config)


READER = _CocoReader()
