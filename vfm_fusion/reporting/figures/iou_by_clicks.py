"""Mean IoU against clicks, one line an upsampler (iSegProbe's curves)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vfm_fusion.reporting.click_results import ClickResults, Tested, counted, read_clicks
from vfm_fusion.reporting.style import (
    COLUMN_WIDTH,
    LINE_SPACING,
    PAGE_WIDTH,
    SeriesStyle,
    series_styles,
    styled,
)

MOST_COLUMNS = 4
"""Panels side by side."""
PANEL_HEIGHT = 1.75
"""Height of a panel with its title in inches."""
AROUND = 0.75
"""Height of legend and of the names of axes in inches."""
TITLE_CHARACTERS = 24.0
"""Characters of a title that fit into an inch."""
LEGEND_ROW = 0.16
"""Height of a row of the legend in inches."""
LEGEND_COLUMNS = 5


@styled
def iou_by_clicks_figure(results: ClickResults) -> Figure:
    """Draws a panel for every data set, encoder and click model.

    A line is the mean over seeds, in a band from the lowest to the highest of them. A mean that is undefined
    has no point.

    Args:
        results: the scores.
    """
    looks = series_styles(list(results.names.upsamplers))
    panels, columns = _places(results)
    width = PAGE_WIDTH if columns > 1 else COLUMN_WIDTH
    entries = max(1, round(LEGEND_COLUMNS * width / PAGE_WIDTH))
    rows = max(row for row, _ in panels) + 1
    height = AROUND + LEGEND_ROW * -(-len(results.upsamplers) // entries) + PANEL_HEIGHT * rows
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat:
        axes.set_visible(False)
    for place, (dataset, encoder, clicks) in panels.items():
        axes = grid[place]
        axes.set_visible(True)
        cells = [t for t in results.on(dataset) if (t.key.encoder, t.key.clicks) == (encoder, clicks)]
        _draw(axes, cells, results.max_clicks, looks)
        title = f"{dataset}\n{results.names.arrangement(encoder, clicks)}"
        axes.set_title(_wrapped(title, width / columns - 0.3), linespacing=LINE_SPACING)
    _name_axes(grid, results.max_clicks)
    handles = [
        Line2D([], [], label=results.names.upsampler(name), **looks[name].line) for name in results.upsamplers
    ]
    band = len(results.names.seeds) > 1
    seeds = f"Mean and range of {counted(len(results.names.seeds), 'seed')}" if band else None
    figure.legend(handles=handles, loc="outside upper center", ncols=entries, title=seeds)
    return figure


def _places(results: ClickResults) -> tuple[dict[tuple[int, int], tuple[str, str, str]], int]:
    """Row and column of every panel, and the number of columns.

    Of several data sets each has a column, and every encoder and click model rows of its own.
    """
    around, datasets = results.arrangements, results.datasets
    if len(datasets) == 1:
        columns = min(MOST_COLUMNS, len(around))
        found = [(index, datasets[0], *pair) for index, pair in enumerate(around)]
    else:
        columns = min(MOST_COLUMNS, len(datasets))
        block = columns * -(-len(datasets) // columns)  # places of one encoder and click model
        found = [
            (block * number + index, dataset, *pair)
            for number, pair in enumerate(around)
            for index, dataset in enumerate(datasets)
        ]
    return {divmod(index, columns): tuple(panel) for index, *panel in found}, columns


def _draw(axes: Axes, cells: Sequence[Tested], clicks: int, looks: Mapping[str, SeriesStyle]) -> None:
    x = np.arange(1, clicks + 1)
    for tested in cells:
        values = np.array(
            [
                [np.nan if (v := one["scores"][f"mIoU@{click}"]) is None else v for click in x]
                for one in tested.seeds.values()
            ],
            dtype=np.float64,
        )  # (seeds, clicks)
        look = looks[tested.key.upsampler]
        axes.plot(x, values.mean(axis=0), markersize=3, linewidth=1, **look.line)
        if len(values) > 1:
            band = {"color": look.color, "alpha": 0.15, "linewidth": 0}
            axes.fill_between(x, values.min(axis=0), values.max(axis=0), **band)
    axes.grid(True, linestyle="--")


def _name_axes(grid: np.ndarray, clicks: int) -> None:
    """Names the outer axes: x below the lowest panel of every column, y left of every row."""
    for row in grid:
        row[0].set_ylabel("Mean IoU (%)")
    for column in grid.T:
        lowest = [axes for axes in column if axes.get_visible()][-1]
        lowest.set_xlabel("Clicks")
        lowest.tick_params(labelbottom=True)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    grid[0, 0].set_xlim(1 - 0.03 * clicks, clicks + 0.03 * clicks)


def _wrapped(title: str, width: float) -> str:
    characters = max(8, round(TITLE_CHARACTERS * width))
    return "\n".join(line for part in title.split("\n") for line in textwrap.wrap(part, characters))


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_iou_by_clicks``."""
    return iou_by_clicks_figure(read_clicks(inputs["scores"], settings))
