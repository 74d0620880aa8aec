"""Training loss against optimiser step, per run and seed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.labels import pretrainings, run_models
from vfm_fusion.reporting.records import read_evaluation
from vfm_fusion.reporting.style import LINE_SPACING, PAGE_WIDTH, series_styles, styled

LEGEND_CHARACTERS = 46
"""Longest line of a legend entry."""
SEEDS = "\n(mean and range of the seeds)"


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        run: the run's label.
        encoders: its encoders, see :func:`vfm_fusion.reporting.labels.run_models`.
        seed: training seed.
        metrics: ``metrics.csv`` of the run: columns ``step`` and ``loss`` at least.
    """

    run: str
    encoders: str
    seed: int
    metrics: pd.DataFrame


@styled
def training_curves_figure(curves: Sequence[Curve], notes: Sequence[str] = ()) -> Figure:
    """Draws one line per run: the mean over its seeds, in a band from the lowest to the highest of them.

    Args:
        curves: trainings; runs in the order of the legend.
        notes: what stands below the legend, such as how the encoders were pretrained.

    Raises:
        ReportingError: no curve, a missing column, no line, or a loss that is not finite.
    """
    if not curves:
        raise ReportingError("no training curve was given; at least one run must be trained")
    runs: dict[str, list[Curve]] = {}
    for curve in curves:
        _check(curve)
        runs.setdefault(curve.run, []).append(curve)
    looks = series_styles(list(runs))
    figure = Figure(figsize=(PAGE_WIDTH, 2.7), layout="constrained")
    axes = figure.subplots()
    for run, seeds in runs.items():
        losses = pd.concat([curve.metrics for curve in seeds]).groupby("step")["loss"]
        mean = losses.mean()
        axes.plot(mean.index, mean, color=looks[run].color, linewidth=1.2, label=_legend_entry(seeds[0]))
        if len(seeds) > 1:
            band = {"color": looks[run].color, "alpha": 0.15, "linewidth": 0}
            axes.fill_between(mean.index, losses.min(), losses.max(), **band)
    axes.set_xlabel("Optimiser step")
    axes.set_ylabel("Training loss" + (SEEDS if len(curves) > len(runs) else ""))
    axes.set_xlim(left=0)
    for note in notes:
        axes.plot([], [], " ", label="\n".join(textwrap.wrap(note, LEGEND_CHARACTERS)))
    legend = figure.legend(loc="outside right upper", labelspacing=0.9)
    for text in legend.get_texts():
        text.set_linespacing(LINE_SPACING)
    return figure


def _legend_entry(curve: Curve) -> str:
    if curve.encoders in ("", curve.run):
        return curve.run
    return "\n".join([f"{curve.run}:", *textwrap.wrap(curve.encoders, LEGEND_CHARACTERS)])


def _check(curve: Curve) -> None:
    who = f"metrics of run {curve.run!r}, seed {curve.seed}"
    absent = {"step", "loss"} - set(curve.metrics)
    if absent:
        raise ReportingError(f"{who}: columns {sorted(absent)} are missing; found {list(curve.metrics)}")
    if curve.metrics.empty or not np.isfinite(curve.metrics[["step", "loss"]]).all(axis=None):
        raise ReportingError(f"{who}: no line, or a step or loss that is not finite; train the run again")


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Figure:
    """Builds the report ``figure_training_curves``."""
    encoders, runs = dict(settings["encoders"]), dict(settings["runs"])
    evaluations = [read_evaluation(path) for path in inputs["evaluations"]]
    curves = [
        Curve(
            run=runs[evaluation["run"]],
            encoders=run_models(evaluation, encoders),
            seed=evaluation["seed"],
            metrics=pd.read_csv(metrics),
        )
        for metrics, evaluation in zip(inputs["metrics"], evaluations, strict=True)
    ]
    return training_curves_figure(curves, notes=pretrainings(evaluations, encoders))
