"""How well predictors find the best injection stride: hits, regret, rank correlation, beside baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.predictor_settings import SweptSetting, Taken, settings_of
from vfm_fusion.reporting.stride_points import POINT, predictor_keys, read_points, score_of, title_of

RANDOM = "random"
CONSTANT = "os{}"
HELD_OUT_CONSTANT = "constant_elsewhere"
HELD_OUT_PREDICTOR = "predictor_elsewhere"
_TITLES = {
    RANDOM: "A stride drawn at random",
    HELD_OUT_CONSTANT: "The best constant stride elsewhere",
    HELD_OUT_PREDICTOR: "The best score without labels elsewhere",
}

ONE_DATA_SET = "one data set, so there is no other to choose on"
NO_CANDIDATE = "nothing is defined in every setting of the other data sets"

_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Skill:
    """What a way to choose the stride brings in every setting.

    Attributes:
        taken: per setting.
        settings: the settings, in the same order.
        bootstrap: resamples of the pairs of encoders behind the intervals, and their seed.
    """

    taken: tuple[Taken, ...]
    settings: tuple[SweptSetting, ...]
    bootstrap: Bootstrap

    @cached_property
    def hits(self) -> Value:
        """Share of the settings in which it takes a best stride, in percent."""
        return self._mean([100 * one.hit for one in self.taken])

    @cached_property
    def regret(self) -> Value:
        """Points that it loses to the best stride."""
        return self._mean([one.regret for one in self.taken])

    @cached_property
    def rho(self) -> Value:
        """Spearman's correlation over the strides of a setting, averaged over settings."""
        return self._mean([one.rho for one in self.taken]).because(
            "there is no setting whose strides it orders"
        )

    def over(self, other: Skill) -> Value:
        """Points that its strides bring over those of another way, where both take one."""
        pairs = zip(other.taken, self.taken, strict=True)
        found = self._mean([theirs.regret - own.regret for theirs, own in pairs])
        return found.because(next(filter(None, (one.reason for one in (*self.taken, *other.taken))), ""))

    def on(self, dataset: str) -> Skill:
        """Returns the same on one data set alone."""
        kept = [(t, s) for t, s in zip(self.taken, self.settings, strict=True) if s.dataset == dataset]
        return Skill(tuple(t for t, _ in kept), tuple(s for _, s in kept), self.bootstrap)

    @property
    def reason(self) -> str:
        """Why it takes no stride, where it takes none in any setting."""
        return next(filter(None, (one.reason for one in self.taken)), "there is no setting")

    def pairs_behind(self, other: Skill) -> int:
        """Counts the pairs of encoders on a data set in which both ways take a stride."""
        both = zip(self.settings, self.taken, other.taken, strict=True)
        return len({s.pair for s, *taken in both if not any(math.isnan(one.regret) for one in taken)})

    def _mean(self, values: Sequence[float]) -> Value:
        found = mean_over_settings(np.array(values, dtype=np.float64), self.settings, self.bootstrap)
        return found.because(self.reason)


def mean_over_settings(
    values: NDArray[np.float64], settings: Sequence[SweptSetting], bootstrap: Bootstrap
) -> Value:
    """Averages over settings, with a 95 % percentile bootstrap interval.

    Settings of one pair of encoders share what predictors say, so pairs are resampled and each brings all its
    settings along.

    Args:
        values: ``(settings,)``; NaN where undefined, and then left out.
        settings: in the same order.
        bootstrap: resamples and their seed, the same for all, so that intervals are comparable.

    Returns:
        The mean (NaN without any), its interval (NaN where it rests on fewer than two pairs) and the number
        of settings behind it.
    """
    defined = ~np.isnan(values)
    if not defined.any():
        return Value(math.nan)
    kept = values[defined]
    names = [setting.pair for setting, there in zip(settings, defined, strict=True) if there]
    order = {name: position for position, name in enumerate(dict.fromkeys(names))}
    pair = np.array([order[name] for name in names])
    mean, count = float(kept.mean()), len(order)
    if count < 2:
        return Value(mean, n=kept.size)
    total, size = np.bincount(pair, kept), np.bincount(pair)
    generator = np.random.default_rng(bootstrap.seed)
    weights = generator.multinomial(count, np.full(count, 1 / count), size=bootstrap.resamples)  # (R, pairs)
    low, high = np.percentile(weights @ total / (weights @ size), _INTERVAL)
    return Value(mean, low=float(low), high=float(high), n=kept.size)


@dataclass(frozen=True)
class Comparison:
    """All ways to choose a stride on the same settings.

    Attributes:
        settings: the settings.
        predictors: columns of predictors, in order.
        bootstrap: resamples behind the intervals, and their seed.
    """

    settings: tuple[SweptSetting, ...]
    predictors: tuple[str, ...]
    bootstrap: Bootstrap

    @property
    def datasets(self) -> list[str]:
        """The data sets of the settings."""
        return list(dict.fromkeys(setting.dataset for setting in self.settings))

    @property
    def strides(self) -> list[int]:
        """The strides that some setting was trained at, ascending."""
        return sorted({stride for setting in self.settings for stride in setting.means})

    @property
    def reference(self) -> str | None:
        """The predictor of the paper: EF by the definition ``paper``, or by the first; None without any."""
        found = [key for key in self.predictors if key.partition(".")[0] == "ef"]
        return "ef.paper" if "ef.paper" in found else next(iter(found), None)

    @property
    def label_free(self) -> list[str]:
        """The predictors that need no labels."""
        return [key for key in self.predictors if not score_of(key).needs_labels]

    @cached_property
    def skills(self) -> dict[str, Skill]:
        """Every way: predictors, then the baselines, then what is chosen on other data sets."""
        every = self.settings
        found = {key: self._skill([one.by_predictor(key) for one in every]) for key in self.predictors}
        found[RANDOM] = self._skill([one.by_chance() for one in every])
        for stride in self.strides:
            found[CONSTANT.format(stride)] = self._skill([one.by_constant(stride) for one in every])
        for name, candidates in self._candidates.items():
            chosen = self._chosen_elsewhere({key: found[key] for key in candidates})
            found[name] = self._skill(
                [self._held_out(chosen[s.dataset], found, index) for index, s in enumerate(self.settings)]
            )
        return found

    def chosen(self, name: str) -> dict[str, str | None]:
        """Returns what is taken on each data set, chosen on the others; None where nothing can be.

        Args:
            name: :data:`HELD_OUT_CONSTANT` or :data:`HELD_OUT_PREDICTOR`.
        """
        return self._chosen_elsewhere({key: self.skills[key] for key in self._candidates[name]})

    def best(self, candidates: Sequence[str]) -> str | None:
        """Returns the one of the lowest regret over all settings, the first of equals; None without any."""
        return _lowest({key: self.skills[key] for key in candidates}, [True] * len(self.settings))

    @property
    def _candidates(self) -> dict[str, list[str]]:
        constants = [CONSTANT.format(stride) for stride in self.strides]
        return {HELD_OUT_CONSTANT: constants, HELD_OUT_PREDICTOR: self.label_free}

    def _skill(self, taken: Sequence[Taken]) -> Skill:
        return Skill(tuple(taken), self.settings, self.bootstrap)

    def _chosen_elsewhere(self, candidates: Mapping[str, Skill]) -> dict[str, str | None]:
        return {
            dataset: _lowest(candidates, [setting.dataset != dataset for setting in self.settings])
            for dataset in self.datasets
        }

    def _held_out(self, chosen: str | None, found: Mapping[str, Skill], index: int) -> Taken:
        if chosen is None:
            reason = ONE_DATA_SET if len(self.datasets) < 2 else NO_CANDIDATE
            return Taken(math.nan, math.nan, math.nan, None, reason)
        return found[chosen].taken[index]


def read_comparison(points: Sequence[Path], settings: Mapping[str, Any]) -> Comparison:
    """Reads and compares the points of several experiments.

    Args:
        points: their ``predictor_points.csv``.
        settings: see :func:`vfm_fusion.study.reported.predicted`.

    Raises:
        ReportingError: see :func:`vfm_fusion.reporting.stride_points.read_points`.
    """
    found = read_points(points)
    columns = [column for column in found if column not in (*POINT, "reason")]
    order = {key: position for position, key in enumerate(predictor_keys(settings["definitions"]))}
    columns.sort(key=lambda key: order.get(key, len(order)))  # those of others alone last
    return Comparison(tuple(settings_of(found)), tuple(columns), Bootstrap(*settings["bootstrap"]))


def brackets_in_words(bootstrap: Bootstrap) -> str:
    """Says what the intervals are, and what they leave out."""
    return (
        f"Brackets: 95 % percentile bootstrap over the pairs of encoders ({bootstrap.resamples} resamples), "
        "each with all its settings. Pairs of one data set share encoders and images, so the true intervals "
        "are wider."
    )


def title_of_way(way: str) -> str:
    """Names a way to choose the stride in print.

    >>> title_of_way("os8"), title_of_way("ef.paper")
    ('Always OS 8', 'EF of the auxiliary (paper)')
    """
    if way in _TITLES:
        return _TITLES[way]
    return f"Always OS {way.removeprefix('os')}" if way.startswith("os") else title_of(way)


def _lowest(candidates: Mapping[str, Skill], where: Sequence[bool]) -> str | None:
    """The candidate of the lowest mean regret there; it has to take a stride wherever any of them does."""
    regrets = {
        key: np.array([one.regret for one, there in zip(skill.taken, where, strict=True) if there])
        for key, skill in candidates.items()
    }
    if not regrets:
        return None
    judged = ~np.all([np.isnan(regret) for regret in regrets.values()], axis=0)
    means = {key: regret[judged].mean() for key, regret in regrets.items() if judged.any()}
    complete = {key: float(mean) for key, mean in means.items() if not math.isnan(mean)}
    return min(complete, key=complete.__getitem__) if complete else None
