"""Encoders in the plane of SC and EF, with the chosen pair if there is one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Affine2D

from vfm_fusion.reporting.label_places import place_labels
from vfm_fusion.reporting.labels import EncoderLabels, full_label
from vfm_fusion.reporting.result_files import read_choice, read_profiles
from vfm_fusion.reporting.style import (
    COLUMN_WIDTH,
    LINE_SPACING,
    RING,
    SeriesStyle,
    interval_note,
    series_styles,
    styled,
)

LEGEND_CHARACTERS = 58
"""Longest line of a legend entry."""
DIGIT = (3.6, 4.9)
"""Width and height of a digit of a label, in typographic points."""
LABEL_SIZE = 7
POINT_RADIUS, RING_RADIUS = 2.5, 6.0
"""Of a marker and of the ring, in typographic points."""
LEADER = 4.0
"""A label that is farther from its point is joined to it by a line, in typographic points."""
INCH = 72
"""In typographic points."""
PLANE_HEIGHT = 2.4
"""Height of the plane with the names of its axes, in inches."""


@styled
def sc_ef_plane_figure(profiles: pd.DataFrame, labels: EncoderLabels, selection: Mapping[str, Any]) -> Figure:
    """Draws each encoder's path through the SC-EF plane, one point per output stride.

    Args:
        profiles: see :func:`vfm_fusion.reporting.result_files.read_profiles`; only the selection's definition
            is drawn. A stride at which SC or EF is undefined has no point.
        labels: names in print; their order is the order of colours.
        selection: see :func:`vfm_fusion.reporting.result_files.read_choice`; master and auxiliary, if any,
            are named in the legend, and a ring marks the auxiliary at its injection stride.

    Raises:
        ReportingError: an encoder has no label.
    """
    looks = series_styles(list(labels))
    profiles = profiles[profiles["definition"] == selection["definition"]]
    wide = profiles[profiles["score"].isin(["sc", "ef"])].pivot_table(
        index=["encoder", "stride"], columns="score", values=["mean", "ci_low", "ci_high"], dropna=False
    )
    encoders = [encoder for encoder in labels if encoder in set(profiles["encoder"])]
    paths = {encoder: wide.loc[encoder].dropna().sort_index() for encoder in encoders}
    figure = Figure(figsize=(COLUMN_WIDTH, PLANE_HEIGHT * (1 + len(encoders))), layout="constrained")
    axes = figure.subplots()
    for encoder, path in paths.items():
        role = next((f"{r}: " for r in ("master", "auxiliary") if selection[r] == encoder), "")
        _draw_path(axes, path, looks[encoder], _legend_entry(role + full_label(labels, encoder)))
        if encoder == selection["auxiliary"] and selection["stride"] in path.index:
            point = path.loc[selection["stride"], "mean"]
            axes.plot([point["sc"]], [point["ef"]], markersize=11, **RING)
    axes.set_xlabel("Structural Coherence (SC)")
    axes.set_ylabel("Edge Fidelity (EF)")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.08, y=0.1)
    axes.locator_params(axis="x", nbins=6)
    legend = figure.legend(
        loc="outside upper left",
        ncols=1,
        labelspacing=0.3,
        title=f"{interval_note(profiles)};\ndefinition '{selection['definition']}'; numbers: OS",
        alignment="left",
    )
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_linespacing(LINE_SPACING)
    figure.draw_without_rendering()  # the height of the legend is known from here on
    figure.set_figheight(PLANE_HEIGHT + legend.get_window_extent().height / figure.dpi)
    _label_strides(figure, axes, paths, looks, (selection["auxiliary"], selection["stride"]))
    return figure


def _legend_entry(text: str) -> str:
    return "\n  ".join(textwrap.wrap(text, LEGEND_CHARACTERS))


def _draw_path(axes: Axes, path: pd.DataFrame, look: SeriesStyle, name: str) -> None:
    (x, y), low, high = (path[key][["sc", "ef"]].to_numpy().T for key in ("mean", "ci_low", "ci_high"))
    axes.errorbar(
        x,
        y,
        xerr=(x - low[0], high[0] - x),
        yerr=(y - low[1], high[1] - y),
        **look.line,
        elinewidth=0.7,
        linewidth=0.9,
        label=name,
    )


def _label_strides(
    figure: Figure,
    axes: Axes,
    paths: Mapping[str, pd.DataFrame],
    looks: Mapping[str, SeriesStyle],
    ringed: tuple[str, int],
) -> None:
    """Writes the stride beside every point, in its colour, where the layout has room for it."""
    figure.draw_without_rendering()  # the layout is known from here on
    to_points = axes.transData + Affine2D().scale(INCH / figure.dpi)
    means, low, high = (
        [to_points.transform(path[key][["sc", "ef"]].to_numpy()) for path in paths.values()]
        for key in ("mean", "ci_low", "ci_high")
    )
    x, y = (points := np.concatenate(means)).T
    (left, bottom), (right, top) = np.concatenate(low).T, np.concatenate(high).T
    bars = [np.column_stack([left, y, right, y]), np.column_stack([x, bottom, x, top])]
    lines = np.concatenate([*bars, *(np.hstack([mean[:-1], mean[1:]]) for mean in means)])
    names = [(encoder, stride) for encoder, path in paths.items() for stride in path.index]
    radii = np.array([RING_RADIUS if name == ringed else POINT_RADIUS for name in names])
    sizes = [(DIGIT[0] * len(str(stride)), DIGIT[1]) for _, stride in names]
    frame = axes.bbox.transformed(Affine2D().scale(INCH / figure.dpi)).extents
    offsets = place_labels(points, radii, sizes, lines, frame)
    for (encoder, stride), radius, offset in zip(names, radii, offsets, strict=True):
        color, far = looks[encoder].color, np.hypot(*offset) > radius + LEADER + max(DIGIT)
        axes.annotate(
            str(stride),
            paths[encoder].loc[stride, "mean"][["sc", "ef"]].to_numpy(),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            fontsize=LABEL_SIZE,
            color=color,
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": color} if far else None,
            in_layout=False,
        )


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_sc_ef_plane``."""
    encoders = dict(settings["encoders"])
    profiles = read_profiles(dict(zip(encoders, inputs["summaries"], strict=True)))
    choice = read_choice(inputs["selection"], settings["dataset"], settings["definition"])
    return sc_ef_plane_figure(profiles, encoders, choice)
