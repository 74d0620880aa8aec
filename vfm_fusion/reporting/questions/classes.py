"""RQ1: which encoder is better on which classes, and which classes gain by which injection."""

from __future__ import annotations

import math
from collections.abc import Mapping

from vfm_fusion.reporting.cells import Value, with_spread
from vfm_fusion.reporting.questions.answer import ENDINGS, Answer, Finding, unknown
from vfm_fusion.reporting.questions.evidence import Evidence
from vfm_fusion.reporting.records import RunResults
from vfm_fusion.reporting.significance import difference, in_points
from vfm_fusion.reporting.stride_groups import Group
from vfm_fusion.reporting.stride_sweep import setting_name
from vfm_fusion.reporting.verdicts import judged

QUESTION = "Do encoders lean to structure or to edges, class by class?"
RICH, LARGE = "boundary-sensitive", "large"
_SAID = {RICH: "boundary-rich classes", LARGE: "large classes"}

Levels = Mapping[str, Mapping[int, float]]
"""Group of classes -> seed -> mean over its classes, in percent."""


def answer(evidence: Evidence) -> Answer:
    """Compares encoders alone, then both directions of the pair, on the two groups of classes."""
    groups = evidence.per_class["group"]
    if not ((groups == RICH).any() and (groups == LARGE).any()):
        text = "The table per class holds no two groups of classes, so nothing can be compared."
        return Answer("RQ1", QUESTION, (unknown(text, tests=4),))
    findings = (
        _classes(evidence),
        _alone(evidence, trained=False),
        _alone(evidence, trained=True),
        _injected(evidence, "AB", RICH),
        _injected(evidence, "CD", LARGE),
    )
    return Answer("RQ1", QUESTION, findings)


def _classes(evidence: Evidence) -> Finding:
    frame = evidence.per_class
    of = {group: ", ".join(dict.fromkeys(rows["class"])) for group, rows in frame.groupby("group")}
    return Finding(
        f"Mean {_metric(evidence)} over boundary-rich classes (boundary-to-area ratio above the median: "
        f"{of[RICH]}) and over large ones ({of[LARGE]}), in percent."
    )


def _metric(evidence: Evidence) -> str:
    """What the table per class is of; its boundary regions come after it."""
    return next(iter(evidence.per_class["metric"]), "AP")


def _alone(evidence: Evidence, *, trained: bool) -> Finding:
    """Frozen or fine-tuned encoders: who leads where, and which way the pair differs."""
    how = "Fine-tuned" if trained else "Frozen"
    runs = evidence.singles(trained=trained)
    absent = [evidence.name(e) for e in (evidence.structure, evidence.edges) if e not in runs]
    if absent:
        return unknown(f"{how}: no comparison, for no run has {' or '.join(absent)} alone and {how.lower()}.")
    levels = {encoder: _levels(evidence, run) for encoder, run in runs.items()}
    contrast = _contrast(levels[evidence.edges], levels[evidence.structure])
    outcome = judged(contrast, evidence.images)
    leads = [_lead(evidence, {e: of[group] for e, of in levels.items()}, group) for group in (RICH, LARGE)]
    text = f"{how}: {'; '.join(leads)}."
    if outcome == "missing":
        return unknown(f"{text} Their difference is not defined for every seed.")
    text += (
        f" Relative to {evidence.name(evidence.structure)}, {evidence.name(evidence.edges)} is "
        f"{_stronger(contrast)} (boundary-rich minus large: {in_points(contrast)}){ENDINGS[outcome]}."
    )
    return Finding(text, (outcome,))


def _stronger(contrast: Value) -> str:
    """On which classes an encoder stands better; as a mere statement on the means where that is all."""
    by_means = "" if contrast.sign else "by the means "
    if _side(contrast) is None:
        return f"{by_means}as strong on {_SAID[RICH]} as on {_SAID[LARGE]}"
    other = LARGE if _side(contrast) == RICH else RICH
    return f"{by_means}stronger on {_SAID[_side(contrast)]} than on {_SAID[other]}"


def _side(contrast: Value) -> str | None:
    """The group that a contrast favours; None where it prints as zero."""
    if round(contrast.mean, 2) == 0:
        return None
    return RICH if contrast.mean > 0 else LARGE


def _lead(evidence: Evidence, by_encoder: Mapping[str, Mapping[int, float]], group: str) -> str:
    """Who has the highest mean on a group of classes, and who the next; the undefined come last."""
    means = {evidence.name(e): difference(values) for e, values in by_encoder.items()}
    first, second, *_ = sorted(means, key=lambda e: -means[e].mean if means[e].n else math.inf)
    levels = [with_spread(means[e]) for e in (first, second)]
    if not means[first].n:
        return f"no encoder is defined on {_SAID[group]}"
    if round(means[first].mean, 2) == round(means[second].mean, 2):
        return f"{first} and {second} are level on {_SAID[group]} ({levels[0]} and {levels[1]})"
    return f"{first} leads on {_SAID[group]} ({levels[0]}; next {second}, {levels[1]})"


def _injected(evidence: Evidence, names: str, expected: str) -> Finding:
    """What an injection gains on the classes that it is expected to help most, and on the others."""
    structure, edges = evidence.name(evidence.structure), evidence.name(evidence.edges)
    what, who, into = ("Edges", edges, structure) if expected == RICH else ("Structure", structure, edges)
    stride = _stride(evidence, names)
    found = _group(evidence, names, stride)
    if found is None:
        return unknown(f"{what} injected: no run injects frozen {who} into {into} at OS {stride}.")
    if found.alone is None:
        return unknown(f"{what} injected: no run trains {into} alone in the same way.")
    fused, alone = (_levels(evidence, run) for run in (found.fused[stride,], found.alone))
    gains = {group: _minus(fused[group], alone[group]) for group in (RICH, LARGE)}
    more = _contrast(fused, alone)
    outcome = judged(more, evidence.images, 1 if expected == RICH else -1)
    if outcome == "missing":
        return unknown(f"{what} injected: the gain is not defined for every seed.")
    side = _side(more)
    where = "as much on both" if side is None else f"more on {_SAID[side]}"
    where = where if more.sign else f"by the means {where}"
    name = setting_name(found, evidence.sweep.selection)
    return Finding(
        f"{what} injected ({name}, {who} into {into} at OS {stride}): "
        f"{in_points(gains[RICH])} on {_SAID[RICH]} and {in_points(gains[LARGE])} on {_SAID[LARGE]}, so "
        f"{where} (boundary-rich minus large: {in_points(more)}){ENDINGS[outcome]}.",
        (outcome,),
    )


def _stride(evidence: Evidence, names: str) -> int:
    chosen = evidence.sweep.selection
    forward = (names == "AB") == (chosen["task"] == "semantic")
    return int((chosen if forward else chosen["reverse"])["stride"])


def _group(evidence: Evidence, names: str, stride: int) -> Group | None:
    """The first group of these settings that injects at the stride; one with a trained master first."""
    for name in names:
        for group in evidence.sweep.groups:
            if setting_name(group, evidence.sweep.selection) == name and (stride,) in group.fused:
                return group
    return None


def _levels(evidence: Evidence, run: RunResults) -> Levels:
    """Means over the classes of a group that have a value, of every expected seed."""
    frame = evidence.per_class
    own = frame[(frame["run"] == run.key) & (frame["metric"] == _metric(evidence))]
    return {
        group: {
            seed: float(own.loc[(own["group"] == group) & (own["seed"] == seed), "value"].mean())
            for seed in run.seeds
        }
        for group in (RICH, LARGE)
    }


def _minus(first: Mapping[int, float], second: Mapping[int, float]) -> Value:
    return difference({seed: first[seed] - second[seed] for seed in first if seed in second})


def _contrast(first: Levels, second: Levels) -> Value:
    """(first - second) on boundary-rich classes minus the same on large ones, seed by seed."""
    return difference(
        {
            seed: (first[RICH][seed] - second[RICH][seed]) - (first[LARGE][seed] - second[LARGE][seed])
            for seed in first[RICH]
            if seed in second[RICH]
        }
    )
