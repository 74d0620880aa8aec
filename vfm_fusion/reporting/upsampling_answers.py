"""What clicks say of upsamplers, in sentences: who wins, against what, and who knew."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from vfm_fusion.reporting.cells import Value, in_a_row, number, signed
from vfm_fusion.reporting.click_results import ClickResults, Key, Tested, counted
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.paired_clicks import Paired, paired
from vfm_fusion.reporting.significance import ONE_SEED
from vfm_fusion.reporting.upsampled_quality import NOT_MEASURED, SCORES, Qualities, scored_cells
from vfm_fusion.reporting.upsampler_skill import UpsamplerSkill, upsampler_skills
from vfm_fusion.reporting.verdicts import MIN_IMAGES, MIN_SETTINGS, Outcome, every, weigh

ENDINGS: dict[Outcome, str] = {
    "agrees": ", beyond chance",
    "opposite": ", beyond chance",
    "mostly agrees": ", in most comparisons beyond chance",
    "mostly opposite": ", in most comparisons beyond chance",
    "mixed": ", which goes both ways",
    "unclear": ", which chance explains as well",
    "one seed": f"; {ONE_SEED}",
    "few images": f"; fewer than {MIN_IMAGES} images, too few to tell",
    "few settings": f"; fewer than {MIN_SETTINGS} upsamplers, too few to tell",
    "missing": "; it could not be tested",
}
"""How a sentence with a comparison ends."""

_KNEW: dict[Outcome, str] = {
    "agrees": "{} knew",
    "mostly agrees": "{} mostly knew",
    "opposite": "{} pointed the wrong way",
    "mostly opposite": "{} mostly pointed the wrong way",
}
_UNDECIDED = "whether {} knew is undecided"
REFERENCES = {"none": "no upsampling", "bilinear": "bilinear interpolation"}
"""Architectures that every upsampler is compared with, in words."""
TIE = 1e-9


@dataclass(frozen=True)
class Told:
    """A question with its answer.

    Attributes:
        question: what is asked.
        headline: the answer in a sentence.
        sentences: what it rests on.
    """

    question: str
    headline: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What sentences are computed from.

    Attributes:
        results: the scores of clicks.
        objects: see :func:`vfm_fusion.reporting.click_results.read_objects`.
        qualities: the scores of maps, none where they were not measured.
        bootstrap: resamples behind all intervals, and their seed.
    """

    results: ClickResults
    objects: Mapping[Key, Mapping[int, pd.DataFrame]]
    qualities: Qualities
    bootstrap: Bootstrap

    def compare(self, first: Key, second: Key) -> Paired:
        """Clicks of one cell minus those of another on the same data set."""
        return paired(self.objects[first], self.objects[second], self.bootstrap)

    def name(self, upsampler: str) -> str:
        """An upsampler's name."""
        return self.results.names.upsampler(upsampler)

    def where(self, key: Key) -> str:
        """Data set, encoder and click model of a cell."""
        return f"{key.dataset} ({self.results.names.arrangement(key.encoder, key.clicks)})"

    @cached_property
    def settings(self) -> dict[tuple[str, str, str], dict[str, Tested]]:
        """Data set, encoder and click model to their cells, by upsampler, as far as NoC is defined."""
        found: dict[tuple[str, str, str], dict[str, Tested]] = {}
        for key, tested in self.results.tested.items():
            if not math.isnan(tested.score(self.results.leading).mean):
                found.setdefault(key[:3], {})[key.upsampler] = tested
        return found


def winner(evidence: Evidence) -> Told:
    """Says which upsampler needs the fewest clicks in every setting, and by how much."""
    question = f"Which upsampler needs the fewest clicks to an IoU of {evidence.results.percent} percent?"
    sentences, winners = [], []
    for cells in evidence.settings.values():
        if len(cells) < 2:
            continue
        text, best, outcome = _won(evidence, cells)
        sentences.append(text)
        winners.append((best, outcome))
    if not winners:
        return Told(question, "Not answered: no two upsamplers were clicked in the same setting.", ())
    wins = Counter(best for best, _ in winners)
    most = max(wins.values())
    leaders = [name for name in evidence.results.upsamplers if wins[name] == most]
    clear = Counter(best for best, outcome in winners if outcome == "agrees")
    named = in_a_row([evidence.name(name) for name in leaders])
    verb, each = ("needs", "") if len(leaders) == 1 else ("need", " each")
    headline = f"{named} {verb} the fewest clicks in {most} of {counted(len(winners), 'comparison')}{each}"
    beyond = sum(clear[name] for name in leaders)
    headline += f", ahead of all others beyond chance in {beyond or 'none'}."
    return Told(question, headline, tuple(sentences))


def _won(evidence: Evidence, cells: Mapping[str, Tested]) -> tuple[str, str, Outcome]:
    """The sentence of one setting, its winner, and whether that is ahead of all others."""
    means = {name: tested.score(evidence.results.leading).mean for name, tested in cells.items()}
    best, second, *_ = sorted(means, key=means.__getitem__)
    over = {name: evidence.compare(cells[best].key, cells[name].key) for name in cells if name != best}
    outcome = every([found.outcome for found in over.values()])
    outcome = "unclear" if outcome == "opposite" else outcome
    where = evidence.where(cells[best].key)
    found = over[second]
    objects = f"{counted(found.objects, 'object')} of {counted(found.images, 'image')}"
    if means[second] - means[best] < TIE:
        text = f"{evidence.name(best)} and {evidence.name(second)} need equally few, "
        return f"On {where}, {text}{number(means[best], 2)}; {objects}.", best, "unclear"
    text = (
        f"On {where}, {evidence.name(best)} needs the fewest, {number(means[best], 2)}; the next is "
        f"{evidence.name(second)} with {number(means[second], 2)}, a difference of {_clicks(found.clicks)}, "
        f"paired over {objects}"
    )
    ending = f", and ahead of {'it' if len(over) == 1 else 'each of the others'} beyond chance"
    return f"{text}{ending if outcome == 'agrees' else ENDINGS[outcome]}.", best, outcome


def against_references(evidence: Evidence) -> Told:
    """Says which upsamplers need fewer clicks than none, and than bilinear interpolation."""
    question = "Does upsampling need fewer clicks than none, and than bilinear interpolation?"
    sentences, headlines = [], []
    for architecture, words in REFERENCES.items():
        reference = evidence.results.names.first_of(architecture)
        if reference not in evidence.results.upsamplers:
            sentences.append(f"Against {words}: not known, since no model with it was clicked.")
            continue
        judged: dict[str, Outcome] = {}
        for name in evidence.results.upsamplers:
            found = [
                evidence.compare(cells[name].key, cells[reference].key)
                for cells in evidence.settings.values()
                if {name, reference} <= set(cells)
            ]
            if name == reference or not found:
                continue
            judged[evidence.name(name)] = weigh([one.outcome for one in found])
            sentences.append(f"{evidence.name(name)} against {words}: {_in_comparisons(found)}.")
        if judged:
            headlines.append(f"Against {words}: {_sides(judged)}.")
    if not headlines:
        headlines = ["Not answered: nothing to compare with was clicked."]
    return Told(question, " ".join(headlines), tuple(sentences))


def late_or_early(evidence: Evidence) -> Told:
    """Says whether clicks that enter late need fewer than clicks that enter early."""
    question = "Do clicks that enter after the encoder beat clicks that enter before it?"
    models = evidence.results.names.click_models
    used = [model for model in models if any(key.clicks == model for key in evidence.results.tested)]
    early = [model for model in used if models[model]["inject"] == "early"]
    late = [model for model in used if models[model]["inject"].startswith("late")]
    sentences, judged = [], []
    for one in late:
        for other in early:
            found = [
                evidence.compare(key, there)
                for key in evidence.results.tested
                if key.clicks == one
                and (there := key._replace(clicks=other)) in evidence.results.tested
                and key.upsampler in evidence.settings.get(key[:3], {})
            ]
            if not found:
                continue
            judged.append((one, other, weigh([each.outcome for each in found])))
            kinds = [models[model]["click_encoder"] for model in (one, other)]
            besides = (
                "" if kinds[0] == kinds[1] else f"; the click encoder differs too: {' and '.join(kinds)}"
            )
            sentences.append(f"{one} against {other}: {_in_comparisons(found)}{besides}.")
    if not judged:
        return Told(question, "Not answered: no early and late click model share a cell.", ())
    said = [f"{one} against {other}: {_side(outcome)}" for one, other, outcome in judged]
    return Told(question, f"{_capital('; '.join(said))}.", tuple(sentences))


def who_knew(evidence: Evidence) -> Told:
    """Says whether scores of upsampled maps told which upsampler needs the fewest clicks."""
    question = "Did scores of the upsampled maps know, without a click, which upsampler wins?"
    if evidence.qualities.facts is None:
        return Told(question, f"Not answered: {NOT_MEASURED}.", ())
    skills = upsampler_skills(
        scored_cells(evidence.results, evidence.qualities),
        evidence.bootstrap,
        seeds=len(evidence.results.names.seeds),
        scores=list(SCORES),
    )
    said = [_KNEW.get(skill.outcome, _UNDECIDED).format(SCORES[name]) for name, skill in skills.items()]
    return Told(
        question,
        f"{_capital(in_a_row(said))}.",
        tuple(_skill(SCORES[name], skill) for name, skill in skills.items()),
    )


def _skill(name: str, skill: UpsamplerSkill) -> str:
    rate, rho = skill.rate, skill.rho
    if not rate.trials and math.isnan(rho.mean):
        return f"{_capital(name)}: nothing can be said; {rho.reason}."
    said = []
    if math.isnan(rho.mean):
        said.append(f"no rank correlation ({rho.reason})")
    else:
        said.append(f"rank correlation with fewer clicks {number(rho.mean, 2)}{_interval(rho)}")
    if rate.trials:
        said.append(
            f"the upsampler of the highest value needs the fewest clicks in "
            f"{rate.said('comparisons' if rate.trials > 1 else 'comparison')} and {number(rate.regret, 2)} "
            f"clicks more than the best on average, one drawn at random {number(rate.random_regret, 2)}"
        )
    return f"{_capital(name)}: {'; '.join(said)}{ENDINGS[skill.outcome]}."


def _in_comparisons(found: Sequence[Paired]) -> str:
    """Counts on which side differences lie, and says how large they are."""
    if len(found) == 1:
        one = found[0]
        return f"{_clicks(one.clicks)} ({counted(one.objects, 'object')}){ENDINGS[one.outcome]}"
    means = [one.clicks.mean for one in found]
    fewer, more = sum(mean < -TIE for mean in means), sum(mean > TIE for mean in means)
    outcomes = Counter(one.outcome for one in found)
    spread = f"{signed(min(means))} to {signed(max(means))}"
    return (
        f"fewer clicks in {fewer} of {len(found)} comparisons (beyond chance in {outcomes['agrees']}), more "
        f"in {more} (beyond chance in {outcomes['opposite']}); differences from {spread}"
        f"{ENDINGS[weigh([one.outcome for one in found])]}"
    )


def _sides(judged: Mapping[str, Outcome]) -> str:
    """Sorts upsamplers by the side that their comparisons take."""
    sides = {"fewer clicks with": [], "more with": [], "not told apart": []}
    for name, outcome in judged.items():
        side = {"agrees": 0, "mostly agrees": 0, "opposite": 1, "mostly opposite": 1}.get(outcome, 2)
        list(sides.values())[side].append(name)
    return "; ".join(f"{words} {in_a_row(names)}" for words, names in sides.items() if names)


def _side(outcome: Outcome) -> str:
    words: dict[Outcome, str] = {
        **{"agrees": "fewer clicks", "mostly agrees": "fewer clicks in most comparisons"},
        **{"opposite": "more clicks", "mostly opposite": "more clicks in most comparisons"},
    }
    return words.get(outcome, "not told apart")


def _clicks(value: Value) -> str:
    return f"{signed(value.mean)} clicks{_interval(value)}"


def _interval(value: Value) -> str:
    return "" if value.sign is None else f" [{signed(value.low)}, {signed(value.high)}]"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
