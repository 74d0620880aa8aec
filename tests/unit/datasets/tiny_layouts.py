"""Files of tiny data sets in the official layouts."""

from __future__ import annotations

from pathlib import Path

import cv2
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


def resave(path: Path) -> tuple[int, int]:
    """Writes a label raster again in 16 bits for 8, and in 8 for 16; returns the bits before and after."""
    was_deep = path.read_bytes()[24] == 16
    with Image.open(path) as file:
        pixels = np.array(file)
    if pixels.ndim == 3 and not was_deep:
        assert cv2.imwrite(str(path), pixels.astype(np.uint16))  # Pillow does not write it
    else:
        save(path, pixels.astype(np.uint8 if was_deep else np.uint16))
    return (16, 8) if was_deep else (8, 16)


def litter(root: Path) -> None:
    """Leaves beside every file of a data set what systems and tools leave there."""
    files = [path for path in root.rglob("*") if path.is_file()]
    for path in files:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
        checkpoints = path.parent / ".ipynb_checkpoints"
        checkpoints.mkdir(exist_ok=True)
        for name in (path.name, f"{path.stem}-checkpoint{path.suffix}"):
            (checkpoints / name).write_bytes(path.read_bytes())
    for folder in {path.parent for path in files}:
        for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (folder / name).write_bytes(b"\0\0\0\1Bud1")
