"""Files of tiny data sets in the official layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 6, 8


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_frame(root: Path, split: str, city: str, key: str) -> None:
    """One Cityscapes frame: road, with a car and a group of people."""
    labels = np.full((HEIGHT, WIDTH), 7, np.uint8)
    labels[:2, :2], labels[3:, 5:] = 26, 24
    instances = labels.astype(np.uint16)
    instances[:2, :2] = 26_003
    save(root / f"leftImg8bit/{split}/{city}/{key}_leftImg8bit.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    save(root / f"gtFine/{split}/{city}/{key}_gtFine_labelIds.png", labels)
    save(root / f"gtFine/{split}/{city}/{key}_gtFine_instanceIds.png", instances)
    save(root / f"gtFine/{split}/{city}/{key}_gtFine_color.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (root / f"gtFine/{split}/{city}/{key}_gtFine_polygons.json").write_text("{}")
