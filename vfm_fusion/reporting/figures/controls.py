"""The controls: how they look, and EF and SC of them against output stride by every definition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vfm_fusion.config.image_size import ImageSize, read_image_size
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.errors import ReportingError
from vfm_fusion.features.profiled import profiled_image, profiled_pixels
from vfm_fusion.metrics.controls import CONTROLS, control_map
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.profiles.control_scores import control_seed
from vfm_fusion.reporting.control_results import NAMES, Controls, read_controls, right_strides
from vfm_fusion.reporting.style import (
    PAGE_WIDTH,
    TALLEST,
    SeriesStyle,
    image_axes,
    series_styles,
    stride_axis,
    styled,
)

PANELS = {"ef": "Edge Fidelity (EF)", "sc": "Structural Coherence (SC)"}
"""Scores from top to bottom."""
PANEL_HEIGHT = 1.7
"""Height of a row of panels in inches."""
HEADER = 0.22
"""Height of the headings above the example, in inches."""
LEGEND = 0.35
"""Height of the legend and of the names of the axes in inches."""
WRONG_COLOR = "#e6e6e6"
UNKNOWN_HATCH = "/////"
BAND = 2**0.5
"""Ratio of a band's end to its stride."""
DRAWN = tuple(name for name in CONTROLS if name != "constant")
"""Controls that have a score."""
EXAMPLE_STRIDE = 8
"""The example is shown at the profiled stride that is nearest to this one."""


@dataclass(frozen=True)
class ControlExample:
    """The controls of one image, to look at.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB.
        stride: output stride of the maps.
        maps: control -> first principal component ``(h, w)`` in [0, 1], the stronger features bright; None
            where there is none.
    """

    image: np.ndarray
    stride: int
    maps: Mapping[str, np.ndarray | None]


def load_example(controls: Controls, dataset: Dataset, image_size: ImageSize | None = None) -> ControlExample:
    """Makes the controls of the first scored image once more, to look at.

    Args:
        controls: says which images were scored, and at which strides.
        dataset: holds them.
        image_size: the size that they were profiled at.

    Raises:
        ReportingError: the data set lacks the image.
    """
    image_id = controls.images[0]
    if image_id not in dataset.ids:
        raise ReportingError(
            f"the controls were made from {image_id}, which the data set lacks; score them again"
        )
    image = dataset.image(dataset.ids.index(image_id))
    stride = min(controls.strides, key=lambda stride: abs(math.log2(stride / EXAMPLE_STRIDE)))
    tensor = profiled_image(image, image_size)  # (1, 3, H, W)
    seed = control_seed(image_id)
    maps = {name: _component(FeatureMap(control_map(name, tensor, stride, seed))) for name in CONTROLS}
    return ControlExample(profiled_pixels(image, image_size), stride, maps)


def _component(features: FeatureMap) -> np.ndarray | None:
    """First principal component, signed so that it grows with the norm of the features."""
    if features.reason is not None:
        return None
    component = features.first_component.numpy()
    agreement = np.vdot(component - component.mean(), features.norms.numpy())
    return component if agreement >= 0 else 1 - component


@styled
def controls_figure(controls: Controls, example: ControlExample) -> Figure:
    """Draws the maps of one image, and below a column of panels per definition: EF, then SC.

    A band marks the strides at which the order of the controls is not right, a hatched one those at which it
    is not known.

    Args:
        controls: see :func:`vfm_fusion.reporting.control_results.read_controls`.
        example: see :func:`load_example`.
    """
    looks = series_styles(DRAWN)
    height, width = example.image.shape[:2]
    strip = PAGE_WIDTH / (1 + len(CONTROLS)) * min(height / width, TALLEST) + HEADER
    below = PANEL_HEIGHT * len(PANELS) + LEGEND
    figure = Figure(figsize=(PAGE_WIDTH, strip + below), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[strip, below])
    _draw_example(upper, example, looks)
    grid = lower.subplots(len(PANELS), len(controls.definitions), sharex=True, squeeze=False)
    for row, (score, name) in zip(grid, PANELS.items(), strict=True):
        for axes, definition in zip(row, controls.definitions, strict=True):
            _draw_lines(axes, controls, definition, score, looks)
            _draw_bands(axes, controls, definition, score)
        row[0].set_ylabel(name)
    for axes, definition in zip(grid[0], controls.definitions, strict=True):
        axes.set_title(definition)
        axes.set_xlabel("")
    lower.legend(
        handles=_handles(looks),
        loc="outside lower center",
        ncols=len(DRAWN) + 2,
        handlelength=1.6,
        columnspacing=1.1,
    )
    return figure


def _draw_example(figure: SubFigure, example: ControlExample, looks: Mapping[str, SeriesStyle]) -> None:
    photo, *panels = figure.subplots(1, 1 + len(CONTROLS))
    photo.imshow(example.image)
    photo.set_title("image")
    image_axes(photo)
    for axes, name in zip(panels, CONTROLS, strict=True):
        plane = example.maps[name]
        if plane is None:
            axes.set_box_aspect(example.image.shape[0] / example.image.shape[1])
            axes.set_facecolor(WRONG_COLOR)
            axes.text(0.5, 0.5, "undefined", ha="center", va="center", transform=axes.transAxes)
        else:
            axes.imshow(plane, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(NAMES[name], color=looks[name].color if name in looks else "black")
        image_axes(axes)


def _draw_lines(
    axes: Axes, controls: Controls, definition: str, score: str, looks: Mapping[str, SeriesStyle]
) -> None:
    means = controls.means
    own = means[(means["definition"] == definition) & (means["score"] == score)]
    for name, look in looks.items():
        line = own[own["control"] == name].sort_values("stride")
        axes.plot(line["stride"], line["mean"], **look.line, clip_on=False)
    stride_axis(axes, controls.strides)
    axes.set_ylim(0, 1 if score == "sc" else None)


def _draw_bands(axes: Axes, controls: Controls, definition: str, score: str) -> None:
    right, unknown = right_strides(controls, definition, score)
    for stride in controls.strides:
        span = (stride / BAND, stride * BAND)
        if stride in unknown:
            axes.axvspan(*span, facecolor="none", edgecolor=WRONG_COLOR, hatch=UNKNOWN_HATCH, linewidth=0)
        elif stride not in right:
            axes.axvspan(*span, color=WRONG_COLOR, linewidth=0, zorder=0)


def _handles(looks: Mapping[str, SeriesStyle]) -> list[Line2D | Patch]:
    lines: list[Line2D | Patch] = [
        Line2D([], [], **look.line, label=NAMES[name]) for name, look in looks.items()
    ]
    return [
        *lines,
        Patch(color=WRONG_COLOR, linewidth=0, label="order not right"),
        Patch(facecolor="none", edgecolor=WRONG_COLOR, hatch=UNKNOWN_HATCH, linewidth=0, label="not known"),
    ]


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_controls``."""
    controls = read_controls(inputs["controls"][0])
    dataset = open_indexed(settings["dataset"], inputs["index"][0], Path(settings["generated"]))
    example = load_example(controls, dataset, read_image_size(settings["image_size"]))
    return controls_figure(controls, example)
