"""The rule of all verdicts: how much evidence a side needs, and how parts make a test and tests an answer.

A *part* is one comparison with one interval or one p, such as EF at one stride. Parts make a test, and tests
the answer to a question, by the same rule, :func:`weigh`. So no verdict is stronger than what it rests on:

- A part takes a side only beyond its interval or chance, on :data:`MIN_SEEDS` seeds or more where it rests on
  trainings, on :data:`MIN_IMAGES` images or more, and on :data:`MIN_SETTINGS` pairs of encoders or more
  where it speaks of all.
- A test or an answer takes a side only where more than half of all its *possible* parts take it. What could
  not be made counts among the possible ones and for no side.
- Less evidence (a seed, an image, a part, a null floor) never gives a stronger verdict, and the mirrored
  evidence gives the mirrored verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vfm_fusion.reporting.cells import Value

Outcome = Literal[
    "agrees",
    "mostly agrees",
    "opposite",
    "mostly opposite",
    "mixed",
    "unclear",
    "one seed",
    "few images",
    "few settings",
    "missing",
]
"""How a part, a test or a question ended, seen from what the paper says: ``mixed`` goes both ways,
``unclear`` lies within spread or chance or takes a side in too few parts, ``missing`` could not be made."""

MIN_SEEDS = 2
"""Trainings without which no spread over seeds is known."""

MIN_IMAGES = 6
"""Images without which p <= 0.05 is out of reach even if all agree: two-sided, 2 / 2^n."""

MIN_SETTINGS = 6
"""Pairs of encoders without which a claim about all pairs is not judged, for the same reason."""

STRENGTH: dict[Outcome, int] = {
    "missing": 0,
    **dict.fromkeys(("few images", "few settings", "one seed", "unclear", "mixed"), 1),
    **dict.fromkeys(("mostly agrees", "mostly opposite"), 2),
    **dict.fromkeys(("agrees", "opposite"), 3),
}
"""How much a verdict claims: nothing, no side, a side by most parts, a side by all."""

MIRRORED: dict[Outcome, Outcome] = {
    "agrees": "opposite",
    "opposite": "agrees",
    "mostly agrees": "mostly opposite",
    "mostly opposite": "mostly agrees",
}
"""The verdict on the mirrored evidence; one that takes no side is its own mirror image."""

_WITH: tuple[Outcome, ...] = ("agrees", "mostly agrees")
_AGAINST: tuple[Outcome, ...] = ("opposite", "mostly opposite")
_NO_SIDE: tuple[Outcome, ...] = ("mixed", "unclear", "one seed", "few images", "few settings", "missing")
"""The first of these that a part has says why no side is taken."""


def part(
    sign: int | None,
    *,
    seeds: int | None = None,
    images: int | None = None,
    settings: int | None = None,
) -> Outcome:
    """Judges one comparison.

    Args:
        sign: +1 where its interval (or p) is clear of chance as the paper says it, -1 where against it,
            0 where it is not; None where it could not be made.
        seeds: trainings that the interval is over; None where nothing was trained.
        images: images that the comparison rests on; None where it rests on none.
        settings: pairs of encoders that it is over; None where it is about one.
    """
    if sign is None:
        return "missing"
    if seeds is not None and seeds < MIN_SEEDS:
        return "one seed"
    if images is not None and images < MIN_IMAGES:
        return "few images"
    if settings is not None and settings < MIN_SETTINGS:
        return "few settings"
    return ("unclear", "agrees", "opposite")[sign]


def judged(found: Value, images: int, expected: int = 1) -> Outcome:
    """Judges a difference over seeds, measured on so many images, by the sign that it is expected to have."""
    sign = (found.sign or 0) * expected if found.n else None
    return part(sign, seeds=found.n, images=images)


def weigh(parts: Sequence[Outcome]) -> Outcome:
    """Judges parts together: a side needs more than half of them, ``missing`` ones counted."""
    for side in (_WITH, _AGAINST):
        if 2 * sum(outcome in side for outcome in parts) > len(parts):
            return side[0] if set(parts) == {side[0]} else side[1]
    both = all(any(outcome in side for outcome in parts) for side in (_WITH, _AGAINST))
    return "mixed" if both else _no_side(parts)


def every(parts: Sequence[Outcome]) -> Outcome:
    """Judges a claim that every part has to bear out, and that one against it refutes."""
    if any(outcome in _AGAINST for outcome in parts):
        return "opposite"
    return "agrees" if set(parts) == {"agrees"} else _no_side(parts)


def _no_side(parts: Sequence[Outcome]) -> Outcome:
    """What kept parts from taking a side together: the most that is known of one."""
    found = {"unclear" if outcome in (*_WITH, *_AGAINST) else outcome for outcome in parts}
    return next((outcome for outcome in _NO_SIDE if outcome in found), "missing")
