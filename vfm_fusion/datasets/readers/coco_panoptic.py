"""COCO 2017's panoptic task: ``annotations/panoptic_{split}2017.json`` and the folder of PNGs beside it.

A PNG's colour is the id of a segment, red + 256 green + 65536 blue, and 0 is void; the JSON says which class
a segment is of, and whether it is a crowd.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances
from vfm_fusion.datasets.folders import pair, refuse_other_case, require_folder, visible
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.numbering import distinct
from vfm_fusion.datasets.rasters import read_packed_ids
from vfm_fusion.datasets.readers.coco_classes import CocoClasses
from vfm_fusion.datasets.readers.coco_fields import entry, flag, text, whole_number
from vfm_fusion.datasets.readers.coco_images import below_split, listed_images
from vfm_fusion.datasets.readers.coco_json import AnnotationFile, annotation_file
from vfm_fusion.datasets.readers.coco_labels import PANOPTIC
from vfm_fusion.errors import LabelError

_LAYOUT = "COCO 2017 panoptic"

CATEGORIES = tuple(
    Category(train_id, name, isthing, color) for train_id, (_, name, isthing, color) in enumerate(PANOPTIC)
)
"""The 133 classes, numbered in the order of their official ids: 80 things, 53 stuff."""

_NAMES = {official: name for official, name, _, _ in PANOPTIC}

CLASSES = CocoClasses(
    CATEGORIES,
    {official: train_id for train_id, official in enumerate(_NAMES)},
    "COCO's panoptic task does not define. Take the files of the release.",
)
"""The same by their official ids."""


class CocoPanoptic(Dataset):
    """A split of COCO's panoptic task."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 133 classes."""
        return CATEGORIES

    def labels(self, position: int) -> tuple[np.ndarray, Instances]:
        """Classes and objects of one PNG, the objects in the order of the JSON; see :func:`read_segments`."""
        path = self.path("semantic", position)
        annotations = annotation_file(path.parent.with_suffix(".json"))
        return read_segments(annotations, below_split(self._index["image"].iloc[position]), path, CLASSES)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images that the JSON lists, with their PNGs.

    Raises:
        DatasetLayoutError: a folder or the JSON is missing, or an image, its entry or its PNG is missing.
        CorruptImageError: the JSON is damaged.
        LabelError: the JSON is not COCO's: other classes, or an id or file name that occurs twice or is
            of another type.
    """
    folder = require_folder(root, f"{split}2017", _LAYOUT)
    labels = f"annotations/panoptic_{split}2017"
    pngs = require_folder(root, labels, _LAYOUT)
    annotations = annotation_file(root / f"{labels}.json")
    annotations.check_categories(_NAMES)
    names = listed_images(annotations, folder)
    stems = [Path(name).stem for name in names]
    found = (path.stem for path in visible(pngs, "*.png"))
    refuse_other_case(pngs, "*.png")
    pair(stems, found, pngs, "{}.png")
    return [
        Files(stem, f"{split}2017/{name}", f"{labels}/{stem}.png", f"{labels}/{stem}.png")
        for stem, name in zip(stems, names, strict=True)
    ]


def read_segments(
    annotations: AnnotationFile, name: str, path: Path, classes: CocoClasses
) -> tuple[np.ndarray, Instances]:
    """Reads the segments of an image.

    Args:
        annotations: the JSON.
        name: the image's ``file_name``.
        path: its PNG.
        classes: the evaluated classes.

    Returns:
        As :func:`labels_from_segments`.

    Raises:
        LabelError: the PNG and the JSON have other segments, the image has not one annotation or one of
            another PNG, a segment is of an unknown class, or a field is of another type than COCO's.
        CorruptImageError: the PNG is damaged.
        DatasetLayoutError: the PNG is missing, or the JSON does not list the image.
    """
    rows = annotations.annotations(annotations.image(name).id)
    _check_annotation(rows, path, annotations.path)
    segments = rows[0].get("segments_info")
    return labels_from_segments(read_packed_ids(path), segments, path, classes, annotations.path.name)


def labels_from_segments(
    segment_ids: np.ndarray,
    segments: list[dict[str, Any]],
    path: Path,
    classes: CocoClasses = CLASSES,
    source: str = "the JSON",
) -> tuple[np.ndarray, Instances]:
    """Turns segments into train ids and objects.

    Args:
        segment_ids: ``(H, W)`` int32, 0 void.
        segments: the JSON's ``segments_info``.
        path: the PNG, for messages.
        classes: the evaluated classes.
        source: name of the JSON, for messages.

    Returns:
        ``(H, W)`` uint8 train ids, void where there is no segment or one of a class that is not evaluated;
        and the segments of things, in the order of ``segments``.

    Raises:
        LabelError: a segment of the PNG is not in the JSON or the other way round, an id occurs twice, a
            class is unknown, or a field is of another type than COCO's.
    """
    found, places = distinct(segment_ids)
    listed = _parse(segments, path, classes, source)
    _check_segments(set(found.tolist()) - {0}, [segment.id for segment in listed], path)
    isthing = {category.id: category.isthing for category in classes.categories}
    things = [segment for segment in listed if isthing.get(segment.train_id, False)]
    train_ids = {0: VOID} | {segment.id: segment.train_id for segment in listed}
    numbers = {segment.id: number for number, segment in enumerate(things, start=1)}
    semantic = np.array([train_ids[value] for value in found.tolist()], np.uint8)
    ids = np.array([numbers.get(value, 0) for value in found.tolist()], np.int32)
    return semantic[places], Instances(
        ids=ids[places],
        categories=np.array([segment.train_id for segment in things], np.int64),
        crowd=np.array([segment.crowd for segment in things], bool),
    )


class _Segment(NamedTuple):
    id: int
    train_id: int
    crowd: bool


def _parse(segments: Any, path: Path, classes: CocoClasses, source: str) -> list[_Segment]:
    if not isinstance(segments, list):
        raise LabelError(f"{path}: its segments_info in the JSON is no list. Take the files of the release.")
    where = f"{path}: in {source}, segments_info"
    return [_segment(row, f"{where}[{number}]", classes) for number, row in enumerate(segments)]


def _segment(row: Any, where: str, classes: CocoClasses) -> _Segment:
    segment_id = whole_number(entry(row, where), "id", where, least=1)
    official = whole_number(row, "category_id", where)
    train_id = classes.train_id(official, f"{where}: segment {segment_id}")
    return _Segment(segment_id, train_id, flag(row, "iscrowd", where))


def _check_annotation(rows: list[dict[str, Any]], png: Path, annotations: Path) -> None:
    if len(rows) != 1:
        raise LabelError(
            f"{png}: {annotations.name} has {len(rows)} annotations of it, expected one. Take both from the "
            "same release."
        )
    where = f"{annotations}: the annotation of image id {rows[0]['image_id']}"
    if "file_name" in rows[0] and Path(text(rows[0], "file_name", where)).name != png.name:
        raise LabelError(
            f"{where} is of the PNG {rows[0]['file_name']}, but its image has {png.name}. Take both from the "
            "same release."
        )


def _check_segments(present: set[int], listed: list[int], path: Path) -> None:
    for what, found in (
        ("is in the PNG but not in the JSON", present - set(listed)),
        ("is in the JSON but not in the PNG", set(listed) - present),
        ("occurs twice in the JSON", {first for first in listed if listed.count(first) > 1}),
    ):
        if found:
            raise LabelError(f"{path}: segment {min(found)} {what}. Take both from the same release.")


READER = Reader(CATEGORIES, list_files, CocoPanoptic)
