"""Which score predicts the best injection stride: a paragraph, as Markdown and as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from vfm_fusion.reporting.cells import Value, in_a_row, number
from vfm_fusion.reporting.predictor_settings import counted, settings_in_words
from vfm_fusion.reporting.predictor_skill import (
    HELD_OUT_CONSTANT,
    HELD_OUT_PREDICTOR,
    RANDOM,
    Comparison,
    Skill,
    brackets_in_words,
    read_comparison,
    title_of_way,
)
from vfm_fusion.reporting.questions.answer import ENDINGS, Answer, Finding, unknown
from vfm_fusion.reporting.render.html import page
from vfm_fusion.reporting.render.markdown import escape as escape_markdown
from vfm_fusion.reporting.render.text_files import Text
from vfm_fusion.reporting.significance import in_points
from vfm_fusion.reporting.verdicts import MIN_IMAGES, MIN_SEEDS, MIN_SETTINGS, Outcome, part

TITLE = "Which score predicts the best injection stride"
QUESTION = "Does EF of the auxiliary predict the best stride, and better than other scores without labels?"
NO_SETTING = (
    "No pair was trained at two or more injection strides with a defined result. The question needs runs of "
    "pairs that differ in fusion.stride alone."
)
NO_EF = "No definition of EF was computed."
TESTED = (
    f"A test takes a side only where its interval is clear of zero, over {MIN_SETTINGS} pairs of encoders or "
    f"more, with {MIN_SEEDS} seeds and {MIN_IMAGES} images or more behind every setting."
)
_TESTS = 3
_ENDINGS = {**ENDINGS, "unclear": ", which chance explains as well"}


def prediction_answer(comparison: Comparison) -> Answer:
    """Tests the paper's rule against chance, against no rule, and against the best other score.

    What it is compared with is drawn at random, or chosen on the other data sets; so neither has seen the
    settings that it is judged on.
    """
    reference = comparison.reference
    if not comparison.settings:
        return Answer("RQ3", QUESTION, (unknown(NO_SETTING, _TESTS),))
    if reference is None:
        return Answer("RQ3", QUESTION, (unknown(NO_EF, _TESTS),))
    better = _other_score(comparison, reference)
    findings = [_chance(comparison, reference), _constant(comparison, reference), better]
    findings += [Finding(text) for text in (*_looks(comparison, reference), *_bound(comparison))]
    return Answer("RQ3", QUESTION, (*findings, Finding(_conclusion(comparison, better))))


def _chance(comparison: Comparison, reference: str) -> Finding:
    own, random = comparison.skills[reference], comparison.skills[RANDOM]
    if not own.regret.n:
        return unknown(f"{title_of_way(reference)} suggests no stride in any setting: {own.reason}.")
    over, outcome = _compared(comparison, own, random)
    return Finding(
        f"{title_of_way(reference)} suggests the best of the trained strides in {_percent(own.hits)} of "
        f"{counted(own.regret.n, 'setting')} (a stride drawn at random: {number(random.hits.mean, 0)} %) and "
        f"loses {_points(own.regret)} to it; its stride brings {in_points(over)} over one drawn at random"
        f"{_ENDINGS.get(outcome, '')}.",
        (outcome,),
    )


def _constant(comparison: Comparison, reference: str) -> Finding:
    elsewhere = comparison.skills[HELD_OUT_CONSTANT]
    if not elsewhere.regret.n:
        return unknown(f"Whether a constant stride does as well is not known: {elsewhere.reason}.")
    over, outcome = _compared(comparison, comparison.skills[reference], elsewhere)
    return Finding(
        f"Over the constant stride that is best on the other data sets "
        f"({_chosen(comparison, HELD_OUT_CONSTANT)}) it brings {in_points(over)}{_ENDINGS.get(outcome, '')}.",
        (outcome,),
    )


def _other_score(comparison: Comparison, reference: str) -> Finding:
    elsewhere = comparison.skills[HELD_OUT_PREDICTOR]
    if not elsewhere.regret.n:
        return unknown(f"Whether another score does better on data that had no say: {elsewhere.reason}.")
    over, outcome = _compared(comparison, comparison.skills[reference], elsewhere)
    if {*comparison.chosen(HELD_OUT_PREDICTOR).values()} == {reference}:
        return Finding("No score without labels is better than it on the other data sets.", (outcome,))
    return Finding(
        f"Over the score without labels that is best there ({_chosen(comparison, HELD_OUT_PREDICTOR)}) it "
        f"brings {in_points(over)}{_ENDINGS.get(outcome, '')}.",
        (outcome,),
    )


def _compared(comparison: Comparison, own: Skill, other: Skill) -> tuple[Value, Outcome]:
    """What one way brings over another, and how that is judged."""
    over = own.over(other)
    return over, part(
        (over.sign or 0) if over.n else None,
        seeds=min(setting.seeds for setting in comparison.settings),
        images=min(setting.images for setting in comparison.settings),
        settings=own.pairs_behind(other),
    )


def _looks(comparison: Comparison, reference: str) -> list[str]:
    """What a look at all scores finds, which is no test: it chooses on what it is judged by."""
    others = [key for key in comparison.label_free if key != reference]
    known = [key for key in others if comparison.skills[key].regret.n]
    if not known:
        return []
    own = comparison.skills[reference]
    signs = [comparison.skills[key].over(own).sign or 0 for key in known]
    text = (
        f"Of {len(known)} other scores without labels {signs.count(1)} bring more than it beyond their "
        f"interval and {signs.count(-1)} less, not corrected for the number of looks"
    )
    best = comparison.best([key for key in comparison.label_free if comparison.skills[key].regret.n])
    if best is not None:
        text += f"; looking back, {title_of_way(best)} loses least, {_points(comparison.skills[best].regret)}"
    return [f"{text}."]


def _bound(comparison: Comparison) -> list[str]:
    labelled = [key for key in comparison.predictors if key not in comparison.label_free]
    return [
        f"For comparison: {title_of_way(key)} hits in {_percent(skill.hits)}, loses {_points(skill.regret)}."
        for key in labelled
        if (skill := comparison.skills[key]).regret.n
    ]


def _conclusion(comparison: Comparison, better: Finding) -> str:
    """What follows for ``selection.rule``: something only where held-out data speaks for another score."""
    if better.outcomes != ("opposite",):
        return "So nothing here speaks for another selection.rule than the paper's."
    best = comparison.best(comparison.label_free)
    named = "" if best is None else f" ({setting_of(best)} on all data together)"
    return (
        f"So data that had no say speaks for another rule than the paper's{named}; the paper's stays the "
        "default."
    )


def setting_of(key: str) -> str:
    """Returns the settings that select by a score.

    >>> setting_of("rankme"), setting_of("ef.calibrated")
    ('selection.rule: rankme', 'selection.definition: calibrated')
    """
    name, _, definition = key.partition(".")
    said = [] if name == "ef" else [f"selection.rule: {name}"]
    return ", ".join([*said, *([f"selection.definition: {definition}"] if definition else [])])


def _chosen(comparison: Comparison, way: str) -> str:
    chosen = {dataset: choice for dataset, choice in comparison.chosen(way).items() if choice}
    return in_a_row([f"{title_of_way(choice)} for {dataset}" for dataset, choice in chosen.items()])


def _percent(value: Value) -> str:
    return f"{number(value.mean, 0)} %{_interval(value, 0)}"


def _points(value: Value) -> str:
    return f"{number(value.mean, 2)} points{_interval(value, 2)}"


def _interval(value: Value, digits: int) -> str:
    return "" if value.sign is None else f" [{number(value.low, digits)}, {number(value.high, digits)}]"


def prediction_text(comparison: Comparison, notes: Sequence[str]) -> Text:
    """Renders the answer: its headline, one paragraph, and the notes."""
    found = prediction_answer(comparison)
    paragraph = " ".join(finding.text for finding in found.findings)
    markdown = [f"## {TITLE}", f"**{escape_markdown(found.headline)}**", escape_markdown(paragraph)]
    html = [
        f"<h2>{escape(TITLE)}</h2>",
        f"<p><b>{escape(found.headline)}</b></p>",
        f"<p>{escape(paragraph)}</p>",
        '<div class="notes">',
        *(f"<p>{escape(note)}</p>" for note in notes),
        "</div>",
    ]
    said = "\n\n".join([*markdown, *(escape_markdown(note) for note in notes)])
    return Text(said + "\n", page(TITLE, "\n".join(html) + "\n"))


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Text:
    """Builds the report ``text_stride_prediction``."""
    comparison = read_comparison(inputs["points"], settings)
    notes = [settings_in_words(comparison.settings), brackets_in_words(comparison.bootstrap), TESTED]
    return prediction_text(comparison, notes if comparison.settings else [])
