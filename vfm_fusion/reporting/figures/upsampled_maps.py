"""Maps before and after upsampling, as the colours of one joint PCA (iSegProbe's figure of features)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from matplotlib.figure import Figure

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.figures.picture_grid import Block, Drawn, Picture, PictureRow, picture_grid
from vfm_fusion.reporting.labels import EncoderLabels, full_label
from vfm_fusion.reporting.style import styled

LOW_RESOLUTION = "low-res"
"""The encoder's own map among the upsampled ones."""
_NOTE = (
    "Colours: the first three principal components, fitted for every image on its map and on all upsampled "
    "ones, brought to the map's size; each from its lowest to its highest value. Green: the first click."
)


@styled
def upsampled_maps_figure(
    maps: Mapping[str, Path], encoders: EncoderLabels, upsamplers: Mapping[str, Mapping[str, str]]
) -> Figure:
    """Draws a block for every encoder: a row an image, with the map before and after every upsampler.

    Args:
        maps: encoder to its maps.
        encoders: names of encoders in print.
        upsamplers: name to ``label`` and ``architecture``, in the order of the columns; those without maps
            have none, and those of ``none`` are the low-resolution map itself.

    Raises:
        ReportingError: there is no map, or one has another form.
    """
    return picture_grid(
        [_block(path, full_label(encoders, name), upsamplers) for name, path in maps.items()], [_NOTE]
    )


def _block(path: Path, heading: str, upsamplers: Mapping[str, Mapping[str, str]]) -> Block:
    """A row an image; a column for every upsampler that has maps, or a reason for having none."""
    titles = {LOW_RESOLUTION: LOW_RESOLUTION}
    titles |= {name: told["label"] for name, told in upsamplers.items() if told["architecture"] != "none"}
    with h5py.File(path) as file:
        groups = {image_id: file[image_id] for image_id in json.loads(file.attrs["ids"])}
        known = {name for group in groups.values() for name in (*group, *_reasons(group))}
        shown = {name: title for name, title in titles.items() if name in known}
        rows = []
        for image_id, group in groups.items():
            rows.append(_row(group, image_id, shown, path, is_first=not rows))
    return Block(heading, rows)


def _reasons(group: h5py.Group) -> dict[str, str]:
    """Why upsamplers have no map of an image."""
    return json.loads(group.attrs.get("undefined", "{}"))


def _row(
    group: h5py.Group, image_id: str, shown: Mapping[str, str], path: Path, *, is_first: bool
) -> PictureRow:
    image, reasons = group["image"][()], _reasons(group)
    clicks = [Drawn(*map(int, group.attrs["first_click"]))] if "first_click" in group.attrs else []
    pictures: list[Picture | None] = [Picture(image, "image" if is_first else "", clicks)]
    for name, title in shown.items():
        said = title if is_first else ""
        if name in group:
            pictures.append(Picture(_as_image(_colors(group, name, path), image.shape[:2]), said))
        else:
            reason = reasons.get(name, "no map").replace("_", " ")
            pictures.append(Picture(np.ones((*image.shape[:2], 3)), said, says=f"undefined: {reason}"))
    return PictureRow(image_id, pictures)


def _colors(group: h5py.Group, name: str, path: Path) -> np.ndarray:
    colors = group[name][()].astype(np.float32)
    if colors.ndim != 3 or colors.shape[0] != 3 or not np.isfinite(colors).all():
        raise ReportingError(
            f"{path}: {group.name}, {name}: expected finite colours (3, H, W), found {colors.shape}; draw "
            "the maps again"
        )
    return colors


def _as_image(colors: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``(3, h, w)`` in [0, 1] as the nearest ones at the image's size, so that cells stay visible."""
    rows, columns = (np.arange(n) * colors.shape[1 + axis] // n for axis, n in enumerate(size))
    return np.clip(colors, 0, 1)[:, rows][:, :, columns].transpose(1, 2, 0)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_upsampled_maps``."""
    maps = dict(zip(settings["shown"], inputs["maps"], strict=True))
    return upsampled_maps_figure(maps, dict(settings["encoders"]), dict(settings["upsamplers"]))
