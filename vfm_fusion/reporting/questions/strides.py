"""RQ3: whether EF suggests the best injection stride."""

from __future__ import annotations

from vfm_fusion.reporting.cells import in_a_row, p_in_words, strides_in_words
from vfm_fusion.reporting.questions.answer import ENDINGS, Answer, Finding, unknown
from vfm_fusion.reporting.questions.evidence import Evidence
from vfm_fusion.reporting.significance import SIGNIFICANT, in_points
from vfm_fusion.reporting.stride_sweep import (
    Setting,
    chance_of_hits,
    rate_notes,
    rates,
    suggestions,
)
from vfm_fusion.reporting.verdicts import Outcome, every, judged, part

QUESTION = "Does EF suggest the best injection stride?"
NO_SWEEP = (
    "No pair was trained at two or more injection strides. The question needs runs of one pair that differ "
    "in fusion.stride alone."
)


def answer(evidence: Evidence) -> Answer:
    """Counts hits beside chance, then weighs every setting's margin against its seeds."""
    if not evidence.sweep.settings:
        return Answer("RQ3", QUESTION, (unknown(NO_SWEEP),))
    findings = (_rate(evidence), _margins(evidence), *_other_metrics(evidence), *_other_definitions(evidence))
    return Answer("RQ3", QUESTION, findings)


def _rate(evidence: Evidence) -> Finding:
    """Whether there are more hits, or fewer, than strides drawn at random would have."""
    settings, metric = evidence.sweep.settings, evidence.metric
    said = rate_notes(settings, metric)
    if not said:
        return unknown("No setting could be judged.")
    chance = chance_of_hits(settings, metric)
    sign = int(chance.p <= SIGNIFICANT) - int(chance.p_fewer <= SIGNIFICANT)
    unsure = any(setting.untrained for setting in settings)  # the best stride may be among them
    outcome = part(0 if unsure else sign, seeds=evidence.seeds, images=evidence.images)
    how = {1: "is more than chance", -1: "is less than chance"}.get(sign, "cannot be told from chance")
    p = p_in_words(chance.p_fewer if sign < 0 else chance.p)
    caveat = ", but not every stride was trained" if sign and unsure else ""
    if outcome in ("one seed", "few images"):
        caveat = ENDINGS[outcome]
    return Finding(f"{said[0]} With one stride drawn per auxiliary that {how} ({p}){caveat}.", (outcome,))


def _margins(evidence: Evidence) -> Finding:
    """Every setting's margin against the spread over seeds; A to D are possible whatever was trained."""
    settings = evidence.sweep.settings
    found = [_margin(evidence, setting) for setting in settings]
    absent = [name for name in "ABCD" if name not in {setting.name for setting in settings}]
    text = "; ".join(said for said, _ in found)
    text += f". Not swept: {in_a_row(absent)}." if absent else "."
    return Finding(text, (*(outcome for _, outcome in found), *(part(None) for _ in absent)))


def _margin(evidence: Evidence, setting: Setting) -> tuple[str, Outcome]:
    found, metric = setting.judged(evidence.metric), evidence.metric
    if found.hit is None:
        return f"{setting.title}: not judged, {found.reason}", part(None)
    margin = setting.margin(metric)
    others = [stride for stride in setting.group.single if stride != found.stride]
    parts = [judged(setting.ahead_of(stride, metric), evidence.images) for stride in others]
    outcome = every([*parts, *(part(None) for _ in setting.untrained)])
    verb, other = ("hits", "the next best") if found.hit else ("misses", "the best")
    text = (
        f"{setting.title} {verb}: OS {found.stride} against {other}, OS {found.second}: {in_points(margin)}"
    )
    if outcome in ("agrees", "opposite"):
        return text, outcome
    if judged(margin, evidence.images) == "agrees" and setting.untrained:
        return f"{text} ({strides_in_words(setting.untrained, [*setting.ef])} not trained)", outcome
    return f"{text} ({ENDINGS[outcome].lstrip(':; ')})", outcome


def _other_metrics(evidence: Evidence) -> list[Finding]:
    parts = []
    for metric in evidence.sweep.metrics:
        rate = rates(evidence.sweep.settings, metric)[0]
        if metric != evidence.metric and rate.trials:
            parts.append(f"{metric} {rate.hits} of {rate.trials}")
    return [Finding(f"Hits by the other metrics: {in_a_row(parts)}.")] if parts else []


def _other_definitions(evidence: Evidence) -> list[Finding]:
    """What EF by the definitions that did not choose the stride would have suggested."""
    return [
        Finding(
            f"EF by definition '{name}' would suggest {suggestions(settings, evidence.sweep.labels)}. {note}"
        )
        for name, settings in evidence.sweep.elsewhere.items()
        for note in rate_notes(settings, evidence.metric)
    ]
