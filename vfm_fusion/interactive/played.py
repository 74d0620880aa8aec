"""What was played on one image, kept until its data set is done, so that an evaluation can go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vfm_fusion.atomic import atomic_path, write_json, write_text
from vfm_fusion.interactive.click_protocol import ClickedResult, Round
from vfm_fusion.interactive.click_robot import Placement
from vfm_fusion.interactive.click_robustness import COLUMNS
from vfm_fusion.interactive.clicks import Click


@dataclass(frozen=True)
class ShownObject:
    """An object for figures.

    Attributes:
        number: its number in the image.
        image: ``(H, W, 3)`` uint8.
        truth: ``(H, W)`` bool.
        masks: ``(clicks, H, W)`` bool, the mask after each click that was made.
    """

    number: int
    image: np.ndarray
    truth: np.ndarray
    masks: np.ndarray


@dataclass(frozen=True)
class PlayedImage:
    """What became of the objects of an image.

    Attributes:
        results: by the protocol, object by object.
        groups: by clicks beside the best ones, see :func:`~.click_robustness.play_groups`; without rows where
            none were made.
        shown: the first object with its masks, of an image that figures show.
    """

    results: tuple[ClickedResult, ...]
    groups: pd.DataFrame
    shown: ShownObject | None = None


class Kept:
    """The images that an evaluation has played, in a folder that belongs to it alone.

    Args:
        folder: the folder; what another evaluation has left there is deleted.
        token: tells this evaluation from any other.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.folder, mark = folder, folder / "token.txt"
        if not mark.is_file() or mark.read_text(encoding="utf-8") != token:
            shutil.rmtree(folder, ignore_errors=True)
            write_text(mark, token)

    def read(self, number: int) -> PlayedImage | None:
        """Returns an image by its number; None where it is still to be played."""
        path = self._path(number)
        if not path.is_file():
            return None
        told = json.loads(path.read_text(encoding="utf-8"))
        shown = None
        if told["shown"] is not None:
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
                shown = ShownObject(told["shown"], arrays["image"], arrays["truth"], arrays["masks"])
        return PlayedImage(tuple(_result(one) for one in told["results"]), group_table(told["groups"]), shown)

    def write(self, number: int, image: PlayedImage) -> None:
        """Keeps an image: its masks first, for its JSON file says that it is whole."""
        path, shown = self._path(number), image.shown
        if shown is not None:
            with atomic_path(path.with_suffix(".npz")) as temporary:
                np.savez_compressed(temporary, image=shown.image, truth=shown.truth, masks=shown.masks)
        groups = image.groups.astype(object).where(image.groups.notna(), None)
        told = {
            "results": [_plain(result) for result in image.results],
            "groups": groups.to_numpy().tolist(),
            "shown": None if shown is None else shown.number,
        }
        write_json(path, told)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"


def group_table(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Puts rows of :func:`~.click_robustness.play_groups` together, none or many, as one table."""
    types = {"image_id": "str", "object": "int32", "law": "str", "group": "int32", "IoU_AUC": "float64"}
    return pd.DataFrame(list(rows), columns=list(COLUMNS)).astype(types)


def _plain(result: ClickedResult) -> dict[str, Any]:
    defined = not result.undefined
    rounds = [
        [*(each.placement.click or [None] * 3), each.placement.case, each.iou, each.carried, each.seconds]
        for each in result.rounds
    ]
    return {
        "image_id": result.image_id,
        "number": result.number,
        "area": result.area,
        "rounds": rounds,
        "boundary_iou": result.boundary_iou if defined else None,
        "undefined": result.undefined,
    }


def _result(told: dict[str, Any]) -> ClickedResult:
    rounds = []
    for row, col, positive, case, iou, carried, seconds in told["rounds"]:
        click = None if row is None else Click(row, col, positive)
        rounds.append(Round(Placement(click, case), iou, carried, seconds))
    boundary = float("nan") if told["boundary_iou"] is None else told["boundary_iou"]
    return ClickedResult(**{**told, "rounds": tuple(rounds), "boundary_iou": boundary})
