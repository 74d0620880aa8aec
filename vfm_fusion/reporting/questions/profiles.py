"""RQ2: whether SC and EF of the pretrained encoders show that they complement each other."""

from __future__ import annotations

import math
from typing import Any

from vfm_fusion.profiles.null_excess import EXCESS
from vfm_fusion.reporting.cells import number, strides_in_words
from vfm_fusion.reporting.questions.answer import Answer, Finding, unknown, verdict
from vfm_fusion.reporting.questions.evidence import Evidence

QUESTION = "Do SC and EF show, before any training, that the encoders complement each other?"
_DIGITS = 2


def answer(evidence: Evidence) -> Answer:
    """Compares the pair's profiles beyond their intervals over images, and with their null floors."""
    findings = (
        _leaders(evidence),
        _contrast(evidence, "sc", evidence.structure, evidence.edges),
        _contrast(evidence, "ef", evidence.edges, evidence.structure),
        _peak(evidence),
        _nulls(evidence),
    )
    return Answer("RQ2", QUESTION, findings)


def cells(evidence: Evidence, encoder: str, score: str) -> dict[int, Any]:
    """Returns stride -> profile row of one score, where it is defined and has an interval."""
    rows = evidence.sweep.profiles
    chosen = rows[(rows["encoder"] == encoder) & (rows["score"] == score)].sort_values("stride")
    return {int(row.stride): row for row in chosen.itertuples() if not math.isnan(row.ci_low)}


def _leaders(evidence: Evidence) -> Finding:
    parts = []
    for score in ("sc", "ef"):
        first, second = (
            f"{evidence.name(ranked['encoder'])} ({number(ranked['value'], _DIGITS)})"
            for ranked in evidence.sweep.selection["ranks"][score][:2]
        )
        parts.append(f"{score.upper()} is highest for {first}, then {second}")
    leaders = {evidence.sweep.selection["ranks"][score][0]["encoder"] for score in ("sc", "ef")}
    text = f"By the mean over the strides, {parts[0]}; {parts[1]}"
    if len(leaders) == 1:
        return Finding(f"{text}: one encoder leads both.")
    return Finding(f"{text}: each is led by another encoder.")


def _contrast(evidence: Evidence, score: str, first: str, second: str) -> Finding:
    """At which strides one encoder of the pair lies above the other, beyond both intervals."""
    of_first, of_second = (cells(evidence, encoder, score) for encoder in (first, second))
    strides = sorted(of_first.keys() & of_second.keys())
    name, other, what = evidence.name(first), evidence.name(second), score.upper()
    if not strides:
        return unknown(f"{what} of {name} and {other} has an interval at no common stride.")
    above = [s for s in strides if of_first[s].ci_low > of_second[s].ci_high]
    below = [s for s in strides if of_first[s].ci_high < of_second[s].ci_low]
    sides = [(" above", above), (" below", below)]
    parts = [f"{side} that of {other} at {strides_in_words(at, strides)}" for side, at in sides if at]
    if parts:
        text = f"{what} of {name} lies{' and'.join(parts)}, beyond the intervals"
    else:
        text = f"The intervals of {what} of {name} and {other} overlap at every stride"
    largest = max(strides, key=lambda s: abs(of_first[s].mean - of_second[s].mean))
    pair = " against ".join(_value(of[largest]) for of in (of_first, of_second))
    return Finding(f"{text} (largest at OS {largest}: {pair}).", (verdict(above, below),))


def _peak(evidence: Evidence) -> Finding:
    """Whether the edge encoder's EF stands out at one stride."""
    found = cells(evidence, evidence.edges, "ef")
    name = evidence.name(evidence.edges)
    if len(found) < 2:
        return unknown(f"EF of {name} has an interval at {len(found)} strides, so no peak.")
    first, second = sorted(found, key=lambda stride: -found[stride].mean)[:2]
    apart = found[first].ci_low > found[second].ci_high
    how = "beyond the intervals" if apart else "but the intervals overlap"
    return Finding(
        f"EF of {name} peaks at OS {first} ({_value(found[first])}; next OS {second}, "
        f"{_value(found[second])}), {how}.",
        (verdict(apart, False),),
    )


def _nulls(evidence: Evidence) -> Finding:
    """Whether the scores that chose the pair clear their null floors."""
    chosen = (("sc", evidence.structure), ("ef", evidence.edges))
    parts, cleared, total = [], 0, 0
    for score, encoder in chosen:
        excess = cells(evidence, encoder, EXCESS[score])
        if not excess:
            return unknown(f"No null floor of {score.upper()} was computed for {evidence.name(encoder)}.")
        clear = [stride for stride, row in excess.items() if row.ci_low > 0]
        cleared, total = cleared + len(clear), total + len(excess)
        where = strides_in_words(clear, list(excess))
        parts.append(f"{score.upper()} of {evidence.name(encoder)} exceeds its null floor at {where}")
    return Finding(f"{'; '.join(parts)}.", (verdict(cleared, cleared < total),))


def _value(row: Any) -> str:
    mean, low, high = (number(value, _DIGITS) for value in (row.mean, row.ci_low, row.ci_high))
    return f"{mean} [{low}, {high}]"
