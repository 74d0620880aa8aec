"""Image, ground truth and the prediction of every run side by side (the paper's Figs. 1 and 5)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vfm_fusion.datasets.base import VOID, Category, Dataset, Sample, subset
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.errors import ReportingError
from vfm_fusion.evaluation.predictions import PredictionReader, StoredPrediction, reading_predictions
from vfm_fusion.evaluation.rle import decode_mask
from vfm_fusion.reporting.boundary_ratio import segment_borders
from vfm_fusion.reporting.labels import pretrainings, run_models
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.style import LINE_SPACING, PAGE_WIDTH, TALLEST, image_axes, styled

OPACITY = 0.7
"""Weight of the class colour over the grey image."""
SPACE = 0.04
"""Space between pictures, in sizes of a picture."""
LINE = 0.112
"""Height of a line of small print, in inches."""
LEGEND_COLUMNS = 8
"""Classes side by side, where their names are short."""
LEGEND_HANDLE = 6
"""Width of a legend's colour and gaps, in characters of small print."""
SHOWN_SCORE = 0.5
"""Objects of an instance run are shown from this confidence on."""
TITLE_WIDTH = 22.0
"""Characters of small print that fit into an inch."""


@dataclass(frozen=True)
class Segmentation:
    """A label map, of the ground truth or predicted.

    Attributes:
        semantic: ``(H, W)`` uint8 train ids, 255 for void.
        segments: ``(H, W)`` integer ids whose borders are drawn in white (instances, panoptic segments); None
            for none.
        void_shown: whether the image shows where the map is void (objects alone), or black.
    """

    semantic: np.ndarray
    segments: np.ndarray | None
    void_shown: bool = False


@dataclass(frozen=True)
class Scene:
    """One row of the figure.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB.
        truth: ground truth.
        predictions: run label to prediction.
    """

    image: np.ndarray
    truth: Segmentation
    predictions: Mapping[str, Segmentation]


@styled
def qualitative_figure(
    scenes: Sequence[Scene],
    categories: Sequence[Category],
    runs: Mapping[str, str],
    notes: Sequence[str] = (),
) -> Figure:
    """Draws a row per scene with the data set's palette and a legend of the classes that occur.

    Args:
        scenes: images, of any sizes, with ground truth and the prediction of every run.
        categories: the data set's classes.
        runs: run label to its encoders (see :func:`vfm_fusion.reporting.labels.run_models`), in the order of
            the columns.
        notes: what stands below the legend, such as how the encoders were pretrained.

    Raises:
        ReportingError: no scene, a run without a prediction, a map of another size than its image, or a train
            id that is no class.
    """
    _check(scenes, categories, runs)
    columns = ["image", "ground truth", *runs]
    picture = PAGE_WIDTH / (len(columns) + SPACE * (len(columns) - 1))
    titles = [_title(name, runs.get(name, ""), picture) for name in columns]
    present = _present(scenes, categories)
    header = LINE * (1 + max(title.count("\n") for title in titles)) + 0.06
    small_print = textwrap.wrap(". ".join(notes), round(TITLE_WIDTH * PAGE_WIDTH))
    margin, columns_below = LINE * len(small_print), _legend_columns(present)
    footer = margin + 1.25 * LINE * -(-len(present) // columns_below) + 0.08
    places = [min(scene.image.shape[0] / scene.image.shape[1], TALLEST) for scene in scenes]
    height = header + footer + picture * sum(places) * (1 + SPACE)
    figure = Figure(figsize=(PAGE_WIDTH, height))
    grid = figure.subplots(
        len(scenes),
        len(columns),
        squeeze=False,
        gridspec_kw={
            **{"left": 0, "right": 1, "top": 1 - header / height, "bottom": footer / height},
            **{"wspace": SPACE, "hspace": SPACE / fmean(places) / 2, "height_ratios": places},
        },
    )
    for row, scene in zip(grid, scenes, strict=True):
        pictures = [scene.image, paint(scene.image, scene.truth, categories)]
        pictures += [paint(scene.image, scene.predictions[run], categories) for run in runs]
        for axes, content in zip(row, pictures, strict=True):
            axes.imshow(content)
            image_axes(axes)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=7, pad=3, linespacing=LINE_SPACING)
    _legend(figure, present, columns_below, margin / height)
    figure.text(
        0.5, 0, "\n".join(small_print), fontsize=7, ha="center", va="bottom", linespacing=LINE_SPACING
    )
    return figure


def paint(image: np.ndarray, segmentation: Segmentation, categories: Sequence[Category]) -> np.ndarray:
    """Lays class colours over the grey image, void black or clear, and draws segment borders in white.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        segmentation: maps of the same size.
        categories: classes whose ids occur in the map.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    palette = np.zeros((VOID + 1, 3), dtype=np.float32)
    for category in categories:
        palette[category.id] = category.color
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)  # (H, W, 1)
    clear = (segmentation.semantic == VOID) & segmentation.void_shown
    opacity = np.where(clear, 0, OPACITY)[..., None].astype(np.float32)  # (H, W, 1)
    mixed = opacity * palette[segmentation.semantic] + (1 - opacity) * grey  # (H, W, 3)
    if segmentation.segments is not None:
        thickness = max(1, round(image.shape[1] / 400))
        borders = segment_borders(segmentation.segments).astype(np.uint8)
        if thickness > 1:
            borders = cv2.dilate(borders, np.ones((thickness, thickness), np.uint8))
        mixed[borders.astype(bool)] = 255
    return mixed.round().astype(np.uint8)


def _title(name: str, encoders: str, width: float) -> str:
    characters = round(TITLE_WIDTH * width)
    parts = [name] if encoders in ("", name) else [name, *encoders.replace(" + ", " +\n").split("\n")]
    return "\n".join(
        line for part in parts for line in textwrap.wrap(part, characters, break_on_hyphens=False)
    )


def _present(scenes: Sequence[Scene], categories: Sequence[Category]) -> list[Category]:
    ids: set[int] = set()
    for scene in scenes:
        for segmentation in (scene.truth, *scene.predictions.values()):
            ids |= set(np.unique(segmentation.semantic).tolist())
    return [category for category in categories if category.id in ids]


def _legend_columns(present: Sequence[Category]) -> int:
    longest = max((len(category.name) for category in present), default=0)
    fitting = round(TITLE_WIDTH * PAGE_WIDTH) // (longest + LEGEND_HANDLE)
    return max(1, min(LEGEND_COLUMNS, len(present), fitting))


def _legend(figure: Figure, present: Sequence[Category], columns: int, bottom: float) -> None:
    handles = [
        Patch(facecolor=[value / 255 for value in category.color], label=category.name)
        for category in present
    ]
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, bottom),
        ncols=columns,
        fontsize=7,
        borderaxespad=0.2,
        labelspacing=0.25,
        columnspacing=1.2,
        handlelength=1.0,
        handleheight=0.8,
        handletextpad=0.5,
    )


def _check(scenes: Sequence[Scene], categories: Sequence[Category], runs: Mapping[str, str]) -> None:
    if not scenes:
        raise ReportingError("no scene was given; set reporting.images to at least 1")
    known = {category.id for category in categories} | {VOID}
    for index, scene in enumerate(scenes):
        missing = [run for run in runs if run not in scene.predictions]
        if missing:
            raise ReportingError(f"scene {index}: runs {missing} have no prediction; evaluate them first")
        for name, segmentation in {"ground truth": scene.truth, **scene.predictions}.items():
            if segmentation.semantic.shape != scene.image.shape[:2]:
                raise ReportingError(
                    f"scene {index}, {name}: map {segmentation.semantic.shape} does not fit the image "
                    f"{scene.image.shape[:2]}"
                )
            unknown = sorted(set(np.unique(segmentation.semantic).tolist()) - known)
            if unknown:
                raise ReportingError(
                    f"scene {index}, {name}: train ids {unknown} are no classes of the data set"
                )


def load_scenes(dataset: Dataset, predictions: Mapping[str, Path], count: int) -> list[Scene]:
    """Loads evenly spaced images of those that were evaluated, with ground truth and every run's prediction.

    Args:
        dataset: the validation split.
        predictions: run label -> ``predictions.h5``.
        count: number of images.
    """
    with ExitStack() as stack:
        readers = {run: stack.enter_context(reading_predictions(path)) for run, path in predictions.items()}
        predicted = next(iter(readers.values())).ids
        shown = [dataset.ids.index(predicted[position]) for position in subset(len(predicted), count)]
        return [_scene(dataset[index], readers) for index in shown]


def _scene(sample: Sample, readers: Mapping[str, PredictionReader]) -> Scene:
    stored = {run: reader.read(sample.image_id) for run, reader in readers.items()}
    return Scene(
        image=sample.image,
        truth=_truth(sample, objects_only=all(found.semantic is None for found in stored.values())),
        predictions={run: _predicted(found, sample.image.shape[:2]) for run, found in stored.items()},
    )


def _truth(sample: Sample, *, objects_only: bool) -> Segmentation:
    """The labels; only the objects where no run predicts anything else."""
    if objects_only and sample.instances is not None:
        return _objects(sample.instances.ids, sample.instances.categories)
    return Segmentation(sample.semantic, _truth_segments(sample))


def _predicted(found: StoredPrediction, size: tuple[int, int]) -> Segmentation:
    """What a run predicts; of an instance run the objects that it is sure of, the surest in front."""
    if found.semantic is not None:
        return Segmentation(found.semantic, found.panoptic)
    ids = np.zeros(size, np.int32)
    for position in np.flatnonzero(found.instances.scores >= SHOWN_SCORE)[::-1]:
        ids[decode_mask(found.instances.rles[position])] = position + 1
    return _objects(ids, found.instances.categories)


def _objects(ids: np.ndarray, categories: np.ndarray) -> Segmentation:
    """A map of objects: ``ids`` is k + 1 where object k lies, 0 where none does."""
    semantic = np.concatenate([[VOID], categories]).astype(np.uint8)[ids]
    return Segmentation(semantic, ids, void_shown=True)


def _truth_segments(sample: Sample) -> np.ndarray | None:
    """Ids that tell instances and stuff classes apart; None where the data set has no instances."""
    if sample.instances is None:
        return None
    return np.where(sample.instances.ids > 0, sample.instances.ids, -1 - sample.semantic.astype(np.int32))


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_qualitative``."""
    labels, runs = dict(settings["encoders"]), [label for _, label in settings["runs"]]
    dataset = open_indexed(settings["dataset"], inputs["val"][0], Path(settings["generated"]))
    predictions = dict(zip(runs, inputs["predictions"], strict=True))
    evaluations = [read_evaluation(path) for path in inputs["evaluations"]]
    models = [run_models(evaluation, labels) for evaluation in evaluations]
    return qualitative_figure(
        load_scenes(dataset, predictions, settings["images"]),
        dataset.categories,
        dict(zip(runs, models, strict=True)),
        notes=pretrainings(evaluations, labels),
    )
