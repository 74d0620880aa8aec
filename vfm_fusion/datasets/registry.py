"""The known data set kinds, and what can be done with any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vfm_fusion.config.datasets import DatasetConfig, FolderConfig
from vfm_fusion.datasets import camvid, cityscapes
from vfm_fusion.datasets.base import Category, Dataset
from vfm_fusion.datasets.index import Files, SplitIndex, complete, files_frame
from vfm_fusion.datasets.readers import (
    acdc,
    ade20k,
    bdd100k,
    click_sets,
    coco_instance,
    coco_panoptic,
    coco_stuff,
    gta5,
    kitti360,
    mapillary,
    object_masks,
    sbd,
    synscapes,
    synthia,
    urbansyn,
)


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


_CITYSCAPES = Reader(cityscapes.CATEGORIES, cityscapes.list_files, cityscapes.Cityscapes)

READERS: dict[str, Reader] = {
    "acdc": Reader(cityscapes.CATEGORIES, acdc.list_files, acdc.Acdc),
    "ade20k": Reader(ade20k.CATEGORIES, ade20k.list_files, ade20k.Ade20k),
    "bdd100k": Reader(cityscapes.CATEGORIES, bdd100k.list_files, bdd100k.Bdd100k),
    "berkeley": Reader(object_masks.CATEGORIES, click_sets.BERKELEY.list_files, object_masks.TrimapMasks),
    "cityscapes": _CITYSCAPES,
    "miniscapes": _CITYSCAPES,
    "camvid": Reader(camvid.CATEGORIES, camvid.list_files, camvid.Camvid),
    "coco_instance": Reader(coco_instance.CATEGORIES, coco_instance.list_files, coco_instance.CocoInstance),
    "coco_mval": Reader(object_masks.CATEGORIES, click_sets.COCO_MVAL.list_files, object_masks.TrimapMasks),
    "coco_panoptic": Reader(coco_panoptic.CATEGORIES, coco_panoptic.list_files, coco_panoptic.CocoPanoptic),
    "coco_stuff": Reader(coco_stuff.CATEGORIES, coco_stuff.list_files, coco_stuff.CocoStuff),
    "davis": Reader(object_masks.CATEGORIES, click_sets.DAVIS.list_files, object_masks.PaintedMasks),
    "grabcut": Reader(object_masks.CATEGORIES, click_sets.GRABCUT.list_files, object_masks.TrimapMasks),
    "gta5": Reader(cityscapes.CATEGORIES, gta5.list_files, gta5.Gta5),
    "kitti360": Reader(kitti360.CATEGORIES, kitti360.list_files, kitti360.Kitti360),
    "mapillary": Reader(mapillary.CATEGORIES, mapillary.list_files, mapillary.Mapillary),
    "sbd": Reader(sbd.CATEGORIES, sbd.list_files, sbd.Sbd),
    "synscapes": Reader(cityscapes.CATEGORIES, synscapes.list_files, synscapes.Synscapes),
    "synthia": Reader(cityscapes.CATEGORIES, synthia.list_files, synthia.Synthia),
    "urbansyn": Reader(cityscapes.CATEGORIES, urbansyn.list_files, urbansyn.UrbanSyn),
}
"""The reader of each ``kind`` of the configuration."""


def categories(config: DatasetConfig) -> tuple[Category, ...]:
    """The evaluated classes of a data set."""
    return READERS[config.kind].categories


def open_dataset(config: DatasetConfig, root: Path, index: pd.DataFrame) -> Dataset:
    """Opens a split.

    Args:
        config: the data set's settings.
        root: see :func:`vfm_fusion.datasets.roots.data_root`.
        index: see :func:`vfm_fusion.datasets.index.read_index`.
    """
    return READERS[config.kind].dataset(root, index)


def index_split(config: DatasetConfig, root: Path, split: str, *, workers: int = 1) -> SplitIndex:
    """Checks a split's folders and every file in them, and makes its index, sorted by image id.

    Args:
        config: the data set's settings.
        root: folder of the data set.
        split: ``train`` or ``val``.
        workers: threads that decode.

    Returns:
        The index, and the damaged images that it leaves out (``damaged: skip``).

    Raises:
        DatasetLayoutError: a folder or file of the official layout is missing, or an id occurs twice.
        CorruptImageError: a file cannot be decoded, or a label's size is not its image's.
        LabelError: a label file holds an id that the data set does not define.
    """
    reader = READERS[config.kind]
    frame = files_frame(reader.list_files(root, split), split)
    skip_damaged = isinstance(config, FolderConfig) and config.damaged == "skip"
    dataset = reader.dataset(root, frame)
    return complete(frame, dataset, root, skip_damaged=skip_damaged, workers=workers)
