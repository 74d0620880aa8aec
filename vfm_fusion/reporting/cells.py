"""What a cell of a table holds: a number with its spread, interval and sample size, or why it has none."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

MISSING: Final = "—"


@dataclass(frozen=True)
class Value:
    """A number; what is not known of it is NaN.

    Attributes:
        mean: NaN where undefined.
        std: sample standard deviation (n - 1) over seeds.
        low: lower end of its 95 % interval.
        high: upper end.
        n: number of observations behind it; 0 where that is not told.
        reason: why it is undefined; empty otherwise.
    """

    mean: float
    std: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    reason: str = ""

    @classmethod
    def missing(cls, reason: str) -> Value:
        """A number that there is not."""
        return cls(math.nan, reason=reason)

    @classmethod
    def over_seeds(cls, values: Mapping[int, tuple[float, str]]) -> Value:
        """Averages one number over seeds.

        Args:
            values: seed to ``(value, reason)``; the value is NaN where undefined, and so is then the mean.
        """
        for seed, (value, reason) in values.items():
            if math.isnan(value):
                return cls.missing(reason if len(values) == 1 else f"seed {seed}: {reason}")
        numbers = [value for value, _ in values.values()]
        std = statistics.stdev(numbers) if len(numbers) > 1 else math.nan
        return cls(statistics.fmean(numbers), std, n=len(numbers))

    def because(self, reason: str) -> Value:
        """Returns the same with why it is undefined, if it is."""
        return replace(self, reason=reason) if math.isnan(self.mean) else self

    @property
    def sign(self) -> int | None:
        """+1 or -1 where the interval lies on one side of zero, 0 where not; None without an interval."""
        return None if math.isnan(self.low) else (self.low > 0) - (self.high < 0)


def number(value: float, digits: int) -> str:
    """Rounds ``value`` for print, with a true minus sign and no negative zero.

    >>> number(-0.04, 1), number(-1.25, 2)
    ('0.0', '−1.25')
    """
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """Writes a number with its sign, zero without.

    >>> signed(1.25), signed(-0.004)
    ('+1.25', '0.00')
    """
    text = number(value, digits)
    return f"+{text}" if value > 0 and float(text) else text


def with_spread(value: Value) -> str:
    """Writes a mean over seeds with its standard deviation, where it has one.

    >>> with_spread(Value(33.0, 0.1)), with_spread(Value(33.0)), with_spread(Value.missing("no run"))
    ('33.00 ± 0.10', '33.00', 'undefined')
    """
    if math.isnan(value.mean):
        return "undefined"
    text = number(value.mean, 2)
    return text if math.isnan(value.std) else f"{text} ± {number(value.std, 2)}"


def p_in_words(p: float) -> str:
    """Writes p with two significant digits, and a bound where it is tiny.

    >>> p_in_words(0.0508), p_in_words(1.0), p_in_words(0.00001)
    ('p = 0.051', 'p = 1', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def in_a_row(parts: Sequence[str]) -> str:
    """Joins with commas and a last "and".

    >>> in_a_row(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def strides_in_words(chosen: Sequence[int], strides: Sequence[int]) -> str:
    """Names some of the strides.

    >>> [strides_in_words(chosen, [4, 8, 16, 32]) for chosen in ([4, 8, 16], [4, 8, 16, 32], [])]
    ['OS 4, 8 and 16', 'every stride', 'no stride']
    """
    if not chosen:
        return "no stride"
    return "every stride" if len(chosen) == len(strides) else f"OS {in_a_row([str(s) for s in chosen])}"
