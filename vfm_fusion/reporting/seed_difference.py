"""A difference of two numbers within each seed, and whether it stands out of the spread over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import t

from vfm_fusion.reporting.table import number

WITHIN_SPREAD = "not distinguishable from the seed spread"
ONE_SEED = "one seed, so no spread is known"
_INTERVAL = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean of a difference over seeds.

    Attributes:
        mean: NaN where undefined.
        low: lower end of the 95 % interval of Student's t over seeds; NaN with fewer than two.
        high: upper end.
        seeds: number of seeds behind it.
        std: sample standard deviation over seeds; NaN with fewer than two.
    """

    mean: float
    low: float
    high: float
    seeds: int
    std: float = math.nan

    @property
    def sign(self) -> int | None:
        """+1 or -1 where the interval lies on one side of zero, 0 where not; None with one seed or none."""
        if self.seeds < 2:
            return None
        return (self.low > 0) - (self.high < 0)

    @property
    def said(self) -> str:
        """The difference in points with its interval.

        >>> Difference(1.25, 0.5, 2.0, 3).said
        '+1.25 points [+0.50, +2.00]'
        >>> Difference(-0.5, math.nan, math.nan, 1).said
        '−0.50 points'
        """
        text = f"{signed(self.mean)} points"
        return text if self.seeds < 2 else f"{text} [{signed(self.low)}, {signed(self.high)}]"

    @property
    def caveat(self) -> str:
        """What keeps the sign of the difference from being a finding; empty where nothing does."""
        return {None: ONE_SEED, 0: WITHIN_SPREAD}.get(self.sign, "")


def difference(values: Mapping[int, float]) -> Difference:
    """Averages a difference over seeds.

    Args:
        values: seed -> difference in percentage points; NaN where undefined, and then so is the mean.
    """
    numbers = list(values.values())
    if not numbers or any(math.isnan(value) for value in numbers):
        return Difference(math.nan, math.nan, math.nan, 0)
    mean = statistics.fmean(numbers)
    if len(numbers) == 1:
        return Difference(mean, math.nan, math.nan, 1)
    std = statistics.stdev(numbers)
    half = float(t.ppf((1 + _INTERVAL) / 2, len(numbers) - 1)) * std / math.sqrt(len(numbers))
    return Difference(mean, mean - half, mean + half, len(numbers), std)


def with_spread(mean: float, std: float) -> str:
    """Writes a mean over seeds with its standard deviation, where it has one.

    >>> with_spread(33.0, 0.1), with_spread(33.0, math.nan), with_spread(math.nan, math.nan)
    ('33.00 ± 0.10', '33.00', 'undefined')
    """
    if math.isnan(mean):
        return "undefined"
    return number(mean, 2) if math.isnan(std) else f"{number(mean, 2)} ± {number(std, 2)}"


def signed(value: float, digits: int = 2) -> str:
    """Writes a number with its sign, zero without.

    >>> signed(1.25), signed(-0.004)
    ('+1.25', '0.00')
    """
    text = number(value, digits)
    return f"+{text}" if value > 0 and float(text) else text
