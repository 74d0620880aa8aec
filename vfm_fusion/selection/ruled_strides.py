"""Where another rule than the paper's would inject, for every ordered pair of encoders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vfm_fusion.errors import SelectionError
from vfm_fusion.selection.candidates import Pair
from vfm_fusion.selection.pair_scores import Measured, best_stride
from vfm_fusion.selection.rule import StrideValues
from vfm_fusion.selection.stride_score import StrideScore


class RuledStrides:
    """The strides of a rule.

    Args:
        rule: its name, ``selection.rule``.
        score: the score whose peak it takes.
        definition: the metric definition that pairs encoders.
        summaries: encoder -> profile summary, of every encoder that a run may name.
        pairs: measures of pairs; None where the score reads none.

    Raises:
        SelectionError: the table of pairs lacks a column.
    """

    def __init__(
        self,
        rule: str,
        score: StrideScore,
        definition: str,
        summaries: Mapping[str, pd.DataFrame],
        pairs: pd.DataFrame | None,
    ) -> None:
        self.rule, self.title = rule, score.title
        measured = Measured(summaries, pairs)
        self._values = {
            pair: measured.values(score, definition, *pair) for pair in permutations(sorted(summaries), 2)
        }

    def values(self, master: str, auxiliary: str) -> dict[int, float]:
        """Returns the score of a pair by stride, NaN where undefined."""
        return {stride: value for stride, (value, _) in self._values[master, auxiliary].items()}

    def stride(self, master: str, auxiliary: str) -> int:
        """Returns where an auxiliary is injected.

        Raises:
            SelectionError: the score is undefined at every stride.
        """
        found = best_stride(self.values(master, auxiliary))
        if found is None:
            reason = next(reason for _, reason in self._values[master, auxiliary].values())
            raise SelectionError(
                f"selection.rule: {self.rule}: {self.title} of {auxiliary} injected into {master} is "
                f"undefined at every stride ({reason}); choose another rule"
            )
        return found

    def recorded(self, pair: Pair) -> dict[str, Any]:
        """Returns what ``selection.json`` holds of the rule.

        ``name`` and ``title``, ``value`` of the pair at its stride and ``values`` at all, and ``strides``:
        master -> auxiliary -> stride, of all pairs. Undefined ones are None.
        """
        values = self.values(pair.master, pair.auxiliary)
        strides: dict[str, dict[str, int | None]] = {}
        for master, auxiliary in self._values:
            strides.setdefault(master, {})[auxiliary] = best_stride(self.values(master, auxiliary))
        return {
            "name": self.rule,
            "title": self.title,
            "value": values[pair.stride],
            "values": {str(s): None if math.isnan(value) else value for s, value in values.items()},
            "strides": strides,
        }


def resampled(
    score: StrideScore,
    means: Mapping[str, NDArray[np.float64]],
    measured: Measured,
    encoders: Sequence[str],
    strides: Sequence[int],
) -> StrideValues:
    """Returns a score of the chosen encoders of R resamples of the images.

    Args:
        score: the score.
        means: what it reads of profiles, ``(R, encoders, strides)`` each.
        measured: what it reads of pairs; it stays what it is on all images.
        encoders: names of the second axis.
        strides: output strides of the third.
    """
    of_pair = {
        measure: np.array(
            [[[measured.pair_value(m, a, measure, s) for s in strides] for a in encoders] for m in encoders]
        )
        for measure in score.pair
    }

    def values(master: NDArray[np.int64], auxiliary: NDArray[np.int64]) -> NDArray[np.float64]:
        row = np.arange(len(master))
        return score.formula(
            {name: means[name][row, master] for name in score.master},
            {name: means[name][row, auxiliary] for name in score.auxiliary},
            {name: of_pair[name][master, auxiliary] for name in score.pair},
        )

    return values
