"""Boundary-to-area ratio of classes, from ground-truth label maps."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.errors import ReportingError, ShapeError


def boundary_to_area(
    label_maps: Iterable[tuple[np.ndarray, np.ndarray | None]], classes: Sequence[int]
) -> dict[int, float]:
    """Computes, per class, boundary pixels over area pixels, pooled over all images.

    A pixel is boundary if one of its four neighbours belongs to another class or another instance; the frame
    of the image is no boundary. A square of side a inside an image has ratio (4 a - 4) / a^2. The ratio is
    per pixel, so it depends on the resolution: compare it only among classes of one data set.

    Args:
        label_maps: per image ``(semantic, instances)``: train ids ``(H, W)`` uint8 with 255 for void, and
            instance ids ``(H, W)`` integer (0 for none) that separate touching objects of one class, or None.
        classes: train ids to measure.

    Returns:
        Train id to ratio in (0, 1]; NaN for a class that has no pixel.

    Raises:
        ShapeError: a map is not ``(H, W)`` of integers, or the two maps of an image differ in size.
    """
    boundary = np.zeros(VOID + 1, dtype=np.int64)
    area = np.zeros(VOID + 1, dtype=np.int64)
    for semantic, instances in label_maps:
        _check(semantic, instances)
        segments = semantic.astype(np.int64)  # (H, W)
        if instances is not None:
            segments += (VOID + 1) * instances.astype(np.int64)
        area += np.bincount(semantic.ravel(), minlength=VOID + 1)
        boundary += np.bincount(semantic[segment_borders(segments)], minlength=VOID + 1)
    return {
        train_id: float(boundary[train_id] / area[train_id]) if area[train_id] else float("nan")
        for train_id in classes
    }


def class_ratios(*datasets: Dataset) -> dict[str, float]:
    """Computes :func:`boundary_to_area` of every class over labelled splits, pooled.

    Args:
        datasets: the splits, of the same classes; images are decoded one at a time.

    Returns:
        Class name to ratio, in the order of the data sets' classes.

    Raises:
        ReportingError: an image has no labels.
    """
    names = {category.id: category.name for category in datasets[0].categories}
    maps = itertools.chain.from_iterable(_label_maps(dataset) for dataset in datasets)
    ratios = boundary_to_area(maps, list(names))
    return {name: ratios[train_id] for train_id, name in names.items()}


def _label_maps(dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    for position in range(len(dataset)):
        sample = dataset[position]
        if sample.semantic is None:
            raise ReportingError(
                f"image {sample.image_id!r} has no labels, so classes cannot be grouped by their boundaries; "
                "use a split with ground truth"
            )
        yield sample.semantic, None if sample.instances is None else sample.instances.ids


def group_by_ratio(ratios: Mapping[str, float]) -> tuple[list[str], list[str], float]:
    """Splits classes at the median ratio.

    Args:
        ratios: class name to boundary-to-area ratio; NaN (a class without pixels) is left out.

    Returns:
        ``(boundary-sensitive, large, median)``: class names, each list from the highest ratio to the lowest.
        A class at the median counts as large.
    """
    defined = {name: ratio for name, ratio in ratios.items() if not np.isnan(ratio)}
    if not defined:
        return [], [], float("nan")
    median = statistics.median(defined.values())
    ordered = sorted(defined, key=lambda name: (-defined[name], name))
    return [n for n in ordered if defined[n] > median], [n for n in ordered if defined[n] <= median], median


def segment_borders(segments: np.ndarray) -> np.ndarray:
    """Marks pixels with another segment above, below, left or right.

    Args:
        segments: ``(H, W)`` integer segment ids.

    Returns:
        ``(H, W)`` bool; the frame of the image is no border.
    """
    border = np.zeros(segments.shape, dtype=bool)
    vertical = segments[1:] != segments[:-1]  # (H-1, W)
    horizontal = segments[:, 1:] != segments[:, :-1]  # (H, W-1)
    border[1:] |= vertical
    border[:-1] |= vertical
    border[:, 1:] |= horizontal
    border[:, :-1] |= horizontal
    return border


def _check(semantic: np.ndarray, instances: np.ndarray | None) -> None:
    if semantic.ndim != 2 or semantic.dtype != np.uint8:
        raise ShapeError(f"semantic map: expected (H, W) uint8, found {semantic.shape} {semantic.dtype}")
    if instances is not None and (
        instances.shape != semantic.shape or not np.issubdtype(instances.dtype, np.integer)
    ):
        raise ShapeError(
            f"instance map: expected {semantic.shape} of integers, found {instances.shape} {instances.dtype}"
        )
