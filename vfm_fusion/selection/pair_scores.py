"""The values of stride scores for pairs of encoders, from what was measured of each and of both."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from vfm_fusion.errors import SelectionError
from vfm_fusion.selection.rule import first_best
from vfm_fusion.selection.stride_score import ANY_DEFINITION, StrideScore

Values = Mapping[int, tuple[float, str]]
"""Stride to ``(value, reason)``; the value is NaN where undefined, and then the reason says why."""

PAIR_COLUMNS = ("master", "auxiliary", "stride", "measure", "value", "reason")


class Measured:
    """What was measured of encoders and of pairs of them on one data set.

    Args:
        summaries: encoder -> columns ``definition, stride, score, mean, reason``.
        pairs: columns ``PAIR_COLUMNS``; None where nothing was measured of pairs.

    Raises:
        SelectionError: the table of pairs lacks a column.
    """

    def __init__(self, summaries: Mapping[str, pd.DataFrame], pairs: pd.DataFrame | None = None) -> None:
        self.strides = sorted({int(stride) for table in summaries.values() for stride in table["stride"]})
        self._profiled = {
            (encoder, "" if row.score in ANY_DEFINITION else row.definition, row.score, int(row.stride)): (
                float(row.mean),
                _words(getattr(row, "reason", None)),
            )
            for encoder, table in summaries.items()
            for row in table.itertuples()
        }
        self._pairs = {} if pairs is None else _by_key(pairs)

    def values(self, score: StrideScore, definition: str, master: str, auxiliary: str) -> Values:
        """Returns a score of a pair at every profiled stride.

        Args:
            score: the score.
            definition: the metric definition, for a score that depends on one.
            master: encoder that provides the pyramid.
            auxiliary: encoder that is injected.
        """
        return {stride: self._at(score, definition, master, auxiliary, stride) for stride in self.strides}

    def pair_value(self, master: str, auxiliary: str, measure: str, stride: int) -> float:
        """Returns a measure of a pair; NaN where undefined or not measured."""
        return self._pairs.get((master, auxiliary, measure, stride), (math.nan, ""))[0]

    def _at(
        self, score: StrideScore, definition: str, master: str, auxiliary: str, stride: int
    ) -> tuple[float, str]:
        of_master, of_auxiliary = (
            {name: self._profile(encoder, definition, name, stride) for name in names}
            for encoder, names in ((master, score.master), (auxiliary, score.auxiliary))
        )
        of_pair = {
            name: self._pairs.get((master, auxiliary, name, stride), (math.nan, f"{name} was not measured"))
            for name in score.pair
        }
        parts = (of_master, of_auxiliary, of_pair)
        undefined = [reason for part in parts for value, reason in part.values() if not math.isfinite(value)]
        if undefined:
            return math.nan, undefined[0] or "undefined"
        numbers = ({name: value for name, (value, _) in part.items()} for part in parts)
        return float(score.formula(*numbers)), ""

    def _profile(self, encoder: str, definition: str, score: str, stride: int) -> tuple[float, str]:
        key = (encoder, "" if score in ANY_DEFINITION else definition, score, stride)
        return self._profiled.get(key, (math.nan, f"{score} was not computed"))


def _by_key(pairs: pd.DataFrame) -> dict[tuple[str, str, str, int], tuple[float, str]]:
    absent = [column for column in PAIR_COLUMNS if column not in pairs]
    if absent:
        raise SelectionError(
            f"the measures of pairs lack columns {absent}; found {list(pairs.columns)}; measure them again"
        )
    fused = pairs[pairs["auxiliary"].notna() & pairs["stride"].notna()]  # the rest is of a master alone
    return {
        (row.master, row.auxiliary, row.measure, int(row.stride)): (float(row.value), _words(row.reason))
        for row in fused.itertuples()
    }


def _words(reason: object) -> str:
    return reason.replace("_", " ") if isinstance(reason, str) else ""


def best_stride(values: Mapping[int, float]) -> int | None:
    """Returns the stride of the highest defined value, the finest of equals; None where all are undefined."""
    strides = sorted(values)
    position = int(first_best(np.array([values[stride] for stride in strides], dtype=np.float64)))
    return strides[position] if position >= 0 else None
