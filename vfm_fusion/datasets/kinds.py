"""Which module reads each ``kind`` of data set, imported when one is opened; and where its files lie."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vfm_fusion.config.datasets import DatasetConfig, MiniscapesConfig
from vfm_fusion.config.paths import expand
from vfm_fusion.errors import DatasetLayoutError

if TYPE_CHECKING:
    from vfm_fusion.datasets.index import Reader


_READERS = "vfm_fusion.datasets.readers"

READERS: dict[str, str] = {
    "acdc": f"{_READERS}.acdc:READER",
    "ade20k": f"{_READERS}.ade20k:READER",
    "bdd100k": f"{_READERS}.bdd100k:READER",
    "berkeley": f"{_READERS}.click_sets:BERKELEY",
    "camvid": f"{_READERS}.camvid:READER",
    "cityscapes": "vfm_fusion.datasets.cityscapes:READER",
    "coco_instance": f"{_READERS}.coco_instance:READER",
    "coco_mval": f"{_READERS}.click_sets:COCO_MVAL",
    "coco_panoptic": f"{_READERS}.coco_panoptic:READER",
    "coco_stuff": f"{_READERS}.coco_stuff:READER",
    "davis": f"{_READERS}.click_sets:DAVIS",
    "grabcut": f"{_READERS}.click_sets:GRABCUT",
    "gta5": f"{_READERS}.gta5:READER",
    "kitti360": f"{_READERS}.kitti360:READER",
    "mapillary": f"{_READERS}.mapillary:READER",
    "miniscapes": "vfm_fusion.datasets.cityscapes:READER",
    "sbd": f"{_READERS}.sbd:READER",
    "synscapes": f"{_READERS}.synscapes:READER",
    "synthia": f"{_READERS}.synthia:READER",
    "urbansyn": f"{_READERS}.urbansyn:READER",
}
"""Kind of the configuration to ``module:name`` of its reader."""


def reader(kind: str) -> Reader:
    """Imports and returns the reader of a kind."""
    module, _, name = READERS[kind].partition(":")
    return getattr(import_module(module), name)


def reader_module(kind: str) -> str:
    """Returns the name of the module that reads a kind."""
    return READERS[kind].partition(":")[0]


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
    if isinstance(config, MiniscapesConfig):
        return generated
    key = f"datasets.{name}.root"
    root = expand(config.root, key, DatasetLayoutError)
    if not root.is_dir():
        raise DatasetLayoutError(
            f"{key}: {config.root!r} is the folder {root}, which does not exist. Set {key} to the folder of "
            f"the {config.kind} data set."
        )
    return root
