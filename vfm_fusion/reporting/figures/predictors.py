"""How well every score finds the best injection stride: hits, regret and rank correlation with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.predictor_settings import counted
from vfm_fusion.reporting.predictor_skill import (
    CONSTANT,
    HELD_OUT_CONSTANT,
    HELD_OUT_PREDICTOR,
    RANDOM,
    Comparison,
    read_comparison,
    title_of_way,
)
from vfm_fusion.reporting.style import PAGE_WIDTH, SeriesStyle, series_styles, styled

PANELS = {"hits": "Hits (%)", "regret": "Regret (points)", "rho": "Spearman's ρ"}
"""Statistic of a way to its axis."""
KINDS = (
    "needs no labels",
    "EF as in the paper",
    "learns from labels",
    "no score",
    "chosen on other data sets",
)
ROW_HEIGHT = 0.17
"""Height of a row in inches."""
MARGIN = 0.04
"""Room for a marker at the end of an axis, as a share of it."""
AROUND = 0.85
"""Height of what stands above and below the rows in inches."""


@styled
def predictors_figure(comparison: Comparison) -> Figure:
    """Draws one row for every way to choose the stride, and one panel for every statistic.

    A dashed line marks a stride drawn at random. A statistic that is undefined has no marker.

    Args:
        comparison: the ways, on the settings of all pooled points.
    """
    ways = _ways(comparison)
    looks = series_styles(KINDS)
    figure = Figure(figsize=(PAGE_WIDTH, AROUND + ROW_HEIGHT * max(len(ways), 4)), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (statistic, title) in zip(panels, PANELS.items(), strict=True):
        _draw_panel(axes, comparison, ways, statistic, looks)
        axes.set_xlabel(title)
    panels[0].set_yticks(range(len(ways)), [title_of_way(way) for way in ways])
    panels[0].set_ylim(len(ways) - 0.5, -0.5)
    panels[0].set_xlim(-100 * MARGIN, 100 * (1 + MARGIN))
    panels[1].set_xlim(left=-MARGIN * panels[1].get_xlim()[1])
    shown = [kind for kind in KINDS if kind in ways.values()]
    handles = [_handle(looks[kind], kind) for kind in shown]
    handles.append(
        Line2D([], [], color="0.4", linestyle="--", linewidth=0.9, label="a stride drawn at random")
    )
    settings = counted(len(comparison.settings), "setting")
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=3,
        title=f"Mean and 95 % bootstrap interval over pairs of encoders, {settings}",
    )
    return figure


def _ways(comparison: Comparison) -> dict[str, str]:
    """The rows, top to bottom, each with its kind."""
    plain, paper, labelled, none, elsewhere = KINDS
    free = comparison.label_free
    ways = {key: paper if key == comparison.reference else plain for key in free}
    ways |= {key: labelled for key in comparison.predictors if key not in free}
    ways |= {CONSTANT.format(stride): none for stride in comparison.strides}
    return ways | {HELD_OUT_CONSTANT: elsewhere, HELD_OUT_PREDICTOR: elsewhere}


def _draw_panel(
    axes: Axes,
    comparison: Comparison,
    ways: Mapping[str, str],
    statistic: str,
    looks: Mapping[str, SeriesStyle],
) -> None:
    for row, (way, kind) in enumerate(ways.items()):
        value: Value = getattr(comparison.skills[way], statistic)
        if math.isnan(value.mean):
            continue
        ends = [[value.mean - value.low], [value.high - value.mean]]
        axes.errorbar(
            [value.mean],
            [row],
            xerr=None if math.isnan(value.low) else ends,
            linestyle="none",
            elinewidth=0.9,
            capsize=1.8,
            capthick=0.9,
            **looks[kind].line,
        )
    chance: Value = getattr(comparison.skills[RANDOM], statistic)
    if not math.isnan(chance.mean):
        axes.axvline(chance.mean, color="0.4", linestyle="--", linewidth=0.9, zorder=0)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def _handle(look: SeriesStyle, kind: str) -> Line2D:
    return Line2D([], [], linestyle="none", label=kind, **look.line)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_predictors``."""
    return predictors_figure(read_comparison(inputs["points"], settings))
