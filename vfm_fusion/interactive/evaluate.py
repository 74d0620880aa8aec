"""Plays the protocol on a data set, image by image, and writes its tables and scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from vfm_fusion.atomic import atomic_path, write_json, write_parquet
from vfm_fusion.config.clicks import ClickProtocolConfig, RobustnessConfig
from vfm_fusion.datasets.base import Category, Dataset, Sample, subset
from vfm_fusion.interactive.click_predictor import Prediction, Predictor
from vfm_fusion.interactive.click_protocol import objects_of, play
from vfm_fusion.interactive.click_robustness import play_groups, robustness_scores
from vfm_fusion.interactive.click_scores import click_scores, click_table, object_table, timing_table
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.interactive.played import Kept, PlayedImage, ShownObject, group_table
from vfm_fusion.workflow.progress import progress


@dataclass(frozen=True)
class Playing:
    """How a data set is clicked.

    Attributes:
        protocol: the protocol.
        robustness: the clicks beside the best ones; None for none.
        max_images: most images, evenly spaced; None for all.
        shown: images, the first ones, of which masks are kept.
    """

    protocol: ClickProtocolConfig
    robustness: RobustnessConfig | None = None
    max_images: int | None = None
    shown: int = 0


@dataclass(frozen=True)
class ClickedFiles:
    """What an evaluation writes; see :func:`write_clicked`."""

    rounds: Path
    objects: Path
    groups: Path
    seconds: Path
    masks: Path
    scores: Path


class _Recorder:
    """A predictor that keeps the mask after each click.

    Attributes:
        masks: ``(H, W)`` bool each, since the list was last emptied.
    """

    def __init__(self, predictor: Predictor, threshold: float) -> None:
        self._predictor, self._threshold = predictor, threshold
        self.set_image = predictor.set_image
        self.masks: list[np.ndarray] = []

    def predict(self, clicks: Sequence[Click], last: Prediction) -> Prediction:
        made = self._predictor.predict(clicks, last)
        self.masks.append(made.probability > self._threshold)
        return made


def play_dataset(predictor: Predictor, dataset: Dataset, playing: Playing, kept: Kept) -> list[PlayedImage]:
    """Plays the protocol with every object of a data set.

    Args:
        predictor: what is clicked with.
        dataset: images and objects.
        playing: how.
        kept: the images that have been played already; the others are added as they are done.

    Returns:
        The images, in their order.

    Raises:
        LabelError: an image has no labels of objects, or an object without a pixel is refused.
    """
    chosen, played = subset(len(dataset), playing.max_images), []
    for number, place in enumerate(progress(chosen, f"click: {kept.folder}", len(chosen))):
        image = kept.read(number)
        if image is None:
            image = _play_image(
                predictor, dataset[place], dataset.categories, playing, number < playing.shown
            )
            kept.write(number, image)
        played.append(image)
    return played


def _play_image(
    predictor: Predictor, sample: Sample, categories: Sequence[Category], playing: Playing, is_shown: bool
) -> PlayedImage:
    recorder = _Recorder(predictor, playing.protocol.threshold)
    recorder.set_image(sample.image)
    results, groups, shown = [], [], None
    for target in objects_of(sample, categories, playing.protocol):
        recorder.masks.clear()
        result = play(recorder, target, playing.protocol)
        if is_shown and shown is None and recorder.masks:
            shown = ShownObject(target.number, sample.image, target.mask, np.stack(recorder.masks))
        results.append(result)
        if playing.robustness is not None:
            groups.append(play_groups(predictor, target, playing.protocol, playing.robustness))
    rows = [row for table in groups for row in table.to_numpy().tolist()]
    return PlayedImage(tuple(results), group_table(rows), shown)


def write_clicked(
    files: ClickedFiles, played: Sequence[PlayedImage], playing: Playing, named: Mapping[str, Any]
) -> None:
    """Writes the tables of a data set, the masks to show, and last its scores.

    Args:
        files: where.
        played: its images.
        playing: how they were clicked.
        named: what the scores are of: names of the cell, its seed and its data sets, numbers of parameters.
    """
    results = [result for image in played for result in image.results]
    rounds, objects = click_table(results), object_table(results, playing.protocol)
    groups = group_table([row for image in played for row in image.groups.to_numpy().tolist()])
    tables = {
        files.rounds: rounds,
        files.objects: objects,
        files.groups: groups,
        files.seconds: timing_table(results),
    }
    for path, table in tables.items():
        write_parquet(path, table)
    _write_masks(files.masks, played)
    scores = click_scores(rounds, objects, playing.protocol)
    told = {
        **named,
        "images": len(played),
        "objects": len(objects),
        "protocol": playing.protocol.model_dump(mode="json"),
        "scores": _without_nan(scores),
        "robustness": _without_nan(robustness_scores([groups])) if playing.robustness else None,
    }
    write_json(files.scores, told)


def _write_masks(path: Path, played: Sequence[PlayedImage]) -> None:
    shown = {image.results[0].image_id: image.shown for image in played if image.shown is not None}
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["ids"] = json.dumps(list(shown))
        for image_id, one in shown.items():
            group = file.create_group(image_id)
            group.attrs["object"] = one.number
            for name in ("image", "truth", "masks"):
                group.create_dataset(name, data=getattr(one, name), compression="gzip")


def _without_nan(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if pd.isna(score) else score for name, score in scores.items()}
