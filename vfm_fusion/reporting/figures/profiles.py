"""SC and EF against output stride, per encoder, with intervals (Sec. 4.3, RQ2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vfm_fusion.reporting.labels import EncoderLabels, full_label
from vfm_fusion.reporting.result_files import definitions_in_order, read_choice, read_profiles
from vfm_fusion.reporting.style import (
    PAGE_WIDTH,
    RING,
    SeriesStyle,
    interval_note,
    series_styles,
    stride_axis,
    styled,
)

LEGEND_CHARACTERS = 135
"""Characters of a legend that fit on a page's width."""
LEGEND_HANDLE = 7
"""Width of a legend's symbol and gap, in characters."""
PANELS = (("sc", "Structural Coherence (SC)"), ("ef", "Edge Fidelity (EF)"))
MARGIN = 0.03
"""Share of a panel's height below its lowest value, so that a null floor of zero is seen."""
NULL_DASHES = (0, (4, 2))


@styled
def profiles_figure(profiles: pd.DataFrame, labels: EncoderLabels, selection: Mapping[str, Any]) -> Figure:
    """Draws SC and EF against stride, one row of panels per metric definition.

    Error bars are 95 % bootstrap intervals over images; dashed lines are null floors.

    Args:
        profiles: see :func:`vfm_fusion.reporting.result_files.read_profiles`; undefined scores leave a gap.
        labels: names in print; their order is the order of colours.
        selection: see :func:`vfm_fusion.reporting.result_files.read_choice`; its definition comes first, and
            a ring marks the chosen auxiliary, if any, at its injection stride there.

    Raises:
        ReportingError: an encoder has no label, or there is no profile by the selection's definition.
    """
    definitions = definitions_in_order(profiles, selection)
    figure = Figure(figsize=(PAGE_WIDTH, 0.6 + 2.05 * len(definitions)), layout="constrained")
    panels = figure.subplots(len(definitions), len(PANELS), sharex="col", squeeze=False)
    for row, definition in zip(panels, definitions, strict=True):
        rows = profiles[profiles["definition"] == definition]
        for axes, (score, title) in zip(row, PANELS, strict=True):
            _draw_panel(axes, rows, score, labels)
            axes.set_ylabel(title)
            axes.set_title(f"definition '{definition}'", loc="left")
            if score == selection["stride_by"] and definition == selection["definition"]:
                _ring(axes, rows, labels, selection)
    for axes in panels[:-1].flat:
        axes.set_xlabel("")
    handles, names = panels[0, 0].get_legend_handles_labels()
    if profiles["score"].str.endswith("_null").any():
        handles.append(Line2D([], [], color="0.4", linestyle=NULL_DASHES, linewidth=0.8))
        names.append("null floor (pixels in random order)")
    if selection["stride"] is not None:
        handles.append(Line2D([], [], markersize=7, **RING))
        names.append(f"injected at OS {selection['stride']}")
    figure.legend(
        handles, names, loc="outside upper center", ncols=_columns(names), title=interval_note(profiles)
    )
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, score: str, labels: EncoderLabels) -> None:
    looks = series_styles(list(labels))
    for encoder, nudge in _nudges(rows, labels).items():
        own = rows[rows["encoder"] == encoder].sort_values("stride")
        name = full_label(labels, encoder)
        _draw_series(axes, own[own["score"] == score], nudge, looks[encoder], name)
        null = own[own["score"] == f"{score}_null"]
        axes.plot(
            null["stride"] * nudge,
            null["mean"],
            color=looks[encoder].color,
            linestyle=NULL_DASHES,
            linewidth=0.8,
        )
    stride_axis(axes, sorted(int(stride) for stride in rows["stride"].unique()))
    shown = rows.loc[rows["score"].isin([score, f"{score}_null"]), ["mean", "ci_low"]]
    top = 1.0 if score == "sc" else axes.get_ylim()[1]
    lowest = min(0.0, float(shown.min(axis=None)))
    axes.set_ylim(lowest - MARGIN * (top - lowest), top)


def _nudges(rows: pd.DataFrame, labels: EncoderLabels) -> dict[str, float]:
    """Factors that spread the encoders around their stride, so that bars do not overlap."""
    encoders = [encoder for encoder in labels if encoder in set(rows["encoder"])]
    return {
        encoder: 2 ** (0.06 * (index - (len(encoders) - 1) / 2)) for index, encoder in enumerate(encoders)
    }


def _columns(names: Sequence[str]) -> int:
    """As many legend columns as the page is wide."""
    longest = max(len(name) for name in names)
    return max(1, min(len(names), LEGEND_CHARACTERS // (longest + LEGEND_HANDLE)))


def _draw_series(axes: Axes, rows: pd.DataFrame, nudge: float, look: SeriesStyle, name: str) -> None:
    mean = rows["mean"].to_numpy()
    axes.errorbar(
        rows["stride"].to_numpy() * nudge,
        mean,
        yerr=(mean - rows["ci_low"].to_numpy(), rows["ci_high"].to_numpy() - mean),
        **look.line,
        elinewidth=0.9,
        capsize=1.8,
        capthick=0.9,
        label=name,
    )


def _ring(axes: Axes, rows: pd.DataFrame, labels: EncoderLabels, selection: Mapping[str, Any]) -> None:
    stride, auxiliary = selection["stride"], selection["auxiliary"]
    own = rows[(rows["encoder"] == auxiliary) & (rows["score"] == selection["stride_by"])]
    peak = own.loc[own["stride"] == stride, "mean"]
    axes.plot([stride * _nudges(rows, labels)[auxiliary]], peak, markersize=11, **RING)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_profiles``."""
    encoders = dict(settings["encoders"])
    profiles = read_profiles(dict(zip(encoders, inputs["summaries"], strict=True)))
    choice = read_choice(inputs["selection"], settings["dataset"], settings["definition"])
    return profiles_figure(profiles, encoders, choice)
