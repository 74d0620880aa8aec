"""What an answer is: tests with an outcome, each in words, and a headline that counts them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from vfm_fusion.reporting.cells import in_a_row
from vfm_fusion.reporting.significance import ONE_SEED, WITHIN_SPREAD
from vfm_fusion.reporting.verdicts import MIN_IMAGES, MIN_SETTINGS, Outcome, weigh

_FEW_IMAGES = f"fewer than {MIN_IMAGES} images"
_FEW_SETTINGS = f"fewer than {MIN_SETTINGS} pairs of encoders"

_COUNTED: dict[Outcome, tuple[str, str]] = {
    "agrees": ("agrees with the paper", "agree with the paper"),
    "mostly agrees": ("mostly agrees with the paper", "mostly agree with the paper"),
    "opposite": ("shows the opposite", "show the opposite"),
    "mostly opposite": ("mostly shows the opposite", "mostly show the opposite"),
    "mixed": ("is mixed", "are mixed"),
    "unclear": ("lies within spread or chance", "lie within spread or chance"),
    "one seed": ("rests on one seed", "rest on one seed"),
    "few images": (f"rests on {_FEW_IMAGES}", f"rest on {_FEW_IMAGES}"),
    "few settings": (f"rests on {_FEW_SETTINGS}", f"rest on {_FEW_SETTINGS}"),
    "missing": ("could not be made", "could not be made"),
}

_WORDS: dict[Outcome, str] = {
    "agrees": "Yes",
    "mostly agrees": "Mostly",
    "opposite": "The opposite",
    "mostly opposite": "Mostly the opposite",
    "mixed": "Mixed",
    "missing": "Not answered",
}
"""The answer in a word or two; ``Undecided`` where it takes no side for another reason."""

ENDINGS: dict[Outcome, str] = {
    "agrees": ", as in the paper",
    "opposite": ", the opposite of the paper",
    "unclear": f": {WITHIN_SPREAD}",
    "one seed": f"; {ONE_SEED}",
    "few images": f"; {_FEW_IMAGES}, too few to tell",
    "few settings": f"; {_FEW_SETTINGS}, too few to tell",
    "missing": ": not defined for every seed",
}
"""How a sentence about a difference over seeds ends."""


@dataclass(frozen=True)
class Finding:
    """A sentence or two, and the outcomes of the tests that it tells of; none for a mere statement."""

    text: str
    outcomes: tuple[Outcome, ...] = ()


def unknown(text: str, tests: int = 1) -> Finding:
    """Returns why a test, or several, could not be made."""
    return Finding(text, ("missing",) * tests)


@dataclass(frozen=True)
class Answer:
    """One question with all that the results say to it."""

    key: str
    question: str
    findings: tuple[Finding, ...]

    @property
    def outcomes(self) -> list[Outcome]:
        """How each test ended, those that could not be made among them."""
        return [outcome for finding in self.findings for outcome in finding.outcomes]

    @property
    def headline(self) -> str:
        """The answer in one sentence, which counts the outcomes of all tests."""
        found = self.outcomes
        counts = Counter(found)
        word = _WORDS.get(weigh(found), "Undecided")
        (first, count), *rest = [(outcome, counts[outcome]) for outcome in _COUNTED if counts[outcome]]
        if len(found) == 1:
            return f"{word}: the only test {_COUNTED[first][0]}."
        parts = [f"{count} of {len(found)} tests {_COUNTED[first][count > 1]}"]
        parts += [f"{number} {_COUNTED[outcome][number > 1]}" for outcome, number in rest]
        return f"{word}: {in_a_row(parts)}."
