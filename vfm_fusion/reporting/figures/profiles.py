"""SC and EF against output stride, per encoder, with intervals (Sec. 4.3, RQ2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vfm_fusion.reporting.labels import EncoderLabels, full_label
from vfm_fusion.reporting.style import PAGE_WIDTH, SeriesStyle, series_styles, stride_axis, styled

LEGEND_CHARACTERS = 135
"""Characters of a legend that fit on a page's width."""
LEGEND_HANDLE = 7
"""Width of a legend's symbol and gap, in characters."""
PANELS = (("sc", "Structural Coherence (SC)"), ("ef", "Edge Fidelity (EF)"))


@styled
def profiles_figure(profiles: pd.DataFrame, labels: EncoderLabels, selection: Mapping[str, Any]) -> Figure:
    """Draws SC and EF against stride; error bars are 95 % bootstrap intervals over images.

    Args:
        profiles: see :func:`vfm_fusion.reporting.inputs.read_profiles`; undefined scores leave a gap.
        labels: names in print; their order is the order of colours.
        selection: parsed ``selection.json``; a ring marks the chosen auxiliary at its injection stride.

    Raises:
        ReportingError: an encoder has no label.
    """
    looks = series_styles(list(labels))
    encoders = [encoder for encoder in labels if encoder in set(profiles["encoder"])]
    strides = sorted(int(stride) for stride in profiles["stride"].unique())
    figure = Figure(figsize=(PAGE_WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, len(PANELS))
    for axes, (score, title) in zip(panels, PANELS, strict=True):
        for index, encoder in enumerate(encoders):
            nudge = 2 ** (0.06 * (index - (len(encoders) - 1) / 2))
            rows = profiles[(profiles["encoder"] == encoder) & (profiles["score"] == score)]
            _draw_series(axes, rows.sort_values("stride"), nudge, looks[encoder], full_label(labels, encoder))
            if (encoder, score) == (selection["auxiliary"], selection["stride_by"]):
                _ring(axes, rows, selection["stride"], nudge)
        stride_axis(axes, strides)
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
    panels[0].set_ylim(0, 1)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper center", ncols=_columns(names), title=interval_note(profiles)
    )
    return figure


def _columns(names: Sequence[str]) -> int:
    """As many legend columns as the page is wide."""
    longest = max(len(name) for name in names)
    return max(1, min(len(names), LEGEND_CHARACTERS // (longest + LEGEND_HANDLE)))


def interval_note(profiles: pd.DataFrame) -> str:
    """Says what points and bars are, with the number of profiled images."""
    counts = sorted(set(profiles["images"] + profiles["undefined"]))
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Mean and 95 % bootstrap interval, n = {number} images"


def _draw_series(axes: Axes, rows: pd.DataFrame, nudge: float, look: SeriesStyle, name: str) -> None:
    mean = rows["mean"].to_numpy()
    axes.errorbar(
        rows["stride"].to_numpy() * nudge,
        mean,
        yerr=(mean - rows["ci_low"].to_numpy(), rows["ci_high"].to_numpy() - mean),
        color=look.color,
        marker=look.marker,
        markeredgecolor="white",
        markeredgewidth=0.4,
        elinewidth=0.9,
        capsize=1.8,
        capthick=0.9,
        label=name,
    )


def _ring(axes: Axes, rows: pd.DataFrame, stride: int, nudge: float) -> None:
    peak = rows.loc[rows["stride"] == stride, "mean"]
    in_left_half = stride <= rows["stride"].median()
    axes.plot(
        [stride * nudge],
        peak,
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor="black",
        markeredgewidth=0.9,
        linestyle="none",
    )
    axes.annotate(
        f"injected at OS {stride}",
        (stride * nudge, peak.iloc[0]),
        xytext=(8 if in_left_half else -8, 5),
        textcoords="offset points",
        ha="left" if in_left_half else "right",
        fontsize=7.5,
    )
