"""All results that the answers rest on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.labels import EncoderLabels, label
from vfm_fusion.reporting.seeds import Evaluation, RunResults, collect_runs
from vfm_fusion.reporting.stride_groups import Group, group_by_stride
from vfm_fusion.reporting.stride_settings import (
    Setting,
    ef_by_stride,
    other_settings,
    stride_settings,
    structure_and_edges,
)
from vfm_fusion.reporting.tables.injection_stride import shown_metrics

PER_CLASS = ("class", "group", "run", "seed", "metric", "value")
SUPERVISED = ("encoder", "measure", "statistic", "value")
FINETUNED = (
    *("run", "role", "encoder", "definition", "stride", "score"),
    *("before", "after", "ci_low", "ci_high", "seeds"),
)


@dataclass(frozen=True)
class Evidence:
    """What runs, profiles and tables hold, for the runs of one comparison.

    Attributes:
        results: all runs.
        groups: fused runs, those that differ in the stride alone together.
        settings: the groups of two or more strides.
        elsewhere: the same with the EF of every other definition, by definition.
        profiles: joined profiles, by the definition that pairs the encoders alone.
        selection: parsed ``selection.json``.
        labels: names of the encoders in print.
        per_class: tidy data of the table per class, columns ``PER_CLASS``.
        supervised: tidy data of the table of SC and SC_GT, columns ``SUPERVISED``.
        finetuned: tidy data of the table of fine-tuned profiles, columns ``FINETUNED``.
    """

    results: tuple[RunResults, ...]
    groups: tuple[Group, ...]
    settings: tuple[Setting, ...]
    elsewhere: Mapping[str, Sequence[Setting]]
    profiles: pd.DataFrame
    selection: Mapping[str, Any]
    labels: EncoderLabels
    per_class: pd.DataFrame
    supervised: pd.DataFrame
    finetuned: pd.DataFrame

    @property
    def structure(self) -> str:
        """The encoder of the pair that was chosen by SC."""
        return structure_and_edges(self.selection)[0]

    @property
    def edges(self) -> str:
        """The encoder of the pair that was chosen by EF."""
        return structure_and_edges(self.selection)[1]

    @property
    def metric(self) -> str:
        """The main metric: AP where the runs have it, else mIoU."""
        return next(iter(shown_metrics(self.settings)), "AP")

    def name(self, encoder: str) -> str:
        """The encoder's name in print."""
        return label(self.labels, encoder)

    def alone(self, encoder: str, *, trained: bool) -> RunResults | None:
        """The first run of an encoder without an auxiliary, fine-tuned or frozen; None without one."""
        return self.singles(trained=trained).get(encoder)

    def singles(self, *, trained: bool) -> dict[str, RunResults]:
        """The first run of every encoder without an auxiliary, fine-tuned or frozen."""
        found: dict[str, RunResults] = {}
        for result in self.results:
            known = result.any
            if known and known["auxiliary"] is None and known["master"]["trainable"] == trained:
                found.setdefault(known["master"]["encoder"], result)
        return found


def gather(
    evaluations: Iterable[Evaluation],
    profiles: pd.DataFrame,
    selection: Mapping[str, Any],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    fusions: Mapping[str, str],
    seeds: Sequence[int],
    tables: Mapping[str, pd.DataFrame],
) -> Evidence:
    """Sorts results as the answers need them.

    Args:
        evaluations: parsed ``evaluation.json`` of every run and seed that exists.
        profiles: see :func:`vfm_fusion.reporting.inputs.read_profiles`.
        selection: parsed ``selection.json``.
        labels: names of the encoders in print.
        runs: expected runs, key to label.
        fusions: run to its fusion settings without the stride, as text.
        seeds: expected seeds.
        tables: ``per_class``, ``supervised`` and ``finetuned``, see :func:`read_tidy`.

    Raises:
        ReportingError: evaluations that do not belong together.
    """
    results = collect_runs(evaluations, runs, seeds)
    groups = group_by_stride(results, fusions)
    ef = ef_by_stride(profiles, selection["definition"])
    return Evidence(
        results=tuple(results),
        groups=tuple(groups),
        settings=tuple(stride_settings(groups, ef, selection, labels, fusions)),
        elsewhere=other_settings(groups, profiles, selection, labels, fusions),
        profiles=profiles[profiles["definition"] == selection["definition"]],
        selection=selection,
        labels=labels,
        **tables,
    )


def read_tidy(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Reads a table's CSV file, which is blank where the table is empty.

    Raises:
        ReportingError: a column is missing.
    """
    if not path.read_text(encoding="utf-8").strip():
        return pd.DataFrame(columns=list(columns))
    frame = pd.read_csv(path)
    absent = [column for column in columns if column not in frame]
    if absent:
        raise ReportingError(f"{path}: columns {absent} are missing; found {list(frame.columns)}")
    return frame
