"""Whether the stride that EF suggests is the best one to inject at (the paper's Table 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

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
