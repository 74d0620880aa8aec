"""Settings of the stride sweep (Table 6 of the paper): one pair, trained alike at several strides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, arrangement
from vfm_fusion.reporting.significance import difference
from vfm_fusion.reporting.stride_groups import Group
from vfm_fusion.reporting.stride_suggestion import MIN_TRAINED, Suggestion, judge, suggested_stride


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

    def level(self, stride: int, metric: str) -> Value:
        """What the run of one stride reaches, in percent."""
        return self.group.level((stride,), metric)

    def margin(self, metric: str) -> Value:
        """The suggested stride minus the best other one (of the means), seed by seed."""
        found = self.judged(metric)
        if found.stride is None or found.second is None:
            return difference({})
        return self.between(metric, found.stride, found.second)

    def between(self, metric: str, first: int, second: int) -> Value:
        """One stride minus another, seed by seed."""
        by_seed = {seed: self.group.at_seed(metric, seed) for seed in self.group.seeds}
        return difference({seed: values[first] - values[second] for seed, values in by_seed.items()})


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


def other_settings(
    groups: Sequence[Group],
    profiles: pd.DataFrame,
    selection: Mapping[str, Any],
    labels: EncoderLabels,
    fusions: Mapping[str, str],
) -> dict[str, list[Setting]]:
    """Returns the same settings with the EF of every other definition that was profiled, by definition."""
    others = [name for name in profiles["definition"].unique() if name != selection["definition"]]
    return {
        name: stride_settings(groups, ef_by_stride(profiles, name), selection, labels, fusions)
        for name in others
    }


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
    names = {
        (structure, True, edges): "A",
        (structure, False, edges): "B",
        (edges, True, structure): "C",
        (edges, False, structure): "D",
    }
    found = names.get((master["encoder"], master["trainable"], auxiliary["encoder"]), "")
    return "" if auxiliary["trainable"] else found


def _titles(
    found: Sequence[tuple[str, Group]], labels: EncoderLabels, fusions: Mapping[str, str]
) -> list[str]:
    """Names that tell the settings apart: with the operator, or all of the fusion, where need be."""
    longer: tuple[Callable[[Group], str], ...] = (
        lambda group: "",
        lambda group: f" ({group.example['operator']})",
        lambda group: f" ({fusions[group.example['run']]})",
    )
    short = [name or arrangement(group.example, labels) for name, group in found]
    titles = short
    for more in longer:
        titles = [title + more(group) for title, (_, group) in zip(short, found, strict=True)]
        if len(set(titles)) == len(titles):
            break
    return titles
