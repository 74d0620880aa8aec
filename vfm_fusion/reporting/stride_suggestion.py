"""Whether the stride that EF suggests is the best one to inject at, and how often (the paper's Table 6)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scipy.stats import poisson_binom

from vfm_fusion.reporting.cells import number, p_in_words

MIN_TRAINED = 2
"""Single strides that have to be trained before one of them can be the best."""


@dataclass(frozen=True)
class Suggestion:
    """The suggested stride against the other trained ones, by one metric.

    Attributes:
        stride: the profiled stride of the highest EF; None where EF is undefined at all of them.
        best: the trained stride of the highest gain; None where nothing can be said.
        margin: gain at ``stride`` minus the highest gain at another trained stride, in percentage points;
            NaN where nothing can be said.
        reason: why nothing can be said; empty otherwise.
        second: the best of the other trained strides; None where nothing can be said.
        chance: how often a trained stride drawn at random is a best one; NaN where nothing can be said.
        random_regret: what such a stride lacks to the best on average, in percentage points; NaN likewise.
    """

    stride: int | None
    best: int | None
    margin: float
    reason: str
    second: int | None = None
    chance: float = math.nan
    random_regret: float = math.nan

    @property
    def hit(self) -> bool | None:
        """Whether no other trained stride is better; None where nothing can be said."""
        return None if self.reason else self.margin >= 0

    @property
    def regret(self) -> float:
        """What the suggested stride lacks to the best one, in percentage points; NaN if nothing is said.

        >>> Suggestion(16, 8, -0.25, "").regret
        0.25
        """
        return math.nan if self.reason else max(0.0, -self.margin)

    @property
    def said(self) -> str:
        """The outcome in words.

        >>> Suggestion(16, 16, 3.4, "").said
        'hit, +3.40'
        >>> Suggestion(16, 8, -0.25, "").said
        'miss, -0.25 (OS 8)'
        """
        if self.reason:
            return self.reason
        if self.margin >= 0:
            return f"hit, {self.margin:+.2f}"
        return f"miss, {self.margin:+.2f} (OS {self.best})"


def suggested_stride(ef: Mapping[int, float]) -> int | None:
    """Returns the stride of the highest defined EF, the finest of equals; None where all are undefined."""
    defined = {stride: value for stride, value in sorted(ef.items()) if not math.isnan(value)}
    return max(defined, key=defined.__getitem__) if defined else None


def judge(ef: Mapping[int, float], gains: Mapping[int, float]) -> Suggestion:
    """Compares the suggested stride with the other trained ones.

    Args:
        ef: profiled stride -> EF of the auxiliary; NaN where undefined.
        gains: stride of a run that injects there alone -> what it reaches in percent, or gains over the
            master alone in percentage points: the outcome is the same; NaN where undefined.
    """
    stride = suggested_stride(ef)
    reason = _obstacle(stride, gains)
    if reason:
        return Suggestion(stride, None, math.nan, reason)
    others = {s: gain for s, gain in gains.items() if s != stride}
    second = max(others, key=others.__getitem__)
    margin = gains[stride] - others[second]
    top, trained = max(gains.values()), list(gains.values())
    return Suggestion(
        stride=stride,
        best=stride if margin >= 0 else second,
        margin=margin,
        reason="",
        second=second,
        chance=trained.count(top) / len(trained),
        random_regret=top - math.fsum(trained) / len(trained),
    )


def _obstacle(stride: int | None, gains: Mapping[int, float]) -> str:
    if stride is None:
        return "EF undefined"
    if len(gains) < MIN_TRAINED:
        return f"{len(gains)} stride{'' if len(gains) == 1 else 's'} trained"
    if stride not in gains:
        return f"OS {stride} not trained"
    if any(math.isnan(gain) for gain in gains.values()):
        return "value undefined"
    return ""


@dataclass(frozen=True)
class HitRate:
    """Hits of several suggestions.

    Attributes:
        hits: suggestions that no other trained stride beats.
        trials: suggestions that could be judged.
        expected: hits that strides drawn at random would have on average; NaN without trials.
        p: the exact chance that they have at least ``hits``, were the trials independent; NaN without trials.
        regret: mean of what the suggested stride lacks to the best, in percentage points; NaN likewise.
        random_regret: the same of strides drawn at random.
    """

    hits: int
    trials: int
    expected: float
    p: float
    regret: float
    random_regret: float

    def said(self, of: str) -> str:
        """Hits beside chance, in one clause.

        >>> HitRate(3, 4, 1.0, 0.0508, 0.5, 2.0).said("settings")
        '3 of 4 settings (75 %; at random 25 %, p = 0.051)'
        """
        share, chance = (f"{100 * value / self.trials:.0f} %" for value in (self.hits, self.expected))
        return f"{self.hits} of {self.trials} {of} ({share}; at random {chance}, {p_in_words(self.p)})"


def hit_rate(suggestions: Iterable[Suggestion]) -> HitRate:
    """Counts hits among the suggestions that can be judged.

    The number of random hits is a sum of independent yes-or-no trials, each with its own chance of one over
    the number of trained strides (more where several are equally good): a binomial where all have as many.
    """
    judged = [suggestion for suggestion in suggestions if suggestion.hit is not None]
    if not judged:
        return HitRate(0, 0, *[math.nan] * 4)
    hits = sum(bool(suggestion.hit) for suggestion in judged)
    chances = [suggestion.chance for suggestion in judged]
    return HitRate(
        hits=hits,
        trials=len(judged),
        expected=math.fsum(chances),
        p=float(poisson_binom.sf(hits - 1, chances)),
        regret=statistics.fmean(suggestion.regret for suggestion in judged),
        random_regret=statistics.fmean(suggestion.random_regret for suggestion in judged),
    )


def regret_in_words(rate: HitRate) -> str:
    """Says what is lost to the best stride.

    >>> regret_in_words(HitRate(3, 4, 1.0, 0.05, 0.475, 2.6))
    'On average 0.47 points are lost to the best stride; a stride drawn at random would lose 2.60.'
    """
    return (
        f"On average {number(rate.regret, 2)} points are lost to the best stride; a stride drawn at random "
        f"would lose {number(rate.random_regret, 2)}."
    )
