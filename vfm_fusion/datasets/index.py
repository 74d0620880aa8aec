"""The index of a split: one row per image, with paths relative to the data root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pandas as pd

from vfm_fusion.atomic import atomic_path
from vfm_fusion.checksums import file_sha256
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.errors import DatasetLayoutError

COLUMNS = {
    "image_id": "str",
    "split": "str",
    "image": "str",
    "semantic": "str",
    "instance": "str",
    "height": "int64",
    "width": "int64",
    "sha256": "str",
}
"""Columns of an index and their types. ``semantic`` and ``instance`` are null where there is none."""

_PATH_COLUMNS = ("image", "semantic", "instance")


@dataclass(frozen=True)
class Files:
    """The files of one image, relative to the data root (POSIX)."""

    image_id: str
    image: str
    semantic: str | None
    instance: str | None


def files_frame(files: Sequence[Files], split: str) -> pd.DataFrame:
    """Makes the index of a split without sizes and digests (0 and empty), sorted by image id.

    Raises:
        DatasetLayoutError: two images have the same id, or there is no image.
    """
    if not files:
        raise DatasetLayoutError(f"split {split!r} holds no image.")
    rows = sorted(files, key=lambda entry: (entry.image_id, entry.image))
    for first, second in pairwise(rows):
        if first.image_id == second.image_id:
            raise DatasetLayoutError(
                f"image id {first.image_id!r} of split {split!r} occurs twice: {first.image} and "
                f"{second.image}. Remove or rename one of them, with its labels."
            )
    frame = pd.DataFrame([vars(row) for row in rows]).assign(split=split, height=0, width=0, sha256="")
    return frame[list(COLUMNS)].astype(COLUMNS)


def complete(frame: pd.DataFrame, dataset: Dataset, root: Path) -> pd.DataFrame:
    """Decodes every image with its labels and fills in size and digest.

    Raises:
        CorruptImageError: see :meth:`vfm_fusion.datasets.base.Dataset.__getitem__`.
        LabelError: as above.
    """
    sizes = [dataset[position].image.shape[:2] for position in range(len(dataset))]
    return frame.assign(
        height=[height for height, _ in sizes],
        width=[width for _, width in sizes],
        sha256=[file_sha256(root / image) for image in frame["image"]],
    ).astype(COLUMNS)


def write_index(frame: pd.DataFrame, path: Path) -> None:
    """Writes an index as Parquet, atomically."""
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def read_index(path: Path) -> pd.DataFrame:
    """Reads an index.

    Raises:
        DatasetLayoutError: missing or damaged file, other columns, or a path that leaves the data root.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DatasetLayoutError(
            f"{path}: cannot be read ({error}). Delete it; the workflow writes it again."
        ) from error
    if list(frame.columns) != list(COLUMNS):
        raise DatasetLayoutError(
            f"{path}: has the columns {list(frame.columns)}, expected {list(COLUMNS)}. Delete it; the "
            "workflow writes it again."
        )
    for column in _PATH_COLUMNS:
        for relative in frame[column].dropna():
            _check_relative(path, relative)
    return frame.astype(COLUMNS)


def _check_relative(index: Path, relative: str) -> None:
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts:
        raise DatasetLayoutError(
            f"{index}: {relative!r} is not a path below the data root. An index that the workflow wrote "
            "holds none such; delete the file."
        )
