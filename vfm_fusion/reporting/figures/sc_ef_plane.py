"""Encoders in the plane of SC and EF, with the chosen pair."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from vfm_fusion.reporting.labels import EncoderLabels, full_label
from vfm_fusion.reporting.result_files import read_profiles, read_selection
from vfm_fusion.reporting.style import COLUMN_WIDTH, RING, SeriesStyle, interval_note, series_styles, styled

LEGEND_CHARACTERS = 58
"""Longest line of a legend entry."""


@styled
def sc_ef_plane_figure(profiles: pd.DataFrame, labels: EncoderLabels, selection: Mapping[str, Any]) -> Figure:
    """Draws each encoder's path through the SC-EF plane, one point per output stride.

    Args:
        profiles: see :func:`vfm_fusion.reporting.result_files.read_profiles`; only the selection's definition
            is drawn. A stride at which SC or EF is undefined has no point.
        labels: names in print; their order is the order of colours.
        selection: parsed ``selection.json``; master and auxiliary are named in the legend, a ring marks the
            auxiliary at its injection stride.

    Raises:
        ReportingError: an encoder has no label.
    """
    looks = series_styles(list(labels))
    profiles = profiles[profiles["definition"] == selection["definition"]]
    wide = profiles[profiles["score"].isin(["sc", "ef"])].pivot_table(
        index=["encoder", "stride"], columns="score", values=["mean", "ci_low", "ci_high"]
    )
    encoders = [encoder for encoder in labels if encoder in set(profiles["encoder"])]
    figure = Figure(figsize=(COLUMN_WIDTH, 3.1), layout="constrained")
    axes = figure.subplots()
    for encoder in encoders:
        path = wide.loc[encoder].dropna().sort_index()
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
    figure.legend(
        loc="outside upper left",
        ncols=1,
        title=f"{interval_note(profiles)};\ndefinition '{selection['definition']}'; numbers: OS",
        alignment="left",
    )
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
    for stride, point in zip(path.index, zip(x, y, strict=True), strict=True):
        axes.annotate(
            str(stride),
            point,
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=7,
            color=look.color,
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_sc_ef_plane``."""
    encoders = dict(settings["encoders"])
    profiles = read_profiles(dict(zip(encoders, inputs["summaries"], strict=True)))
    return sc_ef_plane_figure(profiles, encoders, read_selection(inputs["selection"][0]))
