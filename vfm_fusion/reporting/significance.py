"""What few results can show: rank correlations beside chance, differences beside the spread over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy.stats import rankdata, spearmanr, t

from vfm_fusion.reporting.cells import Value, signed
from vfm_fusion.reporting.table import Row

WITHIN_SPREAD = "not distinguishable from the seed spread"
ONE_SEED = "one seed, so no spread is known"
_INTERVAL = 0.95

EXACT_UP_TO = 8
"""Up to so many pairs p comes from all n! orders (40,320 for 8), beyond from Student's t."""

SIGNIFICANT = 0.05
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation of n pairs.

    Attributes:
        rho: in [-1, 1]; NaN where undefined.
        p: two-sided: the share of all orders of one side whose |rho| is at least this; NaN where undefined.
        n: number of pairs.
        smallest_p: the p of a perfect correlation of these ranks, which no other can undercut.
        reason: why rho is undefined; empty where it is defined.
    """

    rho: float
    p: float
    n: int
    smallest_p: float
    reason: str

    @property
    def conclusive(self) -> bool:
        """Whether n pairs can reach p <= 0.05 at all."""
        return self.smallest_p <= SIGNIFICANT


def spearman(first: Sequence[float], second: Sequence[float]) -> RankCorrelation:
    """Correlates the ranks of two lists of finite numbers; equal numbers share their mean rank.

    >>> round(spearman([1, 2, 3, 4], [1, 3, 4, 2]).rho, 6)
    0.4
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or not np.isfinite([x, y]).all():
        raise ValueError(f"expected two lists of as many finite numbers, found {x} and {y}")
    n = x.size
    if n < 3:
        return _undefined(n, f"a rank correlation needs 3 pairs, there {'is' if n == 1 else 'are'} {n}")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return _undefined(n, "all values of one side are equal, so they have no order")
    if n > EXACT_UP_TO:
        rho, p = spearmanr(x, y)
        return RankCorrelation(float(rho), float(p), n, 0.0, "")
    observed, possible = _every_order(rankdata(x), rankdata(y))
    magnitude = np.abs(possible)
    return RankCorrelation(
        rho=observed,
        p=float(np.mean(magnitude >= abs(observed) - _TOLERANCE)),
        n=n,
        smallest_p=float(np.mean(magnitude >= magnitude.max() - _TOLERANCE)),
        reason="",
    )


def correlate(pairs: Iterable[tuple[float, float]]) -> RankCorrelation:
    """Correlates the ranks of the pairs that are defined on both sides."""
    defined = [pair for pair in pairs if not any(math.isnan(value) for value in pair)]
    return spearman([first for first, _ in defined], [second for _, second in defined])


def in_words(correlation: RankCorrelation, of: str) -> str:
    """Says what a correlation can and cannot show, such as ``of`` = "encoders"."""
    if correlation.reason:
        return f"No rank correlation: {correlation.reason}."
    if correlation.conclusive:
        return ""
    return (
        f"With {correlation.n} {of} the exact two-sided p cannot fall below {correlation.smallest_p:.2g}, so "
        "no rank correlation of them is evidence."
    )


def correlation_rows(column: str, title: str, found: Mapping[str, RankCorrelation]) -> list[Row]:
    """Returns the rows of rho and p: ``column`` holds their titles, the others are named by ``found``."""
    rho = {key: Value(of.rho).because(of.reason) for key, of in found.items()}
    p = {key: Value(of.p).because(of.reason) for key, of in found.items()}
    return [{column: title} | rho, {column: "p, two-sided"} | p]


def _every_order(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns rho of ranks ``x``, ``y`` ``(n,)`` as they are, and of every order of ``y`` ``(n!,)``."""
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    orders = np.array(list(permutations(y)))  # (n!, n)
    return float(np.clip(x @ y / scale, -1, 1)), orders @ x / scale


def _undefined(n: int, reason: str) -> RankCorrelation:
    return RankCorrelation(math.nan, math.nan, n, math.nan, reason)


def difference(values: Mapping[int, float]) -> Value:
    """Averages a difference over seeds, with the 95 % interval of Student's t over seeds (two or more).

    Args:
        values: seed -> difference in percentage points; NaN where undefined, and then so is the mean.
    """
    found = list(values.values())
    if not found or any(math.isnan(value) for value in found):
        return Value(math.nan)
    mean = statistics.fmean(found)
    if len(found) == 1:
        return Value(mean, n=1)
    std = statistics.stdev(found)
    half = float(t.ppf((1 + _INTERVAL) / 2, len(found) - 1)) * std / math.sqrt(len(found))
    return Value(mean, std, mean - half, mean + half, len(found))


def in_points(found: Value) -> str:
    """Writes a difference in points with its interval.

    >>> in_points(Value(1.25, low=0.5, high=2.0, n=3)), in_points(Value(-0.5, n=1))
    ('+1.25 points [+0.50, +2.00]', '−0.50 points')
    """
    text = f"{signed(found.mean)} points"
    return text if found.sign is None else f"{text} [{signed(found.low)}, {signed(found.high)}]"
