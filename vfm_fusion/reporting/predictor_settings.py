"""Settings of a sweep over injection strides, and what each would have made of a predictor's stride."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from vfm_fusion.reporting.cells import in_a_row
from vfm_fusion.reporting.significance import correlate, difference
from vfm_fusion.reporting.stride_points import POINT, SETTING
from vfm_fusion.reporting.stride_suggestion import judge
from vfm_fusion.selection.pair_scores import best_stride

PAIR = ("dataset", "master", "auxiliary")
"""What settings share that share what predictors say, whatever is trained: intervals take them together."""


class Taken(NamedTuple):
    """What a setting makes of a predictor's stride.

    Attributes:
        hit: whether no trained stride is better: 1 or 0, or the chance of it; NaN where nothing can be said.
        regret: points that are lost to the best stride; NaN likewise.
        rho: Spearman's correlation of the predictor with the score over the strides; NaN where undefined.
        stride: the stride that was taken; None where there is no single one.
        reason: why nothing can be said; empty otherwise.
    """

    hit: float
    regret: float
    rho: float
    stride: int | None
    reason: str


@dataclass(frozen=True)
class SweptSetting:
    """Runs that differ in the injection stride alone.

    Attributes:
        key: its values of ``SETTING``.
        scores: trained stride -> score of every seed that all strides have; NaN where undefined.
        images: images that it was evaluated on.
        predicted: predictor -> stride -> value; NaN where undefined.
        reasons: predictor -> why it is undefined somewhere.
    """

    key: tuple[str, ...]
    scores: Mapping[int, Sequence[float]]
    images: int
    predicted: Mapping[str, Mapping[int, float]]
    reasons: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def means(self) -> dict[int, float]:
        """Trained stride -> mean score over the seeds; NaN where undefined or without a seed."""
        return {s: math.fsum(of) / len(of) if of else math.nan for s, of in self.scores.items()}

    @property
    def seeds(self) -> int:
        """How many seeds that are."""
        return len(next(iter(self.scores.values())))

    @property
    def has_clear_best(self) -> bool:
        """Whether the best stride is ahead of the next beyond the spread over seeds."""
        if len(self.means) < 2 or any(math.isnan(mean) for mean in self.means.values()):
            return False
        second, best = sorted(self.means, key=self.means.__getitem__)[-2:]
        pairs = zip(self.scores[best], self.scores[second], strict=True)
        return difference({seed: a - b for seed, (a, b) in enumerate(pairs)}).sign == 1

    @property
    def dataset(self) -> str:
        """The data set that it was trained and evaluated on."""
        return self.key[SETTING.index("dataset")]

    @property
    def study(self) -> str:
        """The experiment that it is of."""
        return self.key[SETTING.index("study")]

    @property
    def metric(self) -> str:
        """What its means are of."""
        return self.key[SETTING.index("metric")]

    @property
    def pair(self) -> tuple[str, ...]:
        """Which settings share the values of predictors with it."""
        return tuple(self.key[SETTING.index(part)] for part in PAIR)

    def by_predictor(self, predictor: str) -> Taken:
        """Takes the stride of a predictor's highest value, the finest of equals, among the trained ones."""
        values = {stride: self.predicted[predictor].get(stride, math.nan) for stride in self.means}
        chosen = best_stride(values)
        if chosen is None:
            return self._nothing(self.reasons.get(predictor) or "not computed there")
        rho = correlate((values[stride], mean) for stride, mean in self.means.items()).rho
        return self._at(chosen)._replace(rho=rho)

    def by_constant(self, stride: int) -> Taken:
        """Takes one stride whatever the encoders are."""
        if stride not in self.means:
            return self._nothing(f"OS {stride} not trained")
        return self._at(stride)

    def by_chance(self) -> Taken:
        """Takes any trained stride: what that brings on average."""
        judged = judge({next(iter(self.means)): 1.0}, self.means)
        rho = math.nan if judged.reason else 0.0
        return Taken(judged.chance, judged.random_regret, rho, None, judged.reason)

    def _at(self, stride: int) -> Taken:
        judged = judge({stride: 1.0}, self.means)
        hit = math.nan if judged.hit is None else float(judged.hit)
        return Taken(hit, judged.regret, math.nan, stride, judged.reason)

    @staticmethod
    def _nothing(reason: str) -> Taken:
        return Taken(math.nan, math.nan, math.nan, None, reason)


def settings_of(points: pd.DataFrame) -> list[SweptSetting]:
    """Sorts points into settings, in the order in which they first occur.

    Args:
        points: see :func:`vfm_fusion.reporting.stride_points.read_points`.
    """
    predictors = [column for column in points if column not in (*POINT, "reason")]
    return [
        _setting(tuple(map(str, key)), rows, predictors)
        for key, rows in points.groupby(list(SETTING), sort=False, dropna=False)
    ]


def _setting(key: tuple[str, ...], rows: pd.DataFrame, predictors: Sequence[str]) -> SweptSetting:
    strides = rows["stride"].nunique()
    shared = rows[rows.groupby("seed")["stride"].transform("size") == strides]  # seeds that all strides have
    scores = {stride: of.sort_values("seed")["score"].tolist() for stride, of in shared.groupby("stride")}
    of_stride = rows.drop_duplicates("stride").set_index("stride").sort_index()
    return SweptSetting(
        key=key,
        scores={int(stride): scores.get(stride, []) for stride in of_stride.index},
        images=int(rows["images"].min()),
        predicted={
            name: {int(stride): float(value) for stride, value in of_stride[name].items()}
            for name in predictors
        },
        reasons=_reasons(of_stride["reason"], predictors),
    )


def _reasons(said: pd.Series, predictors: Sequence[str]) -> dict[str, str]:
    """Predictor -> the first reason that is given of it."""
    found: dict[str, str] = {}
    for text in said:
        for part in filter(None, str(text).split("; ")):
            name, _, reason = part.partition(": ")
            if name in predictors:
                found.setdefault(name, reason)
    return found


def settings_in_words(settings: Sequence[SweptSetting]) -> str:
    """Says how many settings there are, of what."""
    pairs, seeds = len({s.pair for s in settings}), sorted({s.seeds for s in settings})
    where = {(s.dataset, s.metric): None for s in settings}
    studies = {s.study: None for s in settings}
    trained = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return (
        f"{counted(len(settings), 'setting')} (a pair of encoders, each fine-tuned or frozen, trained at "
        f"several strides) of {counted(pairs, 'pair')} on "
        f"{in_a_row([f'{dataset} ({metric})' for dataset, metric in where])}, from "
        f"{in_a_row([*studies])}; {trained} seed{'' if trained == '1' else 's'} each. "
        f"In {sum(one.has_clear_best for one in settings)} of {len(settings)} the best stride is ahead of "
        "the next beyond the spread over seeds."
    )


def counted(count: int, what: str) -> str:
    """Counts: ``1 pair``, ``2 pairs``."""
    return f"{count} {what}{'' if count == 1 else 's'}"
