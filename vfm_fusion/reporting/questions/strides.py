"""RQ3: whether EF suggests the best injection stride."""

from __future__ import annotations

from vfm_fusion.reporting.cells import in_a_row
from vfm_fusion.reporting.questions.answer import Answer, Finding, Outcome, judged, unknown, verdict
from vfm_fusion.reporting.questions.evidence import Evidence
from vfm_fusion.reporting.significance import ONE_SEED, SIGNIFICANT, WITHIN_SPREAD, in_points
from vfm_fusion.reporting.stride_suggestion import HitRate
from vfm_fusion.reporting.stride_sweep import Setting, rate_notes, rates, shown_metrics, suggestions

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


def beyond_chance(rate: HitRate) -> Outcome:
    """Whether there are more hits, or fewer, than strides drawn at random would have."""
    return verdict(rate.p <= SIGNIFICANT, rate.p_fewer <= SIGNIFICANT, rate.trials)


def _rate(evidence: Evidence) -> Finding:
    metric = evidence.metric
    outcome = beyond_chance(rates(evidence.sweep.settings, metric)[0])
    said = rate_notes(evidence.sweep.settings, metric)
    if not said:
        return Finding("No setting could be judged.", (outcome,))
    return Finding(f"{said[0]} {_CHANCE[outcome]}", (outcome,))


_CHANCE: dict[Outcome, str] = {
    "agrees": "Over settings that is more than chance.",
    "opposite": "Over settings that is less than chance.",
    "unclear": "Over settings that cannot be told from chance.",
}


def _margins(evidence: Evidence) -> Finding:
    """Every setting's margin against the spread over seeds."""
    parts, outcomes = [], []
    for setting in evidence.sweep.settings:
        text, outcome = _margin(setting, evidence.metric)
        parts.append(text)
        outcomes.append(outcome)
    return Finding(f"{'; '.join(parts)}.", tuple(outcomes))


def _margin(setting: Setting, metric: str) -> tuple[str, Outcome]:
    found, margin = setting.judged(metric), setting.margin(metric)
    if found.hit is None:
        return f"{setting.title}: not judged, {found.reason}", "missing"
    verb, other = ("hits", "the next best") if found.hit else ("misses", "the best")
    text = (
        f"{setting.title} {verb}: OS {found.stride} against {other}, OS {found.second}: {in_points(margin)}"
    )
    caveat = {None: f" ({ONE_SEED})", 0: f" ({WITHIN_SPREAD})"}.get(margin.sign, "")
    return text + caveat, judged(margin)


def _other_metrics(evidence: Evidence) -> list[Finding]:
    parts = []
    for metric in shown_metrics(evidence.sweep.settings):
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
