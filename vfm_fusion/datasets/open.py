"""Opening a data set from plain settings, as the workflow's scripts do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.index import read_index
from vfm_fusion.datasets.registry import open_dataset
from vfm_fusion.datasets.roots import data_root


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
