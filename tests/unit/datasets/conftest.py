"""Tiny data sets in the official layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_layouts import HEIGHT, WIDTH, save, write_frame

from vfm_fusion.config.datasets import FolderConfig


@pytest.fixture
def cityscapes_root(tmp_path: Path) -> Path:
    root = tmp_path / "städte und straßen"
    for city, key in (("zürich", "zürich_000001_000019"), ("aachen", "aachen_000000_000019")):
        write_frame(root, "train", city, key)
    return root


@pytest.fixture
def cityscapes_config(cityscapes_root: Path) -> FolderConfig:
    return FolderConfig(kind="cityscapes", root=str(cityscapes_root))


@pytest.fixture
def camvid_root(tmp_path: Path) -> Path:
    root = tmp_path / "camvid"
    for number in range(3):
        save(root / f"train/frame {number}.png", np.full((HEIGHT, WIDTH, 3), number, np.uint8))
        labels = np.full((HEIGHT, WIDTH), 3, np.uint8)
        labels[0], labels[1] = 11, 10
        save(root / f"trainannot/frame {number}.png", labels)
    return root


@pytest.fixture
def camvid_config(camvid_root: Path) -> FolderConfig:
    return FolderConfig(kind="camvid", root=str(camvid_root))
