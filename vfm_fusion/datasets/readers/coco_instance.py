"""Objects that cover one another, as rasters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as coco_mask

from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances
from vfm_fusion.datasets.folders import pair, require_folder
from vfm_fusion.datasets.index import Files, Reader
from vfm_fusion.datasets.readers.coco_json import ListedImage, annotation_file
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
_TRAIN_IDS = {official: train_id for train_id, official in enumerate(_NAMES)}


class CocoInstance(Dataset):
    """A split of COCO's instance task."""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The 80 classes."""
        return CATEGORIES

    def labels(self, position: int) -> tuple[np.ndarray, Instances]:
        """The class of the front-most object of each pixel, and the objects in the order of the file.

        Raises:
            LabelError: an annotation is of an unknown class, or its mask is not one of the image's size.
            DatasetLayoutError: the annotation file is missing, or does not list the image.
            CorruptImageError: the annotation file is damaged.
        """
        annotations = annotation_file(self.path("instance", position))
        image = annotations.image(self.path("image", position).name)
        rows = annotations.annotations(image.id)
        masks = [_mask(row, image, annotations.path) for row in rows]
        categories = np.array([_train_id(row, annotations.path) for row in rows], np.int64)
        crowd = np.array([bool(row.get("iscrowd", 0)) for row in rows], bool)
        drawn = [np.count_nonzero(mask) for mask in masks]
        front_first = np.lexsort((drawn, crowd))
        ids, covered = _by_columns(((k + 1, masks[k]) for k in front_first), (image.height, image.width))
        semantic = np.array([VOID, *categories], np.uint8).take(ids)
        areas = [row.get("area", pixels) for row, pixels in zip(rows, drawn, strict=True)]
        return semantic, Instances(ids, categories, crowd, covered, np.array(areas, np.float64))


def list_files(root: Path, split: str) -> list[Files]:
    """Lists the images of the annotation file, with or without objects.

    Raises:
        DatasetLayoutError: a folder or the annotation file is missing, an image is not listed, or a listed
            image is missing.
        CorruptImageError: the annotation file is damaged.
        LabelError: the annotation file is not COCO's: other classes, or an id that occurs twice.
    """
    folder = require_folder(root, f"{split}2017", _LAYOUT)
    labels = f"annotations/instances_{split}2017.json"
    annotations = annotation_file(root / labels)
    annotations.check_categories(_NAMES)
    names = pair((path.name for path in folder.glob("*.jpg")), annotations.images, annotations.path, "{}")
    return [Files(Path(name).stem, f"{split}2017/{name}", labels, labels) for name in names]


def _by_columns(
    masks: Iterable[tuple[int, np.ndarray]], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """As ``lay_over``, column by column: so run lengths are decoded, and the other order is far slower."""
    ids, covered = lay_over(((number, mask.T) for number, mask in masks), size[::-1])
    rows = None if covered is None else np.ascontiguousarray(covered.transpose(0, 2, 1))
    return np.ascontiguousarray(ids.T), rows


def _train_id(row: dict[str, Any], path: Path) -> int:
    official = row.get("category_id")
    if not isinstance(official, int) or official not in _TRAIN_IDS:
        raise LabelError(
            f"{path}: annotation {row.get('id')} of image id {row['image_id']} has class id {official}, "
            "which COCO does not define. Take the file of the release."
        )
    return _TRAIN_IDS[official]


def _mask(row: dict[str, Any], image: ListedImage, path: Path) -> np.ndarray:
    """Draws the polygons or run lengths of an annotation: ``(H, W)`` bool."""
    shape, size = row.get("segmentation"), (image.height, image.width)
    try:
        code = _from_run_lengths(shape, size) if isinstance(shape, dict) else _from_polygons(shape, size)
        return coco_mask.decode(code).astype(bool)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise LabelError(
            f"{path}: annotation {row.get('id')} of image id {image.id} has no mask of {size[0]} x {size[1]} "
            f"pixels (height x width): {error}. Take the file of the release."
        ) from error


def _from_run_lengths(code: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    if tuple(code["size"]) != size:
        raise ValueError(f"its run lengths are for {code['size']}")
    if isinstance(code["counts"], str):
        return {"size": list(size), "counts": code["counts"].encode()}
    return coco_mask.frPyObjects(code, *size)


def _from_polygons(polygons: list[list[float]], size: tuple[int, int]) -> dict[str, Any]:
    """Encodes the union of polygons; one of fewer than three points encloses nothing and is left out."""
    drawn = []
    for polygon in polygons:
        points = np.asarray(polygon, np.float64)
        if points.ndim != 1 or points.size % 2:
            raise ValueError("a polygon is not a list of x, y, x, y, ...")
        relative = points.reshape(-1, 2) / (size[1], size[0])
        if not ((relative >= -1) & (relative <= 2)).all():
            raise ValueError("a polygon lies far outside the image")
        if points.size >= 6:
            drawn.append(points.tolist())
    if not drawn:
        return coco_mask.encode(np.zeros(size, np.uint8, order="F"))
    return coco_mask.merge(coco_mask.frPyObjects(drawn, *size))


READER = Reader(CATEGORIES, list_files, CocoInstance)
