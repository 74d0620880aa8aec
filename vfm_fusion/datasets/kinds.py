"""The reader of each ``kind`` of data set, imported when one is opened; and where its files lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vfm_fusion.config.datasets import DatasetConfig
from vfm_fusion.config.paths import expand
from vfm_fusion.config.registries import READERS
from vfm_fusion.errors import DatasetLayoutError
from vfm_fusion.loading import load

if TYPE_CHECKING:
    from vfm_fusion.datasets.index import AnyReader


def reader(kind: str) -> AnyReader:
    """Imports and returns the reader of a kind."""
    return load(READERS[kind])


def data_root(config: DatasetConfig, generated: Path, name: str = "<name>") -> Path:
    """Finds the folder of a data set.

    Args:
        config: the data set's settings.
        generated: folder of a generated data set.
        name: name of the data set in the configuration, for messages.

    Returns:
        ``generated`` for a generated data set, otherwise ``config.root`` with ``~`` and environment variables
        expanded.

    Raises:
        DatasetLayoutError: an environment variable is not set, or the folder does not exist.
    """
    if config.generated:
        return generated
    key = f"datasets.{name}.root"
    root = expand(config.root, key, DatasetLayoutError)
    if not root.is_dir():
        found = f"the file {root}" if root.exists() else f"the folder {root}, which does not exist"
        raise DatasetLayoutError(
            f"{key}: {config.root!r} is {found}. Set {key} to the folder of the {config.kind} data set."
        )
    return root
