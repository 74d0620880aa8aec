"""The runs of a comparison and, among them, the settings that were trained at several injection strides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.inputs import read_profiles, read_selection
from vfm_fusion.reporting.labels import EncoderLabels
from vfm_fusion.reporting.records import RunResults, collect_runs, read_evaluation
from vfm_fusion.reporting.stride_groups import Group, group_by_stride
from vfm_fusion.reporting.stride_settings import Setting, ef_by_stride, other_settings, stride_settings


@dataclass(frozen=True)
class Sweep:
    """Results of runs, and what EF says of the strides that they were trained at.

    Attributes:
        results: all runs.
        groups: fused runs, those that differ in the stride alone together.
        settings: the groups of two or more strides.
        elsewhere: the same with the EF of every other definition, by definition.
        profiles: joined profiles, by the definition that pairs the encoders alone.
        selection: parsed ``selection.json``.
        labels: names of the encoders in print.
        seeds: expected seeds.
    """

    results: tuple[RunResults, ...]
    groups: tuple[Group, ...]
    settings: tuple[Setting, ...]
    elsewhere: Mapping[str, Sequence[Setting]]
    profiles: pd.DataFrame
    selection: Mapping[str, Any]
    labels: EncoderLabels
    seeds: tuple[int, ...]


def collect_sweep(
    evaluations: Iterable[Mapping[str, Any]],
    profiles: pd.DataFrame,
    selection: Mapping[str, Any],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    fusions: Mapping[str, str],
    seeds: Sequence[int],
) -> Sweep:
    """Sorts runs by setting and stride.

    Args:
        evaluations: parsed ``evaluation.json`` of every run and seed that exists.
        profiles: see :func:`vfm_fusion.reporting.inputs.read_profiles`.
        selection: parsed ``selection.json``: its pair gives the settings A to D their names, its definition
            the EF that suggests a stride.
        labels: names of the encoders in print.
        runs: expected runs, key to label.
        fusions: run to its fusion settings without the stride, as text.
        seeds: expected seeds.

    Raises:
        ReportingError: evaluations that do not belong together, or an encoder without a label.
    """
    results = collect_runs(evaluations, runs, seeds)
    groups = group_by_stride(results, fusions)
    ef = ef_by_stride(profiles, selection["definition"])
    return Sweep(
        results=tuple(results),
        groups=tuple(groups),
        settings=tuple(stride_settings(groups, ef, selection, labels, fusions)),
        elsewhere=other_settings(groups, profiles, selection, labels, fusions),
        profiles=profiles[profiles["definition"] == selection["definition"]],
        selection=selection,
        labels=labels,
        seeds=tuple(seeds),
    )


def read_sweep(
    config: Mapping[str, Any], evaluations: Iterable[str], profiles: Iterable[str], selection: str
) -> Sweep:
    """Reads the files of :func:`collect_sweep`; see there for the error.

    Args:
        config: ``encoders``, ``runs`` and ``fusions`` as pairs, and ``seeds``.
        evaluations: paths of ``evaluation.json``.
        profiles: path of every encoder's joined profiles, in the order of ``config["encoders"]``.
        selection: path of ``selection.json``.
    """
    labels = dict(config["encoders"])
    return collect_sweep(
        [read_evaluation(Path(path)) for path in evaluations],
        read_profiles(dict(zip(labels, map(Path, profiles), strict=True))),
        read_selection(Path(selection)),
        labels,
        dict(config["runs"]),
        dict(config["fusions"]),
        config["seeds"],
    )
