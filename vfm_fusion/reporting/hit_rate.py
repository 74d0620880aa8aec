"""How often the suggested stride is the best one, beside what a stride drawn at random would reach."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import poisson_binom

from vfm_fusion.reporting.stride_suggestion import Suggestion
from vfm_fusion.reporting.table import number


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
        p_fewer: the exact chance that they have at most ``hits``; NaN without trials.
    """

    hits: int
    trials: int
    expected: float
    p: float
    regret: float
    random_regret: float
    p_fewer: float = math.nan

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
        p_fewer=float(poisson_binom.cdf(hits, chances)),
    )


def p_in_words(p: float) -> str:
    """Writes p with two significant digits, and a bound where it is tiny.

    >>> p_in_words(0.0508), p_in_words(1.0), p_in_words(0.00001)
    ('p = 0.051', 'p = 1', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def regret_in_words(rate: HitRate) -> str:
    """Says what is lost to the best stride.

    >>> regret_in_words(HitRate(3, 4, 1.0, 0.05, 0.475, 2.6))
    'On average 0.47 points are lost to the best stride; a stride drawn at random would lose 2.60.'
    """
    return (
        f"On average {number(rate.regret, 2)} points are lost to the best stride; a stride drawn at random "
        f"would lose {number(rate.random_regret, 2)}."
    )
