"""The known data set kinds, and what can be done with any of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.datasets.index import SplitIndex, complete, files_frame, read_index
from vfm_fusion.datasets.kinds import data_root, reader
from vfm_fusion.errors import DatasetLayoutError


def categories(config: DatasetConfig, root: Path = Path()) -> tuple[Category, ...]:
    """The evaluated classes of a data set.

    Args:
        config: the data set's settings.
        root: see :func:`vfm_fusion.datasets.kinds.data_root`; only kind ``coco`` has its classes there.

    Raises:
        DatasetLayoutError: a file that says which classes there are is missing.
        CorruptImageError: it is damaged.
        LabelError: it contradicts itself or the settings.
    """
    return reader(config.kind).classes(config, root)


def open_dataset(config: DatasetConfig, root: Path, index: pd.DataFrame) -> Dataset:
    """Opens a split.

    Args:
        config: the data set's settings.
        root: see :func:`vfm_fusion.datasets.kinds.data_root`.
        index: see :func:`vfm_fusion.datasets.index.read_index`.
    """
    return reader(config.kind).open(config, root, index)


def index_split(config: DatasetConfig, root: Path, split: str, *, workers: int = 1) -> SplitIndex:
    """Checks a split's folders and every file in them, and makes its index, sorted by image id.

    Args:
        config: the data set's settings.
        root: folder of the data set.
        split: ``train`` or ``val``.
        workers: threads that decode.

    Returns:
        The index, and what it leaves out: damaged images (``damaged: skip``), and what is not read.

    Raises:
        DatasetLayoutError: a folder or file of the official layout is missing, there is no image, or an id
            occurs twice.
        CorruptImageError: a file cannot be decoded, or a label's size is not its image's.
        LabelError: a label file holds an id that the data set does not define.
    """
    found = reader(config.kind)
    listing = found.listing(config, root, split)
    if not listing.files:
        raise DatasetLayoutError(
            f"{root}: split {split!r} holds no image where a data set of kind {config.kind} has them "
            "(docs/datasets.md, docs/your_data.md). Correct root or settings, or unpack the whole archive."
        )
    frame = files_frame(listing.files, split)
    skip_damaged = not config.generated and config.damaged == "skip"
    dataset = found.open(config, root, frame)
    index = complete(frame, dataset, root, skip_damaged=skip_damaged, workers=workers)
    return index._replace(left_out=Counter(listing.left_out) + Counter(index.left_out))


def dataset_config(settings: Mapping[str, Any]) -> DatasetConfig:
    """Validates the settings of one data set; ``kind`` decides which section they are."""
    return TypeAdapter(DatasetConfig).validate_json(json.dumps(settings))


def open_indexed(settings: Mapping[str, Any], index: Path, generated: Path) -> Dataset:
    """Opens one split of a data set.

    Args:
        settings: its settings as plain data.
        index: the split's index (Parquet).
        generated: folder of the data set if it is a generated one.

    Raises:
        DatasetLayoutError: the index or the data set's folder is missing.
    """
    config = dataset_config(settings)
    return open_dataset(config, data_root(config, generated), read_index(index))
