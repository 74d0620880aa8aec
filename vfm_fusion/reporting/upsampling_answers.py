"""What clicks say of upsamplers, in sentences: who wins, against what, and who knew."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

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

_UNDECIDED: dict[Outcome, str] = {
    "mixed": "both ways",
    "unclear": "within chance",
    "one seed": "one seed",
    "few images": f"fewer than {MIN_IMAGES} images",
    "few settings": f"fewer than {MIN_SETTINGS} upsamplers",
    "missing": "not tested",
}
"""Why a headline takes no side."""
REFERENCES = {"none": "no upsampling", "bilinear": "bilinear interpolation"}
"""Architectures that every upsampler is compared with, in words."""
FEWER_OR_MORE = ("fewer clicks", "more clicks")
KNEW_OR_WRONG = ("knew", "pointed the wrong way")
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

    def is_bare(self, upsampler: str) -> bool:
        """Whether it leaves maps as they are."""
        return self.results.names.upsamplers[upsampler]["architecture"] == "none"

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
    won = [_won(evidence, cells) for cells in evidence.settings.values() if len(cells) > 1]
    if not won:
        return Told(question, "Not answered: no two upsamplers were clicked in the same setting.", ())
    wins = Counter(one.best for one in won if one.lead)
    if not wins:
        headline = f"None: in {counted(len(won), 'comparison')} the best need equally few."
        return Told(question, headline, tuple(one.text for one in won))
    most = max(wins.values())
    leaders = [name for name in evidence.results.upsamplers if wins[name] == most]
    theirs = [one for one in won if one.lead and one.best in leaders]
    verb, each = ("needs", "") if len(leaders) == 1 else ("need", " each")
    lead = number(statistics.fmean(one.lead for one in theirs), 2)
    clear = sum(one.outcome == "agrees" for one in theirs)
    undecided = {one.outcome for one in theirs} & {"one seed", "few images"}
    ending = ENDINGS[undecided.pop()] if len(undecided) == 1 and not clear else ""
    headline = (
        f"{in_a_row([evidence.name(name) for name in leaders])} {verb} the fewest clicks in {most} of "
        f"{counted(len(won), 'comparison')}{each}, on average {lead} fewer than the next; ahead of all "
        f"others beyond chance in {clear or 'none'}{ending}."
    )
    return Told(question, headline, tuple(one.text for one in won))


class _Won(NamedTuple):
    """One setting: its sentence, its winner, by how many clicks (0: a tie), and whether ahead of all."""

    text: str
    best: str
    lead: float
    outcome: Outcome


def _won(evidence: Evidence, cells: Mapping[str, Tested]) -> _Won:
    means = {name: tested.score(evidence.results.leading).mean for name, tested in cells.items()}
    best, second, *_ = sorted(means, key=means.__getitem__)
    lead = means[second] - means[best]
    over = {name: evidence.compare(cells[best].key, cells[name].key) for name in cells if name != best}
    outcome = every([found.outcome for found in over.values()])
    found, where = over[second], evidence.where(cells[best].key)
    objects = f"{counted(found.objects, 'object')} of {counted(found.images, 'image')}"
    if lead < TIE:
        both = f"{evidence.name(best)} and {evidence.name(second)}"
        text = f"On {where}, {both} need equally few, {number(means[best], 2)}; {objects}."
        return _Won(text, best, 0.0, "unclear" if outcome in ("agrees", "opposite") else outcome)
    text = (
        f"On {where}, {evidence.name(best)} needs the fewest, {number(means[best], 2)}; the next is "
        f"{evidence.name(second)} with {number(means[second], 2)}, a difference of {_clicks(found.clicks)}, "
        f"paired over {objects}"
    )
    ending = f", and ahead of {'it' if len(over) == 1 else 'each of the others'} beyond chance"
    return _Won(f"{text}{ending if outcome == 'agrees' else ENDINGS[outcome]}.", best, lead, outcome)


def against_references(evidence: Evidence) -> Told:
    """Says which upsamplers need fewer clicks than none, and than bilinear interpolation."""
    question = "Does upsampling need fewer clicks than none, and than bilinear interpolation?"
    sentences, headlines = [], []
    for architecture, words in REFERENCES.items():
        reference = evidence.results.names.first_of(architecture)
        if reference not in evidence.results.upsamplers:
            sentences.append(f"Against {words}: not known, for no cell has it.")
            continue
        judged: dict[str, Outcome] = {}
        for name in evidence.results.upsamplers:
            found = [
                evidence.compare(cells[name].key, cells[reference].key)
                for cells in evidence.settings.values()
                if {name, reference} <= set(cells)
            ]
            if name == reference or not found or evidence.is_bare(name):
                continue
            judged[evidence.name(name)] = weigh([one.outcome for one in found])
            sentences.append(f"{evidence.name(name)} against {words}: {_in_comparisons(found)}.")
        if judged:
            headlines.append(f"Against {words}: {_sides(judged, FEWER_OR_MORE)}.")
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
    sentences, judged = [], {}
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
            judged[f"{one} against {other}"] = weigh([each.outcome for each in found])
            kinds = [models[model]["click_encoder"] for model in (one, other)]
            besides = (
                "" if kinds[0] == kinds[1] else f"; the click encoder differs too: {' and '.join(kinds)}"
            )
            sentences.append(f"{one} against {other}: {_in_comparisons(found)}{besides}.")
    if not judged:
        return Told(question, "Not answered: no early and late click model share a cell.", ())
    return Told(question, f"{_capital(_sides(judged, FEWER_OR_MORE))}.", tuple(sentences))


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
    judged = {SCORES[name]: skill.outcome for name, skill in skills.items()}
    said = tuple(_skill(SCORES[name], skill) for name, skill in skills.items())
    return Told(question, f"{_capital(_sides(judged, KNEW_OR_WRONG))}.", said)


def _skill(name: str, skill: UpsamplerSkill) -> str:
    rate, rho = skill.rate, skill.rho
    if not rate.trials and math.isnan(rho.mean):
        return f"{_capital(name)}: nothing can be said ({rho.reason})."
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


def _sides(judged: Mapping[str, Outcome], sides: tuple[str, str]) -> str:
    """Sorts what is judged by the side that it takes, and what takes none by the reason."""
    groups: dict[str, list[str]] = {side: [] for side in sides}
    for name, outcome in judged.items():
        place = {"agrees": 0, "mostly agrees": 0, "opposite": 1, "mostly opposite": 1}.get(outcome)
        group = sides[place] if place is not None else f"undecided ({_UNDECIDED[outcome]})"
        groups.setdefault(group, []).append(name)
    return "; ".join(f"{group}: {in_a_row(names)}" for group, names in groups.items() if names)


def _clicks(value: Value) -> str:
    return f"{signed(value.mean)} clicks{_interval(value)}"


def _interval(value: Value) -> str:
    return "" if value.sign is None else f" [{signed(value.low)}, {signed(value.high)}]"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
