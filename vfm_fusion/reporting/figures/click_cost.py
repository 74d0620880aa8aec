"""What upsamplers cost against the clicks that they save, with the front of those that none beats in both."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vfm_fusion.reporting.click_results import ClickResults, read_clicks
from vfm_fusion.reporting.style import LINE_SPACING, PAGE_WIDTH, SeriesStyle, series_styles, styled
from vfm_fusion.reporting.upsampled_quality import Qualities, read_qualities

COSTS = {
    "parameters": "Parameters (M)",
    "milliseconds": "Milliseconds per image",
    "memory": "Memory (MB)",
}
"""Cost of an upsampler to its axis."""
PANEL_HEIGHT = 2.0
"""Height of a row of panels in inches."""
AROUND = 0.55
"""Height of what stands around them."""
LEGEND_ROW, LEGEND_COLUMNS = 0.16, 5
"""Height of a row of the legend in inches, and entries side by side."""
SPREAD = 20.0
"""From this ratio of the largest to the smallest cost on the axis is logarithmic."""


class Point(NamedTuple):
    """An upsampler: what it costs, and its clicks."""

    upsampler: str
    cost: float
    clicks: float


@styled
def click_cost_figure(results: ClickResults, qualities: Qualities) -> Figure:
    """Draws a row for every encoder and click model, a panel for every kind of cost.

    Clicks are averaged over data sets and seeds. What is not known has no point. One upsampler alone has
    nothing to be compared with and no row, unless there are no others.

    Args:
        results: the scores of clicks.
        qualities: times and memory, none where they were not measured.
    """
    looks = series_styles(list(results.names.upsamplers))
    cells = results.on(results.datasets[0])
    upsamplers = Counter((cell.key.encoder, cell.key.clicks) for cell in cells)
    around = [pair for pair in results.arrangements if upsamplers[pair] > 1] or results.arrangements
    legend = LEGEND_ROW * -(-(len(results.upsamplers) + 1) // LEGEND_COLUMNS)
    height = AROUND + legend + PANEL_HEIGHT * len(around)
    figure = Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
    panels = figure.subplots(len(around), len(COSTS), squeeze=False, sharey="row")
    for row, (encoder, clicks) in zip(panels, around, strict=True):
        for axes, cost in zip(row, COSTS, strict=True):
            _draw(axes, points_of(results, qualities, encoder, clicks, cost), looks)
            axes.set_xlabel(COSTS[cost])
        row[0].set_ylabel(f"NoC@{results.percent}")
        title = results.names.arrangement(encoder, clicks)
        row[1].set_title(title, linespacing=LINE_SPACING)
    handles = [
        Line2D([], [], linestyle="none", label=results.names.upsampler(name), **looks[name].line)
        for name in results.upsamplers
    ]
    handles.append(Line2D([], [], color="0.4", linestyle="--", linewidth=0.9, label="front"))
    figure.legend(handles=handles, loc="outside upper center", ncols=LEGEND_COLUMNS)
    return figure


def points_of(
    results: ClickResults, qualities: Qualities, encoder: str, clicks: str, cost: str
) -> list[Point]:
    """Returns the upsamplers of an encoder and a click model, as far as cost and clicks are known.

    Args:
        results: the scores of clicks.
        qualities: times and memory.
        encoder: name of the encoder.
        clicks: name of the click model.
        cost: one of :data:`COSTS`.
    """
    found = []
    for tested in results.on(results.datasets[0]):
        if (tested.key.encoder, tested.key.clicks) != (encoder, clicks):
            continue
        name = tested.key.upsampler
        values = {
            "parameters": tested.facts["parameters"]["upsampler"] / 1e6,
            "milliseconds": qualities.milliseconds(encoder, name).mean,
            "memory": qualities.megabytes(encoder, name).mean,
        }
        point = Point(name, values[cost], results.mean_clicks(encoder, clicks, name).mean)
        if not math.isnan(point.cost) and not math.isnan(point.clicks):
            found.append(point)
    return found


def front(points: Sequence[Point]) -> list[Point]:
    """Returns the points that no other beats in cost and clicks at once, by rising cost.

    >>> a, b, c = Point("a", 0, 9), Point("b", 2, 5), Point("c", 3, 6)
    >>> [point.upsampler for point in front([c, b, a])]
    ['a', 'b']
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, point.clicks)):
        if not kept or point.clicks < kept[-1].clicks:
            kept.append(point)
    return kept


def _draw(axes: Axes, points: Sequence[Point], looks: Mapping[str, SeriesStyle]) -> None:
    if not points:
        axes.text(0.5, 0.5, "not measured", ha="center", va="center", transform=axes.transAxes)
        axes.set_xticks([])
        return
    best = front(points)
    line = {"color": "0.4", "linestyle": "--", "linewidth": 0.9, "zorder": 1, "drawstyle": "steps-post"}
    axes.plot([p.cost for p in best], [p.clicks for p in best], **line)
    for point in points:
        axes.plot(
            [point.cost],
            [point.clicks],
            linestyle="none",
            clip_on=False,
            zorder=3,
            **looks[point.upsampler].line,
        )
    costs = [point.cost for point in points]
    if min(costs) > 0 and max(costs) > SPREAD * min(costs):
        axes.set_xscale("log")
    axes.margins(x=0.08, y=0.12)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_click_cost``."""
    return click_cost_figure(
        read_clicks(inputs["scores"], settings), read_qualities(inputs["quality"], inputs["costs"])
    )
