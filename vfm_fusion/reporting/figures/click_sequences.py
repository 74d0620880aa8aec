"""Masks after some clicks, upsampler by upsampler, with the IoU of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.boundary_ratio import segment_borders
from vfm_fusion.reporting.cells import number
from vfm_fusion.reporting.click_results import ClickResults, Key, collect_clicks, counted, read_clicked
from vfm_fusion.reporting.click_results import Names as ClickNames
from vfm_fusion.reporting.figures.picture_grid import Block, Drawn, Picture, PictureRow, picture_grid
from vfm_fusion.reporting.result_files import check_columns
from vfm_fusion.reporting.style import styled

SHOWN_CLICKS = (1, 2, 3, 5, 10)
"""Clicks after which masks are shown, and the last one."""
MOST_ROWS = 24
"""Most rows of pictures; further objects and models are in the files of masks."""
MASK_COLOR = np.array([0, 114, 178], np.float32)
OPACITY = 0.55
"""Weight of a mask's colour over the image."""
ROUND_COLUMNS = ("image_id", "object", "click", "row", "col", "positive", "iou", "carried")


class Shown(NamedTuple):
    """Files of a cell on a data set."""

    masks: Path
    rounds: Path


@styled
def click_sequences_figure(results: ClickResults, files: Mapping[Key, Shown]) -> Figure:
    """Draws a block for an object and what is around the upsampler: a row an upsampler, a column some clicks.

    The first object of every data set comes first, with every encoder and click model, then the second; no
    block is begun beyond :data:`MOST_ROWS` rows.

    Args:
        results: the scores, which tell what there is.
        files: masks and clicks of every cell on every data set.

    Raises:
        ReportingError: an object that is shown was not clicked, or its masks are not one a click.
    """
    ids = {dataset: _ids(files[results.on(dataset)[0].key].masks) for dataset in results.datasets}
    images = range(max(map(len, ids.values())))
    places = [
        (dataset, ids[dataset][index], *around)
        for index, around, dataset in product(images, results.arrangements, results.datasets)
        if index < len(ids[dataset])
    ]
    blocks, rows = [], 0
    for dataset, image_id, encoder, clicks in places:
        keys = [t.key for t in results.on(dataset) if (t.key.encoder, t.key.clicks) == (encoder, clicks)]
        rows += len(keys)
        if blocks and rows > MOST_ROWS:
            break
        blocks.append(_block(results, files, keys, image_id))
    left_out = len(places) - len(blocks)
    notes = ["Green: clicks on the object; red: clicks off it. IoU in percent."]
    if left_out:
        notes.append(f"Not shown: {counted(left_out, 'block')} of other objects or models, for want of room.")
    return picture_grid(blocks, notes)


def _ids(path: Path) -> list[str]:
    with h5py.File(path) as file:
        return list(json.loads(file.attrs["ids"]))


def _block(results: ClickResults, files: Mapping[Key, Shown], keys: Sequence[Key], image_id: str) -> Block:
    around = results.names.arrangement(keys[0].encoder, keys[0].clicks)
    rows, number_in_image = [], 0
    for key in keys:
        with h5py.File(files[key].masks) as file:
            group = file[image_id]
            image, truth, masks = (group[name][()] for name in ("image", "truth", "masks"))
            number_in_image = int(group.attrs["object"])
        rounds = _rounds_of(files[key].rounds, image_id, number_in_image)
        made = int((~rounds["carried"]).sum())
        if len(masks) != made:
            raise ReportingError(
                f"{files[key].masks}: {image_id} has {len(masks)} masks, and {made} clicks in "
                f"{files[key].rounds}; evaluate the model again"
            )
        pictures = [Picture(painted(image, truth), "truth"), *_pictures(image, masks, rounds)]
        rows.append(PictureRow(results.names.upsampler(key.upsampler), pictures))
    return Block(f"{keys[0].dataset}, {image_id}, object {number_in_image}: {around}", rows)


def _rounds_of(path: Path, image_id: str, number_in_image: int) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    check_columns(frame, ROUND_COLUMNS, path)
    here = (frame["image_id"] == image_id) & (frame["object"] == number_in_image)
    return frame[here].sort_values("click", ignore_index=True)


def _pictures(image: np.ndarray, masks: np.ndarray, rounds: pd.DataFrame) -> list[Picture]:
    """Masks after :data:`SHOWN_CLICKS` and after the last, each with the clicks up to it.

    Args:
        image: ``(H, W, 3)`` uint8.
        masks: ``(clicks, H, W)`` bool; the last one stays where clicks have ended.
        rounds: the object's rounds, in their order.
    """
    last, pictures = len(rounds), []
    for click in [*(click for click in SHOWN_CLICKS if click < last), last]:
        until = rounds[:click]
        made = until.dropna(subset=["row", "col"])
        drawn = [
            Drawn(int(row), int(col), bool(positive))
            for row, col, positive in made[["row", "col", "positive"]].itertuples(index=False)
        ]
        told = until.iloc[-1]
        after = f"{click}, ended at {len(made)}" if told["carried"] else counted(click, "click")
        mask = masks[min(click, len(masks)) - 1]
        pictures.append(Picture(painted(image, mask), f"{after}\nIoU {number(100 * told['iou'], 1)}", drawn))
    return pictures


def painted(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Lays the colour of masks over an image, with a white rim.

    Args:
        image: ``(H, W, 3)`` uint8.
        mask: ``(H, W)`` bool.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        ReportingError: they are of different sizes.
    """
    if mask.shape != image.shape[:2]:
        raise ReportingError(f"a mask of {mask.shape} does not fit the image of {image.shape[:2]}")
    weight = OPACITY * mask[..., None].astype(np.float32)  # (H, W, 1)
    mixed = (1 - weight) * image + weight * MASK_COLOR  # (H, W, 3)
    mixed[segment_borders(mask.astype(np.uint8)) & mask] = 255
    return mixed.round().astype(np.uint8)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_click_sequences``, of the first seed."""
    clicked = [read_clicked(path) for path in inputs["scores"]]
    names = ClickNames.of({**settings, "seeds": settings["seeds"][:1]})
    keys = [Key(*(one[part] for part in Key._fields)) for one in clicked]
    files = map(Shown, inputs["masks"], inputs["rounds"])
    return click_sequences_figure(collect_clicks(clicked, names), dict(zip(keys, files, strict=True)))
