"""What every evaluation measure returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Scores over a data set, in percent.

    Attributes:
        overall: metric -> value; NaN where it is undefined.
        per_class: metric -> ``(K,)`` float64 by train id; NaN where it is undefined.
        reasons: metric -> why its overall value is NaN.
    """

    overall: dict[str, float]
    per_class: dict[str, np.ndarray]
    reasons: dict[str, str] = field(default_factory=dict)


def undefined(metrics: tuple[str, ...], per_class: tuple[str, ...], classes: int, reason: str) -> Scores:
    """Returns scores that are undefined as a whole, for one reason."""
    return Scores(
        {metric: float("nan") for metric in metrics},
        {metric: np.full(classes, np.nan) for metric in per_class},
        dict.fromkeys(metrics, reason),
    )
