"""Tiny data sets of street scenes in their official layouts, one image a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tiny_layouts import save

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset

HEIGHT, WIDTH = 2, 4
SPLIT = "train"


def save_palette(path: Path, indices: np.ndarray) -> None:
    """Writes a palette file whose colours have nothing to do with its indices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = Image.fromarray(indices)
    file.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    file.save(path)


def save_deep(path: Path, red: np.ndarray, green: np.ndarray) -> None:
    """Writes a 16-bit colour PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blue = np.zeros_like(red)
    assert cv2.imwrite(str(path), np.dstack([blue, green, red]).astype(np.uint16))


def packed(numbers: np.ndarray) -> np.ndarray:
    """``(H, W)`` numbers as ``(H, W, 3)`` uint8: red + 256 green + 65536 blue."""
    return np.stack([numbers % 256, numbers // 256 % 256, numbers // 65_536], axis=2).astype(np.uint8)


def _photo(path: Path) -> None:
    save(path, np.full((HEIGHT, WIDTH, 3), 60, np.uint8))


def _urbansyn(root: Path, key: str) -> None:
    _photo(root / f"rgb/rgb_{key}.png")
    save(root / f"ss/ss_{key}.png", np.array([[0, 13, 13, 19], [10, 13, 11, 18]], np.uint8))
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colours[0, 1], colours[0, 2], colours[1, 1], colours[1, 2] = (
        (1, 0, 13),
        (1, 0, 13),
        (1, 1, 13),
        (1, 0, 11),
    )
    save(root / f"panoptic/panoptic_{key}.png", colours)


def _synscapes(root: Path, key: str) -> None:
    _photo(root / f"img/rgb/{key}.png")
    save(root / f"img/class/{key}.png", np.array([[7, 26, 26, 255], [23, 25, 33, 24]], np.uint8))
    numbers = np.array([[0, 70_000, 300, 70_000], [9, 511, 511, 0]])
    save(root / f"img/instance/{key}.png", packed(numbers))


def _gta5(root: Path, key: str) -> None:
    _photo(root / f"images/{key}.png")
    save_palette(root / f"labels/{key}.png", np.array([[7, 26, 34, 0], [33, 5, 11, 23]], np.uint8))


def _synthia(root: Path, key: str) -> None:
    _photo(root / f"RGB/{key}.png")
    classes = np.array([[3, 8, 8, 22], [16, 17, 11, 10]])
    save_deep(root / f"GT/LABELS/{key}.png", classes, np.array([[0, 1000, 7, 0], [0, 300, 300, 0]]))


def _bdd100k(root: Path, key: str) -> None:
    _photo(root / f"images/10k/{SPLIT}/{key}.jpg")
    labels = np.array([[0, 18, 255, 2], [1, 3, 9, 16]], np.uint8)
    save(root / f"labels/sem_seg/masks/{SPLIT}/{key}.png", labels)


def _bdd100k_older(root: Path, key: str) -> None:
    _photo(root / f"seg/images/{SPLIT}/{key}.jpg")
    labels = np.array([[0, 18, 255, 2], [1, 3, 9, 16]], np.uint8)
    save(root / f"seg/labels/{SPLIT}/{key}_train_id.png", labels)
    save(root / f"seg/color_labels/{SPLIT}/{key}_train_color.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def _acdc(root: Path, key: str) -> None:
    for condition in ("fog", "night", "rain", "snow"):
        write_acdc_frame(root, condition, f"{condition}1", key)


def write_acdc_frame(root: Path, condition: str, sequence: str, key: str, split: str = SPLIT) -> None:
    """One image of one condition."""
    part = f"{condition}/{split}/{sequence}/{key}"
    _photo(root / f"rgb_anon/{part}_rgb_anon.png")
    train_ids = np.array([[0, 13, 13, 255], [11, 11, 11, 10]], np.uint8)
    save(root / f"gt/{part}_gt_labelTrainIds.png", train_ids)
    save(root / f"gt/{part}_gt_labelIds.png", np.full((HEIGHT, WIDTH), 7, np.uint8))
    numbers = np.array([[7, 26_000, 26_001, 0], [24_000, 24, 24, 23]])
    save(root / f"gt_panoptic/{part}_gt_panoptic.png", packed(numbers))


@dataclass(frozen=True)
class Tiny:
    """How a data set is written, and where its files then lie.

    Attributes:
        kind: of the configuration.
        write: (root, key) writes an image with its labels.
        image: path of the image with ``{}`` for the key.
        labels: the same of every label.
    """

    kind: str
    write: Callable[[Path, str], None]
    image: str
    labels: tuple[str, ...]


TINY = {
    "urbansyn": Tiny("urbansyn", _urbansyn, "rgb/rgb_{}.png", ("ss/ss_{}.png", "panoptic/panoptic_{}.png")),
    "synscapes": Tiny("synscapes", _synscapes, "img/rgb/{}.png", ("img/class/{}.png", "img/instance/{}.png")),
    "gta5": Tiny("gta5", _gta5, "images/{}.png", ("labels/{}.png",)),
    "synthia": Tiny("synthia", _synthia, "RGB/{}.png", ("GT/LABELS/{}.png",)),
    "bdd100k": Tiny("bdd100k", _bdd100k, "images/10k/train/{}.jpg", ("labels/sem_seg/masks/train/{}.png",)),
    "bdd100k, older": Tiny(
        "bdd100k", _bdd100k_older, "seg/images/train/{}.jpg", ("seg/labels/train/{}_train_id.png",)
    ),
    "acdc": Tiny(
        "acdc",
        _acdc,
        "rgb_anon/rain/train/rain1/{}_rgb_anon.png",
        (
            "gt/rain/train/rain1/{}_gt_labelTrainIds.png",
            "gt_panoptic/rain/train/rain1/{}_gt_panoptic.png",
        ),
    ),
}
"""The layouts of this module's data sets."""


def read(kind: str, root: Path, split: str = SPLIT) -> Dataset:
    """Indexes and opens a split."""
    config = FolderConfig(kind=kind, root=str(root))
    return open_dataset(config, root, index_split(config, root, split).frame)
