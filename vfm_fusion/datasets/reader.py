"""What a data set's layout is to the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.datasets.index import Files


@dataclass(frozen=True)
class Reader:
    """How one official layout is read.

    Attributes:
        categories: the evaluated classes.
        list_files: (root, split) -> the files of a split, after checking the layout.
        dataset: the data set class.
    """

    categories: tuple[Category, ...]
    list_files: Callable[[Path, str], list[Files]]
    dataset: type[Dataset]
