"""What an answer is: tests with an outcome, each in words, and a headline that counts them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from vfm_fusion.reporting.cells import Value, in_a_row
from vfm_fusion.reporting.significance import ONE_SEED, WITHIN_SPREAD

Outcome = Literal["agrees", "opposite", "mixed", "unclear", "one seed", "missing"]
"""How a test of a statement of the paper ended: ``unclear`` lies within spread or chance; ``missing`` could
not be made."""

_COUNTED: dict[Outcome, tuple[str, str]] = {
    "agrees": ("agrees with the paper", "agree with the paper"),
    "opposite": ("shows the opposite", "show the opposite"),
    "mixed": ("is mixed", "are mixed"),
    "unclear": ("lies within spread or chance", "lie within spread or chance"),
    "one seed": ("rests on one seed", "rest on one seed"),
    "missing": ("could not be made", "could not be made"),
}


ENDINGS: dict[Outcome, str] = {
    "agrees": ", as in the paper",
    "opposite": ", the opposite of the paper",
    "unclear": f": {WITHIN_SPREAD}",
    "one seed": f"; {ONE_SEED}",
    "missing": ": not defined for every seed",
}
"""How a sentence about a difference over seeds ends."""


@dataclass(frozen=True)
class Finding:
    """A sentence or two, and the outcomes of the tests that it tells of; none for a mere statement."""

    text: str
    outcomes: tuple[Outcome, ...] = ()


def unknown(text: str) -> Finding:
    """Returns why a test could not be made."""
    return Finding(text, ("missing",))


@dataclass(frozen=True)
class Answer:
    """One question with all that the results say to it."""

    key: str
    question: str
    findings: tuple[Finding, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence, which counts the outcomes of all tests."""
        found = [outcome for finding in self.findings for outcome in finding.outcomes]
        counts = Counter(found)
        (first, count), *rest = [(outcome, counts[outcome]) for outcome in _COUNTED if counts[outcome]]
        if len(found) == 1:
            return f"{_verdict(set(found))}: the only test {_COUNTED[first][0]}."
        parts = [f"{count} of {len(found)} tests {_COUNTED[first][count > 1]}"]
        parts += [f"{number} {_COUNTED[outcome][number > 1]}" for outcome, number in rest]
        return f"{_verdict(set(found))}: {in_a_row(parts)}."


def _verdict(found: set[Outcome]) -> str:
    """The answer in a word or two; tests that could not be made do not count."""
    made = found - {"missing"}
    if not made:
        return "Not answered"
    if "agrees" in made:
        return "Yes" if made == {"agrees"} else "In part"
    if "opposite" in made:
        return "The opposite" if made == {"opposite"} else "No"
    return "Mixed" if "mixed" in made else "Undecided"


def verdict(expected: object, against: object, made: object = True) -> Outcome:
    """The rule of every test: what is found beyond spread or chance, as the paper says it or against it.

    Args:
        expected: whether something is found as the paper says it (such as the strides where that is so).
        against: whether something is found against it.
        made: whether the test could be made.
    """
    if not made:
        return "missing"
    if expected and against:
        return "mixed"
    return "agrees" if expected else "opposite" if against else "unclear"


def judged(found: Value, expected: int = 1) -> Outcome:
    """Compares the sign of a difference over seeds with the expected one."""
    if found.n and found.sign is None:
        return "one seed"
    return verdict(found.sign == expected, found.sign == -expected, found.n)
