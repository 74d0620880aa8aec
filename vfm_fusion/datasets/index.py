"""The index of a split: one row per image, with paths relative to the data root."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd

from vfm_fusion.atomic import atomic_path, file_sha256
from vfm_fusion.config.datasets import DatasetConfig, Protocol
from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.datasets.images import conversions
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError
from vfm_fusion.workflow.progress import progress

COLUMNS = {
    "image_id": "str",
    "split": "str",
    "image": "str",
    "semantic": "str",
    "instance": "str",
    "height": "int64",
    "width": "int64",
    "sha256": "str",
    "converted": "str",
}
"""Columns of an index and their types. ``semantic`` and ``instance`` are null where there is none.
``converted`` names what decoding the image did beyond reading 8-bit RGB, separated by commas."""

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
        DatasetLayoutError: two images have the same id.
    """
    rows = sorted(files, key=lambda entry: (entry.image_id, entry.image))
    for first, second in pairwise(rows):
        if first.image_id == second.image_id:
            raise DatasetLayoutError(
                f"image id {first.image_id!r} of split {split!r} occurs twice: {first.image} and "
                f"{second.image}. Remove or rename one of them, with its labels."
            )
    frame = pd.DataFrame([vars(row) for row in rows]).assign(
        split=split, height=0, width=0, sha256="", converted=""
    )
    return frame[list(COLUMNS)].astype(COLUMNS)


@dataclass(frozen=True)
class Skipped:
    """An image that was left out, and why."""

    image_id: str
    reason: str


class SplitIndex(NamedTuple):
    """The index of a split (columns :data:`COLUMNS`), and what it leaves out: images, and other things.

    Attributes:
        frame: the index.
        skipped: the damaged images.
        left_out: what else is not read of the files and labels, with its number.
    """

    frame: pd.DataFrame
    skipped: tuple[Skipped, ...]
    left_out: Mapping[str, int]

    def summary(self) -> dict[str, Any]:
        """Counts images, labels, sizes, conversions and what is left out, and lists every skipped image."""
        names = Counter(name for entry in self.frame["converted"] for name in entry.split(", ") if name)
        sides = self.frame[["height", "width"]]
        return {
            "images": len(self.frame),
            "with_semantic_labels": int(self.frame["semantic"].notna().sum()),
            "with_instance_labels": int(self.frame["instance"].notna().sum()),
            "smallest_sides": sides.min().tolist(),
            "largest_sides": sides.max().tolist(),
            "converted": dict(sorted(names.items())),
            "skipped": [vars(entry) for entry in self.skipped],
            "left_out": dict(sorted(self.left_out.items())),
        }


class _Facts(NamedTuple):
    height: int
    width: int
    sha256: str
    converted: str
    left_out: Mapping[str, int]


def complete(
    frame: pd.DataFrame, dataset: Dataset, root: Path, *, skip_damaged: bool = False, workers: int = 1
) -> SplitIndex:
    """Decodes every image with its labels and fills in size, digest and conversions.

    Args:
        frame: index from :func:`files_frame`.
        dataset: opened on it.
        root: folder of the data set.
        skip_damaged: leave out images that are damaged, or whose labels are, instead of raising.
        workers: threads that decode.

    Returns:
        The completed index, and what it leaves out.

    Raises:
        CorruptImageError: see :meth:`vfm_fusion.datasets.base.Dataset.__getitem__`; also when every image is
            damaged.
        LabelError: as above.
        DatasetLayoutError: a file is missing.
    """

    def examine(position: int) -> _Facts | Skipped:
        try:
            return _facts(dataset, position)
        except (CorruptImageError, LabelError) as error:
            if not skip_damaged:
                raise
            return Skipped(dataset.ids[position], str(error).replace(f"{root}/", ""))

    with ThreadPoolExecutor(workers) as pool:
        found = list(progress(pool.map(examine, range(len(dataset))), "index", len(dataset)))
    skipped = tuple(entry for entry in found if isinstance(entry, Skipped))
    if len(skipped) == len(found):
        raise CorruptImageError(f"every image is damaged; the first: {skipped[0].reason}")
    kept = [position for position, entry in enumerate(found) if isinstance(entry, _Facts)]
    facts = pd.DataFrame([found[position] for position in kept])
    left_out: Counter[str] = Counter()
    for counted in facts.pop("left_out"):
        left_out.update(counted)
    frame = frame.iloc[kept].reset_index(drop=True).assign(**{name: facts[name] for name in facts})
    return SplitIndex(frame.astype(COLUMNS), skipped, left_out)


def _facts(dataset: Dataset, position: int) -> _Facts:
    sample, path = dataset[position], dataset.path("image", position)
    height, width = sample.image.shape[:2]
    is_labelled = sample.semantic is not None or sample.instances is not None
    converted = conversions(path, (height, width) if is_labelled else None)
    return _Facts(height, width, file_sha256(path), ", ".join(converted), dataset.left_out(position))


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


@dataclass(frozen=True)
class Listing:
    """The files of a split.

    Attributes:
        files: of every image.
        left_out: what lies beside them and is not read, with its number.
    """

    files: list[Files]
    left_out: Mapping[str, int] = field(default_factory=dict)


class AnyReader(ABC):
    """How the data sets of a kind are read.

    ``config`` is always the settings of the data set, and ``root`` its folder.
    """

    @property
    @abstractmethod
    def protocol(self) -> Protocol:
        """See :attr:`vfm_fusion.datasets.base.Dataset.protocol`."""

    @abstractmethod
    def classes(self, config: DatasetConfig, root: Path) -> tuple[Category, ...]:
        """The evaluated classes."""

    @abstractmethod
    def listing(self, config: DatasetConfig, root: Path, split: str) -> Listing:
        """The files of a split, after checking the layout."""

    @abstractmethod
    def open(self, config: DatasetConfig, root: Path, index: pd.DataFrame) -> Dataset:
        """A split by its index."""


@dataclass(frozen=True)
class Reader(AnyReader):
    """How one official layout is read.

    Attributes:
        categories: the evaluated classes.
        list_files: (root, split) -> the files of a split, after checking the layout.
        dataset: the data set class.
    """

    categories: tuple[Category, ...]
    list_files: Callable[[Path, str], list[Files]]
    dataset: type[Dataset]

    @property
    def protocol(self) -> Protocol:
        """That of the data set class."""
        return self.dataset.protocol

    def classes(self, config: DatasetConfig, root: Path) -> tuple[Category, ...]:
        """See :class:`AnyReader`."""
        return self.categories

    def listing(self, config: DatasetConfig, root: Path, split: str) -> Listing:
        """See :class:`AnyReader`."""
        return Listing(self.list_files(root, split))

    def open(self, config: DatasetConfig, root: Path, index: pd.DataFrame) -> Dataset:
        """See :class:`AnyReader`."""
        return self.dataset(root, index)
