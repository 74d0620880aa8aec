"""What a score that may name the stride to inject at is, and which of them a selection goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vfm_fusion.config.registries import RULES
from vfm_fusion.config.selection import PEAK
from vfm_fusion.loading import load

Scores = Mapping[str, Any]
"""Name of a score to its value: a number, or an array over resamples and strides."""

ANY_DEFINITION = ("rankme",)
"""Scores of profiles that do not depend on a metric definition."""


@dataclass(frozen=True)
class StrideScore:
    """A score of a pair at a stride; the stride of its highest value is where it would inject.

    Attributes:
        title: its name in print.
        formula: what it is made of: ``formula(master, auxiliary, pair)`` of the scores named below, by plain
            arithmetic, so that it takes numbers and arrays alike.
        master: scores that it reads of the master's profile.
        auxiliary: scores that it reads of the auxiliary's profile.
        pair: what it reads of the measures of both.
        needs_labels: whether one of these measures learns from labels.
    """

    title: str
    formula: Callable[[Scores, Scores, Scores], Any]
    master: tuple[str, ...] = ()
    auxiliary: tuple[str, ...] = ()
    pair: tuple[str, ...] = ()
    needs_labels: bool = False

    @property
    def profiled(self) -> tuple[str, ...]:
        """The scores of profiles that it reads, of either encoder."""
        return tuple(dict.fromkeys((*self.master, *self.auxiliary)))

    @property
    def by_definition(self) -> bool:
        """Whether it depends on a metric definition."""
        return any(score not in ANY_DEFINITION for score in self.profiled)


def rule_named(rule: str) -> StrideScore | None:
    """Returns the score that a ``selection.rule`` goes by; None for the paper's rule.

    Args:
        rule: ``peak``, or a key of ``RULES``.
    """
    return None if rule == PEAK else load(RULES[rule])
