"""The rule that pairs encoders (paper, Sec. 3.3), applied to any number of sets of profiles at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Score = Literal["sc", "ef"]
Task = Literal["semantic", "edge"]

SCORES: dict[Score, str] = {"sc": "Structural Coherence", "ef": "Edge Fidelity"}
"""The scores that the rule looks at, with their names."""

StrideValues = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""Positions of master and auxiliary, ``(R,)`` each -> the score that sets the stride, ``(R, strides)``."""

ROUNDING = 1e-12
"""Values that differ by less than this share of the larger one are equal: a sum depends on its order."""


@dataclass(frozen=True)
class Choices:
    """What is chosen for each of R sets of profiles: ``(R,)`` int64 positions, -1 where nothing can be.

    Attributes:
        master: position of the encoder.
        auxiliary: position of the encoder.
        stride: position of the injection stride s*.
    """

    master: NDArray[np.int64]
    auxiliary: NDArray[np.int64]
    stride: NDArray[np.int64]


def role_scores(task: Task) -> tuple[Score, Score]:
    """Returns the score that the master leads in and the one that the auxiliary brings."""
    return ("sc", "ef") if task == "semantic" else ("ef", "sc")


def shared_strides(means: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns ``(R, strides)``: where no encoder has NaN in a score ``(R, encoders, strides)``."""
    return ~np.isnan(means).any(axis=1)


def levels(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Averages a score ``(R, encoders, strides)`` over the strides at which every encoder has one.

    Returns:
        ``(R, encoders)``; NaN where there is no such stride.
    """
    shared = shared_strides(means)
    total = np.where(shared[:, None, :], means, 0.0).sum(axis=2)
    count = shared.sum(axis=1)[:, None]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def peaks(means: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns ``(R, encoders)``: the position of the highest score over the strides, the first of equals."""
    return first_best(means)


def choose(
    sc: NDArray[np.float64],
    ef: NDArray[np.float64],
    task: Task,
    stride_by: Score,
    by_rule: StrideValues | None = None,
) -> Choices:
    """Applies the rule to R sets of profiles.

    The master has the highest level of its score, the auxiliary the highest level of the other score among
    the other encoders, and s* is where the auxiliary's ``stride_by`` peaks (Eq. 9), or another score of the
    two. Of equal encoders or strides the first is taken, so encoders come in alphabetical and strides in
    ascending order.

    Args:
        sc: mean SC, ``(R, encoders, strides)`` float64, NaN where undefined; at least two encoders.
        ef: mean EF, likewise.
        task: whether the master leads in SC (``semantic``) or in EF (``edge``).
        stride_by: score whose peak is s*.
        by_rule: another score whose peak is s* instead.
    """
    means = {"sc": sc, "ef": ef}
    lead, brought = (levels(means[score]) for score in role_scores(task))
    master = first_best(lead)
    others = brought.copy()
    np.put_along_axis(others, np.maximum(master, 0)[:, None], np.nan, axis=1)
    auxiliary = first_best(others)
    leader, injected = np.maximum(master, 0), np.maximum(auxiliary, 0)
    if by_rule is None:
        stride = np.take_along_axis(peaks(means[stride_by]), injected[:, None], axis=1)[:, 0]
    else:
        stride = first_best(by_rule(leader, injected))
    decided = (master >= 0) & (auxiliary >= 0) & (stride >= 0)
    return Choices(*(np.where(decided, chosen, -1) for chosen in (master, auxiliary, stride)))


def first_best(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the position of the largest value on the last axis, the first of equals; -1 if all are NaN."""
    ranked = np.where(np.isnan(values), -np.inf, values)
    best = ranked.max(axis=-1, keepdims=True)
    position = (ranked >= best - ROUNDING * np.abs(best)).argmax(axis=-1)
    return np.where(np.isneginf(best[..., 0]), -1, position)
