"""Objects that cover one another, as rasters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from faster_coco_eval.core import mask as coco_mask

from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances
from vfm_fusion.datasets.folders import require_folder
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.readers.coco_classes import CocoClasses
from vfm_fusion.datasets.readers.coco_fields import as_whole, flag, quantity, whole_number
from vfm_fusion.datasets.readers.coco_images import below_split, listed_images
from vfm_fusion.datasets.readers.coco_json import AnnotationFile, annotation_file
from vfm_fusion.datasets.readers.coco_labels import THINGS
from vfm_fusion.errors import LabelError


def lay_over(
    masks: Iterable[tuple[int, np.ndarray]], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Lays masks over one another: what the front ones cover moves to further layers.

    Args:
        masks: (number, ``(H, W)`` bool), the front-most first; read one by one.
        size: (H, W).

    Returns:
        ``ids`` ``(H, W)`` int32 and ``covered`` ``(L, H, W)`` int32 or None, as
        :class:`vfm_fusion.datasets.base.Instances` holds them.
    """
    layers = [np.zeros(size, np.int32)]
    for number, mask in masks:
        rest = mask
        for layer in layers:
            free = rest & (layer == 0)
            layer[free] = number
            rest = rest & ~free
            if not rest.any():
                break
        else:
            layers.append(np.where(rest, np.int32(number), np.int32(0)))
    return layers[0], np.stack(layers[1:]) if len(layers) > 1 else None


_LAYOUT = "COCO 2017"

CATEGORIES = tuple(
    Category(train_id, name, isthing, color) for train_id, (_, name, isthing, color) in enumerate(THINGS)
)
"""The 80 classes, numbered in the order of their official ids."""

_NAMES = {official: name for official, name, _, _ in THINGS}
CLASSES = CocoClasses(
    CATEGORIES,
    {official: train_id for train_id, official in enumerate(_NAMES)},
    "COCO does not define. Take the file of the release.",
)
"""The same by their official ids."""


class CocoInstance(Dataset):
    """A split of COCO's instance task."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 80 classes."""
        return CATEGORIES

    def labels(self, position: int) -> tuple[np.ndarray, Instances]:
        """The class of the front-most object of each pixel, and the objects; see :func:`read_objects`."""
        annotations = annotation_file(self.path("instance", position))
        name = below_split(self._index["image"].iloc[position])
        return read_objects(annotations, name, CLASSES)


def read_objects(
    annotations: AnnotationFile, name: str, classes: CocoClasses
) -> tuple[np.ndarray, Instances]:
    """Reads the objects of an image.

    Args:
        annotations: the JSON.
        name: the image's ``file_name``.
        classes: the evaluated classes; objects of others are passed over.

    Returns:
        The class of the front-most object of each pixel, ``(H, W)`` uint8 train ids; and the objects in the
        order of the file.

    Raises:
        LabelError: a field of an annotation or the image's size is of another type than COCO's, or an
            annotation is of an unknown class, or its mask is not one of the image's size.
        DatasetLayoutError: the JSON does not list the image.
    """
    image = annotations.image(name)
    size = (image.height, image.width)
    rows = (_read(row, size, annotations.path, classes) for row in annotations.annotations(image.id))
    objects = [found for found in rows if found.train_id != VOID]
    categories = np.array([found.train_id for found in objects], np.int64)
    crowd = np.array([found.crowd for found in objects], bool)
    front_first = np.lexsort(([found.pixels for found in objects], crowd))
    ids, covered = _by_columns(((k + 1, objects[k].mask) for k in front_first), size)
    semantic = np.array([VOID, *categories], np.uint8).take(ids)
    areas = np.array([found.area for found in objects], np.float64)
    return semantic, Instances(ids, categories, crowd, covered, areas)


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images of the annotation file, with or without objects.

    Raises:
        DatasetLayoutError: a folder or the annotation file is missing, an image is not listed, or a listed
            image is missing.
        CorruptImageError: the annotation file is damaged.
        LabelError: the annotation file is not COCO's: other classes, or an id or file name that occurs twice
            or is of another type.
    """
    folder = require_folder(root, f"{split}2017", _LAYOUT)
    labels = f"annotations/instances_{split}2017.json"
    annotations = annotation_file(root / labels)
    annotations.check_categories(_NAMES)
    return [
        Files(Path(name).stem, f"{split}2017/{name}", labels, labels)
        for name in listed_images(annotations, folder)
    ]


def _by_columns(
    masks: Iterable[tuple[int, np.ndarray]], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """As ``lay_over``, column by column: so run lengths are decoded, and the other order is far slower."""
    ids, covered = lay_over(((number, mask.T) for number, mask in masks), size[::-1])
    rows = None if covered is None else np.ascontiguousarray(covered.transpose(0, 2, 1))
    return np.ascontiguousarray(ids.T), rows


class _Object(NamedTuple):
    mask: np.ndarray  # (H, W) bool
    pixels: int
    train_id: int
    crowd: bool
    area: float


def _read(row: dict[str, Any], size: tuple[int, int], path: Path, classes: CocoClasses) -> _Object:
    where = f"{path}: annotation {row.get('id')} of image id {row['image_id']}"
    if "id" in row:
        whole_number(row, "id", where)
    mask = _mask(row.get("segmentation"), size, where)
    pixels = np.count_nonzero(mask)
    area = quantity(row, "area", where) if "area" in row else float(pixels)
    train_id = classes.train_id(row.get("category_id"), where)
    return _Object(mask, pixels, train_id, flag(row, "iscrowd", where), area)


def _mask(shape: Any, size: tuple[int, int], where: str) -> np.ndarray:
    """Draws the polygons or run lengths of an annotation: ``(H, W)`` bool."""
    try:
        code = _from_run_lengths(shape, size) if isinstance(shape, dict) else _from_polygons(shape, size)
        return coco_mask.decode(code).astype(bool)
    except (TypeError, ValueError, RuntimeError) as error:
        raise LabelError(
            f"{where} has no mask of {size[0]} x {size[1]} pixels (height x width): {error}. Remove the "
            "annotation, or take the file of the release."
        ) from error


def _from_run_lengths(code: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    if code.get("size") != list(size):
        raise ValueError(f"its run lengths are for {code.get('size')}")
    lengths = code.get("counts")
    if isinstance(lengths, str):
        return {"size": list(size), "counts": lengths.encode()}
    counts = [as_whole(length) for length in lengths] if isinstance(lengths, list) else [None]
    if any(length is None or length < 0 for length in counts):
        raise ValueError("its run lengths are neither text nor whole numbers of at least 0")
    return coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size)


def _from_polygons(polygons: Any, size: tuple[int, int]) -> dict[str, Any]:
    """Encodes the union of polygons; one of fewer than three points beside others encloses nothing."""
    if not isinstance(polygons, list):
        raise ValueError("its segmentation is neither a list of polygons nor run lengths")
    drawn = []
    for polygon in polygons:
        points = np.asarray(polygon)
        if points.ndim != 1 or points.size % 2 or points.dtype.kind not in "iuf":
            raise ValueError("a polygon is not a list of x, y, x, y, ...")
        relative = points.reshape(-1, 2) / (size[1], size[0])
        if not ((relative >= -1) & (relative <= 2)).all():
            raise ValueError("a polygon lies far outside the image")
        if points.size >= 6:
            drawn.append(points.astype(np.float64).tolist())
    if not drawn:
        raise ValueError("no polygon of its segmentation has three points")
    return coco_mask.merge(coco_mask.frPyObjects(drawn, *size))


READER = Reader(CATEGORIES, list_files, CocoInstance)
