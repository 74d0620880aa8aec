"""Agreement with the choice on all images against the number of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vfm_fusion.reporting.labels import CHOICE_PARTS
from vfm_fusion.reporting.result_files import read_stability
from vfm_fusion.reporting.style import COLUMN_WIDTH, LINE_SPACING, SeriesStyle, series_styles, styled

NUDGE = 0.06
GAP = 0.4
"""Distance between the subsets and the other kinds of repetition, beyond one step."""

Points = Sequence[tuple[float, Mapping[str, Any]]]
"""Positions on the x axis with the repetition that is drawn there."""


@styled
def stability_figure(stability: Mapping[str, Any]) -> Figure:
    """Draws the share of draws that agree, per part of the choice.

    Filled points on lines are subsets without replacement; hollow ones resamples of all images with
    replacement and, where known, other seeds of the metric on all images.

    Args:
        stability: parsed ``stability.json``, see :func:`vfm_fusion.selection.stability.assess_stability`.
    """
    figure = Figure(figsize=(COLUMN_WIDTH, 2.7), layout="constrained")
    axes = figure.subplots()
    looks = series_styles(list(CHOICE_PARTS))
    repetitions = stability["repetitions"]
    subsets = list(enumerate(r for r in repetitions if r["kind"] == "subsets"))
    others = [r for r in repetitions if r["kind"] != "subsets"]
    beside = [(len(subsets) + GAP + index, repetition) for index, repetition in enumerate(others)]
    for index, (part, title) in enumerate(CHOICE_PARTS.items()):
        nudge = NUDGE * (index - (len(CHOICE_PARTS) - 1) / 2)
        _draw(axes, subsets, part, nudge, looks[part], title)
        _draw(axes, beside, part, nudge, looks[part], "")
    for x in [x for x, repetition in beside if repetition["reason"] is not None]:
        axes.text(x, 50, "unknown", ha="center")
    if subsets:
        axes.axvline(len(subsets) - (1 - GAP) / 2, color="0.7", linewidth=0.6)
    ticks = [(x, str(r["images"])) for x, r in subsets]
    ticks += [
        (x, f"{r['images']}\n{'resampled' if r['kind'] == 'resamples' else r['kind']}") for x, r in beside
    ]
    axes.set_xticks([x for x, _ in ticks], [text for _, text in ticks], linespacing=LINE_SPACING)
    axes.set_xlim(-0.5, beside[-1][0] + 0.5)
    axes.set_xlabel("Images")
    axes.set_ylabel("Same as on all images (%)")
    axes.set_ylim(0, 104)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def _draw(axes: Axes, points: Points, part: str, nudge: float, look: SeriesStyle, title: str) -> None:
    known = [(x, r["agreement"][part]) for x, r in points if r["reason"] is None]
    axes.plot(
        [x + nudge for x, _ in known],
        [100 * share for _, share in known],
        color=look.color,
        marker=look.marker,
        markerfacecolor=look.color if title else "none",
        linestyle="-" if title else "none",
        label=title or None,
    )


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_stability``."""
    return stability_figure(read_stability(inputs["stability"][0]))
