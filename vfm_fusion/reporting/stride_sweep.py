"""The sweep over injection strides (Table 6): pairs that were trained alike at several strides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, arrangement, label
from vfm_fusion.reporting.records import RunResults, collect_runs, main_metrics, read_evaluation
from vfm_fusion.reporting.result_files import read_profiles, read_selection
from vfm_fusion.reporting.significance import difference
from vfm_fusion.reporting.stride_groups import Group, group_by_stride
from vfm_fusion.reporting.stride_suggestion import (
    MIN_TRAINED,
    HitRate,
    Suggestion,
    hit_rate,
    judge,
    regret_in_words,
    suggested_stride,
)


@dataclass(frozen=True)
class Setting:
    """Fused runs that differ in one injection stride alone.

    Attributes:
        name: A to D of the paper for the selected pair; empty for other pairs and trained auxiliaries.
        title: a name in print that no other setting has.
        group: its runs, at least two of them of a single stride.
        ef: profiled stride -> EF of the auxiliary; NaN where undefined.
    """

    name: str
    title: str
    group: Group
    ef: Mapping[int, float]

    @property
    def suggested(self) -> int | None:
        """The stride of the highest EF; None where EF is undefined at all strides."""
        return suggested_stride(self.ef)

    def judged(self, metric: str) -> Suggestion:
        """The suggested stride against the others, by the means over seeds."""
        return judge(self.ef, {stride: self.level(stride, metric).mean for stride in self.group.single})

    def judged_by_seed(self, metric: str) -> dict[int, Suggestion]:
        """The same within every seed that all its runs have."""
        return {seed: judge(self.ef, self.group.at_seed(metric, seed)) for seed in self.group.seeds}

    def is_best(self, stride: int, metric: str) -> bool:
        """Whether no trained stride is better than this trained one, by the means over seeds."""
        levels = {trained: self.level(trained, metric).mean for trained in self.group.single}
        return stride in levels and levels[stride] >= max(levels.values())

    def level(self, stride: int, metric: str) -> Value:
        """What the run of one stride reaches, in percent."""
        return self.group.level((stride,), metric)

    @property
    def untrained(self) -> list[int]:
        """Profiled strides that no run of a single stride injects at; the best one may be among them."""
        return sorted(set(self.ef) - set(self.group.single))

    def margin(self, metric: str) -> Value:
        """The suggested stride minus the best other one (of the means), seed by seed."""
        second = self.judged(metric).second
        return difference({}) if second is None else self.ahead_of(second, metric)

    def ahead_of(self, other: int, metric: str) -> Value:
        """The suggested stride minus another one, seed by seed; both are trained."""
        by_seed = {seed: self.group.at_seed(metric, seed) for seed in self.group.seeds}
        return difference({seed: of[self.suggested] - of[other] for seed, of in by_seed.items()})


def stride_settings(
    groups: Sequence[Group],
    ef: Mapping[str, Mapping[int, float]],
    selection: Mapping[str, Any],
    labels: EncoderLabels,
    fusions: Mapping[str, str],
) -> list[Setting]:
    """Returns the groups that were trained at two or more single strides, A to D first.

    Args:
        groups: see :func:`vfm_fusion.reporting.stride_groups.group_by_stride`.
        ef: encoder -> stride -> EF, see :func:`ef_by_stride`.
        selection: parsed ``selection.json``, whose pair the settings A to D are of.
        labels: names of the encoders in print.
        fusions: run to its fusion settings without the stride, as text.
    """
    swept = [group for group in groups if len(group.single) >= MIN_TRAINED]
    found = [(setting_name(group, selection), group) for group in swept]
    found.sort(key=lambda item: item[0] or "~")
    titles = _titles(found, labels, fusions)
    return [
        Setting(name, title, group, ef.get(group.auxiliary, {}))
        for (name, group), title in zip(found, titles, strict=True)
    ]


def ef_by_stride(profiles: pd.DataFrame, definition: str) -> dict[str, dict[int, float]]:
    """Returns encoder -> stride -> mean EF, from joined profiles."""
    chosen = profiles[(profiles["definition"] == definition) & (profiles["score"] == "ef")]
    found: dict[str, dict[int, float]] = {}
    for row in chosen.itertuples():
        found.setdefault(row.encoder, {})[int(row.stride)] = float(row.mean)
    return found


def structure_and_edges(selection: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the pair's encoders: the one chosen by SC, then the one chosen by EF."""
    pair = (selection["master"], selection["auxiliary"])
    return pair if selection["task"] == "semantic" else pair[::-1]


def setting_name(group: Group, selection: Mapping[str, Any]) -> str:
    """Returns A to D for the selected pair with a frozen auxiliary; empty for others."""
    structure, edges = structure_and_edges(selection)
    master, auxiliary = group.example["master"], group.example["auxiliary"]
    names = {(structure, edges): "AB", (edges, structure): "CD"}.get(
        (master["encoder"], auxiliary["encoder"])
    )
    return names[not master["trainable"]] if names and not auxiliary["trainable"] else ""


def _titles(
    found: Sequence[tuple[str, Group]], labels: EncoderLabels, fusions: Mapping[str, str]
) -> list[str]:
    """Names that tell the settings apart: with the operator, or all of the fusion, where need be."""
    short = [name or arrangement(group.example, labels) for name, group in found]
    operators = [f" ({group.example['operator']})" for _, group in found]
    fused = [f" ({fusions[group.example['run']]})" for _, group in found]
    for more in ([""] * len(short), operators):
        titles = [title + end for title, end in zip(short, more, strict=True)]
        if len(set(titles)) == len(titles):
            return titles
    return [title + end for title, end in zip(short, fused, strict=True)]


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
        leading: the metric that leads where the runs have it, see ``reporting.leading_metric``.
    """

    results: tuple[RunResults, ...]
    groups: tuple[Group, ...]
    settings: tuple[Setting, ...]
    elsewhere: Mapping[str, Sequence[Setting]]
    profiles: pd.DataFrame
    selection: Mapping[str, Any]
    labels: EncoderLabels
    seeds: tuple[int, ...]
    leading: str

    @property
    def metrics(self) -> list[str]:
        """The metrics that some run of a setting has, the leading one first."""
        runs = [run for setting in self.settings for run in setting.group.fused.values()]
        return main_metrics(runs, self.leading)


def collect_sweep(
    evaluations: Iterable[Mapping[str, Any]],
    profiles: pd.DataFrame,
    selection: Mapping[str, Any],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    fusions: Mapping[str, str],
    seeds: Sequence[int],
    targets: Sequence[str] = (),
    leading: str = "AP",
) -> Sweep:
    """Sorts runs by setting and stride.

    Args:
        evaluations: parsed ``evaluation.json`` of every run, seed and target that exists.
        profiles: see :func:`vfm_fusion.reporting.result_files.read_profiles`.
        selection: parsed ``selection.json``: its pair gives the settings A to D their names, its definition
            the EF that suggests a stride.
        labels: names of the encoders in print.
        runs: expected runs, key to label.
        fusions: run to its fusion settings without the stride, as text.
        seeds: expected seeds.
        targets: expected data sets, over which scores are averaged; empty for the one that all runs have.
        leading: the metric that leads where the runs have it.

    Raises:
        ReportingError: evaluations that do not belong together, or an encoder without a label.
    """
    results = collect_runs(evaluations, runs, seeds, targets)
    groups = group_by_stride(results, fusions)
    own = selection["definition"]
    settings = {
        name: stride_settings(groups, ef_by_stride(profiles, name), selection, labels, fusions)
        for name in dict.fromkeys([own, *profiles["definition"]])
    }
    return Sweep(
        results=tuple(results),
        groups=tuple(groups),
        settings=tuple(settings.pop(own)),
        elsewhere=settings,
        profiles=profiles[profiles["definition"] == own],
        selection=selection,
        labels=labels,
        seeds=tuple(seeds),
        leading=leading,
    )


def read_sweep(
    config: Mapping[str, Any], evaluations: Iterable[str], profiles: Iterable[str], selection: str
) -> Sweep:
    """Reads the files of :func:`collect_sweep`; see there for the error.

    Args:
        config: ``encoders``, ``runs`` and ``fusions`` as pairs, ``seeds``, ``targets`` and ``leading``.
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
        config["targets"],
        config["leading"],
    )


def rates(settings: Sequence[Setting], metric: str) -> tuple[HitRate, HitRate]:
    """Returns the hit rate over settings, by their means, and over settings and seeds."""
    by_seed = [found for setting in settings for found in setting.judged_by_seed(metric).values()]
    return hit_rate(setting.judged(metric) for setting in settings), hit_rate(by_seed)


class HitChance(NamedTuple):
    """The exact chance of at least, and of at most, so many hits."""

    p: float
    p_fewer: float


def chance_of_hits(settings: Sequence[Setting], metric: str) -> HitChance:
    """Says how many hits are chance, if one stride were drawn for each auxiliary.

    Settings with one auxiliary share what is suggested, so their hits are not independent.
    """
    judged = [setting for setting in settings if setting.judged(metric).hit is not None]
    chances = np.ones(1)  # of 0, 1, .. hits
    for auxiliary in dict.fromkeys(setting.group.auxiliary for setting in judged):
        of = [setting for setting in judged if setting.group.auxiliary == auxiliary]
        strides = sorted({stride for setting in of for stride in setting.group.single})
        hits = [sum(setting.is_best(stride, metric) for setting in of) for stride in strides]
        chances = np.convolve(chances, np.bincount(hits, minlength=len(of) + 1) / len(strides))
    found = sum(bool(setting.judged(metric).hit) for setting in judged)
    return HitChance(float(chances[found:].sum()), float(chances[: found + 1].sum()))


def rate_notes(settings: Sequence[Setting], metric: str) -> list[str]:
    """Says how often EF suggested the best stride by one metric, and what was lost; nothing without any."""
    of_means, of_seeds = rates(settings, metric)
    if not of_means.trials:
        return []
    text = f"By {metric} the suggested stride is the best in {of_means.said('settings')}"
    if of_seeds.trials > of_means.trials:
        text += f", and seed by seed in {of_seeds.said('cases')}"
    return [f"{text}. {regret_in_words(of_means)}"]


def suggestions(settings: Sequence[Setting], labels: EncoderLabels) -> str:
    """Says which stride EF suggests for each auxiliary: ``OS 4 for SAM and OS 8 for DINO``."""
    found = {s.group.auxiliary: s.suggested for s in settings if s.suggested is not None}
    return " and ".join(f"OS {stride} for {label(labels, who)}" for who, stride in found.items())
