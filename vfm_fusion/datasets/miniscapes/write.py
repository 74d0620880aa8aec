"""Rendered images as files of the official Cityscapes layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.cityscapes_labels import IMAGE_SUFFIX, INSTANCE_SUFFIX, LABEL_SUFFIX
from vfm_fusion.datasets.miniscapes.render import render

_FRAME = 19  # Cityscapes annotates the 20th frame of each sequence


def plan(config: MiniscapesConfig) -> list[tuple[str, int]]:
    """Lists (split, number) of all images."""
    counts = {"train": config.train, "val": config.val}
    return [(split, number) for split, count in counts.items() for number in range(count)]


def write_image(config: MiniscapesConfig, folder: Path, split: str, number: int) -> None:
    """Renders image ``number`` of a split and writes its three files below ``folder``."""
    rendered = render(config, split, number)
    city = f"mini{split}"
    stem = f"{split}/{city}/{city}_{number:06d}_{_FRAME:06d}"
    _write_png(folder / f"leftImg8bit/{stem}{IMAGE_SUFFIX}", rendered.image)
    _write_png(folder / f"gtFine/{stem}{LABEL_SUFFIX}", rendered.annotation.label_ids)
    _write_png(folder / f"gtFine/{stem}{INSTANCE_SUFFIX}", rendered.annotation.instance_ids)


def _write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG", compress_level=4)
