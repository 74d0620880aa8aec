"""The profiles that a selection looks at: one definition's SC and EF of every encoder, beside their nulls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vfm_fusion.errors import SelectionError
from vfm_fusion.profiles.null_excess import EXCESS
from vfm_fusion.selection.rule import SCORES, Score, shared_strides

Scores = dict[str, float | None]
"""``sc, sc_null, sc_ratio, sc_excess_low`` and the same of EF: mean, mean of the null, mean / null (None
where the null is not positive) and lower end of the interval of their difference; None where undefined."""


@dataclass(frozen=True)
class Pair:
    """One direction of a fusion.

    Attributes:
        master: encoder that provides the pyramid.
        auxiliary: encoder that is injected.
        stride: output stride s* at which it is injected.
    """

    master: str
    auxiliary: str
    stride: int


@dataclass(frozen=True)
class EncoderProfiles:
    """Means over images of every encoder at every stride.

    Attributes:
        encoders: in alphabetical order.
        strides: every profiled output stride, ascending.
        scores: encoder -> stride -> scores.
    """

    encoders: tuple[str, ...]
    strides: tuple[int, ...]
    scores: Mapping[str, Mapping[int, Scores]]

    def means(self, score: Score) -> NDArray[np.float64]:
        """Returns ``(1, encoders, strides)``, NaN where undefined, as ``selection_rule`` takes them."""
        nothing = dict.fromkeys(SCORES)
        rows = [
            [self.scores[encoder].get(stride, nothing)[score] for stride in self.strides]
            for encoder in self.encoders
        ]
        return np.array([rows], dtype=np.float64)

    def shared(self, score: Score) -> list[int]:
        """Returns the strides at which the score is defined for every encoder."""
        shared = shared_strides(self.means(score))[0]
        return [stride for stride, defined in zip(self.strides, shared, strict=True) if defined]

    def at(self, encoder: str, stride: int, key: str) -> float | None:
        """Returns one value of an encoder's scores."""
        return self.scores[encoder][stride][key]


def encoder_profiles(summaries: Mapping[str, pd.DataFrame], definition: str) -> EncoderProfiles:
    """Reads one definition out of profile summaries.

    Args:
        summaries: encoder -> columns ``definition, stride, score, mean, ci_low``.
        definition: the one to read.

    Raises:
        SelectionError: an encoder lacks the definition, has no defined SC or EF at all or a null without its
            excess, or there is no stride at which all have a score.
    """
    scores = {encoder: _scores(encoder, summaries[encoder], definition) for encoder in sorted(summaries)}
    strides = tuple(sorted({stride for profile in scores.values() for stride in profile}))
    profiles = EncoderProfiles(tuple(scores), strides, scores)
    for score, name in SCORES.items():
        if not profiles.shared(score):
            raise SelectionError(
                f"there is no stride at which {name} is defined for all of {', '.join(scores)}; "
                "see the reasons in their profiles"
            )
    return profiles


def _scores(encoder: str, table: pd.DataFrame, definition: str) -> dict[int, Scores]:
    rows = table[table["definition"] == definition]
    if rows.empty:
        found = ", ".join(sorted(set(table["definition"]))) or "none"
        raise SelectionError(
            f"{encoder}: there is no profile by definition {definition!r}, only by: {found}; profile it again"
        )
    computed = set(rows["score"])
    for score, excess in EXCESS.items():
        if f"{score}_null" in computed and excess not in computed:
            raise SelectionError(f"{encoder}: the profile has {score}_null but no {excess}; profile it again")
    values = rows.set_index(["stride", "score"])
    profile = {
        stride: _scores_at(values, stride) for stride in sorted(int(s) for s in rows["stride"].unique())
    }
    for score, name in SCORES.items():
        if all(scores[score] is None for scores in profile.values()):
            raise SelectionError(
                f"{encoder}: {name} is undefined at every stride, so the encoder cannot be ranked; see the "
                "reasons in its profile (a finer map or a smaller metrics.definitions.*.grid may help)"
            )
    return profile


def _scores_at(values: pd.DataFrame, stride: int) -> Scores:
    scores: Scores = {}
    for score in SCORES:
        null_name, excess_name = f"{score}_null", EXCESS[score]
        mean, null = (_defined(values["mean"].get((stride, name))) for name in (score, null_name))
        scores |= {
            score: mean,
            null_name: null,
            f"{score}_ratio": mean / null if mean is not None and null is not None and null > 0 else None,
            f"{excess_name}_low": _defined(values["ci_low"].get((stride, excess_name))),
        }
    return scores


def _defined(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
