"""RQ2: whether SC and EF of the pretrained encoders show that they complement each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vfm_fusion.profiles.null_excess import EXCESS
from vfm_fusion.reporting.cells import number, strides_in_words
from vfm_fusion.reporting.questions.answer import Answer, Finding, unknown
from vfm_fusion.reporting.questions.evidence import Evidence
from vfm_fusion.reporting.verdicts import Outcome, every, part, weigh

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


def _strides(evidence: Evidence) -> list[int]:
    """All profiled strides: where a score is undefined, a part of the test could not be made."""
    return sorted(int(stride) for stride in evidence.sweep.profiles["stride"].unique())


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
    common = sorted(of_first.keys() & of_second.keys())
    strides = _strides(evidence)
    name, other, what = evidence.name(first), evidence.name(second), score.upper()
    if not common:
        return unknown(f"{what} of {name} and {other} has an interval at no common stride.")
    above = [s for s in common if of_first[s].ci_low > of_second[s].ci_high]
    below = [s for s in common if of_first[s].ci_high < of_second[s].ci_low]
    clear = _clear(evidence, score, dict.fromkeys(above, first) | dict.fromkeys(below, second))
    sides = [(" above", above), (" below", below)]
    parts = [f"{side} that of {other} at {strides_in_words(at, strides)}" for side, at in sides if at]
    if parts:
        text = f"{what} of {name} lies{' and'.join(parts)}, beyond the intervals"
    else:
        text = f"The intervals of {what} of {name} and {other} overlap at every stride"
    largest = max(common, key=lambda s: abs(of_first[s].mean - of_second[s].mean))
    pair = " against ".join(_value(of[largest]) for of in (of_first, of_second))
    caveat = _caveat([s for s in (*above, *below) if s not in clear], strides)
    signs = {s: (s in above and s in clear) - (s in below and s in clear) for s in common}
    images = {s: int(min(of_first[s].images, of_second[s].images)) for s in common}
    outcome = weigh([part(signs.get(stride), images=images.get(stride)) for stride in strides])
    return Finding(f"{text} (largest at OS {largest}: {pair}){caveat}.", (outcome,))


def _clear(evidence: Evidence, score: str, encoder_at: Mapping[int, str]) -> list[int]:
    """The strides at which an encoder's score is known to clear its null floor."""
    excess = {encoder: cells(evidence, encoder, EXCESS[score]) for encoder in set(encoder_at.values())}
    return [
        stride
        for stride, encoder in encoder_at.items()
        if stride in excess[encoder] and excess[encoder][stride].ci_low > 0
    ]


def _caveat(strides: list[int], profiled: list[int]) -> str:
    """Says where a higher score is no evidence."""
    if not strides:
        return ""
    where = strides_in_words(sorted(strides), profiled)
    return f"; at {where} the higher one is not known to clear its null floor, so it tells nothing"


def _peak(evidence: Evidence) -> Finding:
    """Whether the edge encoder's EF stands out at one stride."""
    found = cells(evidence, evidence.edges, "ef")
    name = evidence.name(evidence.edges)
    if len(found) < 2:
        return unknown(f"EF of {name} has an interval at {len(found)} strides, so no peak.")
    first, second = sorted(found, key=lambda stride: -found[stride].mean)[:2]
    apart = found[first].ci_low > found[second].ci_high
    how = "beyond the intervals" if apart else "but the intervals overlap"
    clear = bool(_clear(evidence, "ef", {first: evidence.edges}))
    caveat = "" if clear or not apart else ", but it is not known to clear its null floor there"
    parts = [_below(found, first, stride, clear=clear) for stride in _strides(evidence) if stride != first]
    return Finding(
        f"EF of {name} peaks at OS {first} ({_value(found[first])}; next OS {second}, "
        f"{_value(found[second])}), {how}{caveat}.",
        (every(parts),),
    )


def _below(found: Mapping[int, Any], peak: int, stride: int, *, clear: bool) -> Outcome:
    """Whether a stride lies below the peak, beyond both intervals, and the peak is more than its null."""
    if stride not in found:
        return part(None)
    below = clear and found[peak].ci_low > found[stride].ci_high
    return part(int(below), images=int(min(found[peak].images, found[stride].images)))


def _nulls(evidence: Evidence) -> Finding:
    """Whether the scores that chose the pair clear their null floors: both of them, at most strides."""
    sentences, outcomes, strides = [], [], _strides(evidence)
    for score, encoder in (("sc", evidence.structure), ("ef", evidence.edges)):
        excess = cells(evidence, encoder, EXCESS[score])
        if not excess:
            return unknown(f"No null floor of {score.upper()} was computed for {evidence.name(encoder)}.")
        signs = {stride: int(row.ci_low > 0) - int(row.ci_high < 0) for stride, row in excess.items()}
        above, below = ([stride for stride, sign in signs.items() if sign == side] for side in (1, -1))
        sentences.append(
            f"{score.upper()} of {evidence.name(encoder)} exceeds its null floor at "
            f"{strides_in_words(above, strides)}"
            + (f" and lies below it at {strides_in_words(below, strides)}" if below else "")
        )
        images = {stride: int(row.images) for stride, row in excess.items()}
        outcomes.append(weigh([part(signs.get(s), images=images.get(s)) for s in strides]))
    return Finding(f"{'; '.join(sentences)}.", (weigh(outcomes),))


def _value(row: Any) -> str:
    mean, low, high = (number(value, _DIGITS) for value in (row.mean, row.ci_low, row.ci_high))
    return f"{mean} [{low}, {high}]"
