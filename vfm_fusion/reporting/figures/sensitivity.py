"""SC and EF levels against the values of every swept metric setting, one panel each (App. A.1)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vfm_fusion.config.sensitivity import FACTORS, factors_of
from vfm_fusion.reporting.labels import EncoderLabels, full_label
from vfm_fusion.reporting.result_files import chosen_among, read_selection
from vfm_fusion.reporting.sensitivity import (
    Effect,
    Sensitivity,
    order_sentence,
    read_sweeps,
    sensitivity_of,
    shown_setting,
    shown_value,
)
from vfm_fusion.reporting.style import PAGE_WIDTH, SeriesStyle, series_styles, styled
from vfm_fusion.selection.rule import SCORES, Score

COLUMNS = 4
"""Panels side by side."""
ROW_HEIGHT = 1.5
"""Height of a row of panels in inches."""
LEGEND_LINE = 0.165
"""Height of a line of the legend in inches."""
LEGEND_CHARACTERS = 120
"""Longest line of the legend's title."""
FACTOR_NAMES = {"sfc": "SFC", "scs": "SCS", "concentration": "EC, NC", "fc": "FC", "sp": "SP"}
BASELINE_COLOR = "#e8e8e8"
BASELINE_WIDTH = 0.12
"""Width of the baseline's band as a share of the panel's."""


@styled
def sensitivity_figure(sensitivity: Sensitivity, labels: EncoderLabels) -> Figure:
    """Draws, per score, one panel for every setting that it depends on.

    Panels of one score share their axis of levels. A band marks the baseline's value. A hollow marker is a
    level over other strides than the baseline's; a level that is undefined has no marker.

    Args:
        sensitivity: see :func:`vfm_fusion.reporting.sensitivity.sensitivity_of`.
        labels: names in print; their order is the order of colours.

    Raises:
        ReportingError: an encoder has no label.
    """
    looks = series_styles(list(labels))
    encoders = [encoder for encoder in labels if encoder in sensitivity.encoders]
    panels = {score: sensitivity.of(score) for score in SCORES if sensitivity.of(score)}
    rows = {score: math.ceil(len(settings) / COLUMNS) for score, settings in panels.items()}
    handles, title = _handles(sensitivity, encoders, labels, looks), _title(sensitivity)
    legend_lines = math.ceil(len(handles) / 2) + title.count("\n") + 1
    height = ROW_HEIGHT * sum(rows.values()) + LEGEND_LINE * legend_lines
    figure = Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
    parts = figure.subfigures(len(panels), 1, height_ratios=list(rows.values()), squeeze=False)[:, 0]
    for part, (score, settings) in zip(parts, panels.items(), strict=True):
        grid = part.subplots(rows[score], COLUMNS, sharey=True, squeeze=False)
        for axes, (setting, effects) in zip(grid.flat, settings.items(), strict=False):
            for encoder in encoders:
                _draw_levels(axes, effects, score, encoder, looks[encoder], sensitivity.baseline)
            _label_panel(axes, setting, effects, score)
        for axes in grid.flat[len(settings) :]:
            axes.remove()
        for row in grid:
            row[0].set_ylabel(f"{score.upper()} level")
        grid[0, 0].set_ylim(bottom=0)
    figure.legend(handles=handles, loc="outside upper center", ncols=2, title=title)
    return figure


def _draw_levels(
    axes: Axes, effects: Sequence[Effect], score: Score, encoder: str, look: SeriesStyle, base: Effect
) -> None:
    levels = [effect.levels[score][encoder] for effect in effects]
    axes.plot(range(len(effects)), levels, **look.line)
    other = [x for x, effect in enumerate(effects) if effect.strides[score] != base.strides[score]]
    axes.plot(
        other,
        [levels[x] for x in other],
        linestyle="none",
        marker=look.marker,
        markerfacecolor="white",
        markeredgecolor=look.color,
        markeredgewidth=0.9,
    )


def _label_panel(axes: Axes, setting: str, effects: Sequence[Effect], score: Score) -> None:
    factors = [FACTOR_NAMES[factor] for factor in factors_of(setting) if factor in FACTORS[score]]
    axes.set_title(f"{', '.join(factors)}: {shown_setting(setting)}")
    axes.set_xticks(range(len(effects)), [shown_value(effect.value) for effect in effects])
    axes.set_xlim(-0.5, len(effects) - 0.5)
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)
    baseline = next(x for x, effect in enumerate(effects) if effect.baseline)
    half = BASELINE_WIDTH * len(effects) / 2
    axes.axvspan(baseline - half, baseline + half, color=BASELINE_COLOR, linewidth=0, zorder=0)


def _handles(
    sensitivity: Sensitivity, encoders: Sequence[str], labels: EncoderLabels, looks: dict[str, SeriesStyle]
) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            color=looks[encoder].color,
            marker=looks[encoder].marker,
            label=full_label(labels, encoder),
        )
        for encoder in encoders
    ]
    handles.append(Patch(color=BASELINE_COLOR, linewidth=0, label="baseline"))
    usual = sensitivity.baseline.strides
    if any(effect.strides != usual for effect in sensitivity.effects):
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                markerfacecolor="white",
                markeredgecolor="black",
                label="over other strides",
            )
        )
    return handles


def _title(sensitivity: Sensitivity) -> str:
    counted = f"Mean over output strides and n = {sensitivity.images} images."
    sentences = [counted, *(order_sentence(sensitivity, score) for score in SCORES)]
    return "\n".join(textwrap.fill(sentence, LEGEND_CHARACTERS) for sentence in sentences if sentence)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_sensitivity``."""
    labels = dict(settings["encoders"])
    selection = read_selection(inputs["selection"][0])
    paths = dict(zip(labels, inputs["sweeps"], strict=True))
    sweeps = read_sweeps({encoder: paths[encoder] for encoder in chosen_among(selection)})
    return sensitivity_figure(sensitivity_of(sweeps, selection["task"], selection["stride_by"]), labels)
