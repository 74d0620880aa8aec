"""Training loss against optimiser step, per run and seed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.style import LINE_SPACING, PAGE_WIDTH, series_styles, styled

LEGEND_CHARACTERS = 46
"""Longest line of a legend entry."""


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        run: the run's label.
        encoders: its encoders with their pretraining, see :func:`vfm_fusion.reporting.labels.run_encoders`.
        seed: training seed.
        metrics: ``metrics.csv`` of the run: columns ``step`` and ``loss`` at least.
    """

    run: str
    encoders: str
    seed: int
    metrics: pd.DataFrame


@styled
def training_curves_figure(curves: Sequence[Curve]) -> Figure:
    """Draws one line per run and seed; seeds of a run share its colour.

    Args:
        curves: trainings; runs in the order of the legend.

    Raises:
        ReportingError: no curve, a missing column, no line, or a loss that is not finite.
    """
    if not curves:
        raise ReportingError("no training curve was given; at least one run must be trained")
    looks = series_styles(list(dict.fromkeys(curve.run for curve in curves)))
    figure = Figure(figsize=(PAGE_WIDTH, 2.7), layout="constrained")
    axes = figure.subplots()
    named: set[str] = set()
    for curve in curves:
        _check(curve)
        color = looks[curve.run].color
        name = None if curve.run in named else _legend_entry(curve)
        axes.plot(curve.metrics["step"], curve.metrics["loss"], color=color, linewidth=1.0, label=name)
        named.add(curve.run)
    axes.set_xlabel("Optimiser step")
    axes.set_ylabel("Training loss")
    axes.set_xlim(left=0)
    legend = figure.legend(loc="outside right upper", labelspacing=0.9)
    for text in legend.get_texts():
        text.set_linespacing(LINE_SPACING)
    return figure


def _legend_entry(curve: Curve) -> str:
    parts = curve.encoders.replace(" + ", " +\n").split("\n")
    lines = [line for part in parts for line in textwrap.wrap(part, LEGEND_CHARACTERS)]
    return "\n".join([f"{curve.run}:", *lines])


def _check(curve: Curve) -> None:
    who = f"metrics of run {curve.run!r}, seed {curve.seed}"
    absent = {"step", "loss"} - set(curve.metrics)
    if absent:
        raise ReportingError(f"{who}: columns {sorted(absent)} are missing; found {list(curve.metrics)}")
    if curve.metrics.empty or not np.isfinite(curve.metrics[["step", "loss"]]).all(axis=None):
        raise ReportingError(f"{who}: no line, or a step or loss that is not finite; train the run again")
