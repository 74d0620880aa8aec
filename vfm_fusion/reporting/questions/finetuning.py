"""RQ5: what fine-tuning does to SC and EF, and whether a frozen auxiliary in a trained master is best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value, in_a_row, number, strides_in_words, with_spread
from vfm_fusion.reporting.questions.answer import ENDINGS, Answer, Finding, unknown
from vfm_fusion.reporting.questions.evidence import Evidence
from vfm_fusion.reporting.significance import difference, in_points
from vfm_fusion.reporting.stride_suggestion import suggested_stride
from vfm_fusion.reporting.stride_sweep import Setting
from vfm_fusion.reporting.verdicts import Outcome, judged, part, weigh

QUESTION = "What does fine-tuning do to SC and EF, and is a frozen auxiliary in a fine-tuned master (A) best?"


def answer(evidence: Evidence) -> Answer:
    """Compares profiles before and after fine-tuning, then setting A with the others."""
    return Answer("RQ5", QUESTION, (_structure(evidence), _edges(evidence), _best_setting(evidence)))


def _structure(evidence: Evidence) -> Finding:
    """Whether fine-tuning moves the structure encoder towards edges."""
    name, rows = evidence.name(evidence.structure), _changes(evidence, evidence.structure)
    if rows is None:
        return _no_profile(name)
    outcome = weigh([_part(row) for row in _of(rows, "ef").itertuples()])
    ending = {
        "agrees": ", towards edges as in the paper",
        "mostly agrees": ", mostly towards edges as in the paper",
        "opposite": ", away from edges",
        "mostly opposite": ", mostly away from edges",
    }.get(outcome, "")
    text = f"{name}, fine-tuned alone{_seeds(rows)}: {_moves(rows, 'ef')}{ending}; {_moves(rows, 'sc')}"
    return Finding(f"{text}{_caveat(outcome)}.", (outcome,))


def _edges(evidence: Evidence) -> Finding:
    """Whether the edge encoder's EF peak, which chose the stride, outlives fine-tuning."""
    name, rows = evidence.name(evidence.edges), _changes(evidence, evidence.edges)
    if rows is None:
        return _no_profile(name)
    ef = _of(rows, "ef").set_index("stride")
    before, after = ({int(s): float(v) for s, v in ef[when].items()} for when in ("before", "after"))
    peaks = [suggested_stride(values) for values in (before, after)]
    if peaks[0] is None or peaks[1] is None or len(ef) < 2:
        return unknown(f"EF of {name} has no peak before or after fine-tuning.")
    sharpness = [_sharpness(values, peaks[0]) for values in (before, after)]
    outcome = _flattened(ef, peaks[0])
    moved = f"stays at OS {peaks[0]}"
    if peaks[0] != peaks[1]:
        moved = f"moves from OS {peaks[0]} to OS {peaks[1]}"
    how = {"agrees": "gets flatter", "opposite": "gets sharper"}.get(
        outcome, "gets neither flatter nor sharper beyond the intervals"
    )
    return Finding(
        f"{name}, fine-tuned alone{_seeds(rows)}: its EF peak {moved} and {how} (OS {peaks[0]} has "
        f"{number(sharpness[0], 2)} times the mean of the other strides before, {number(sharpness[1], 2)} "
        f"after); {_moves(rows, 'ef')}{_caveat(outcome)}.",
        (outcome,),
    )


def _best_setting(evidence: Evidence) -> Finding:
    """Setting A at its best stride against each of the others at theirs."""
    metric = evidence.metric
    best = {s.title: (s, _best_stride(s, metric)) for s in evidence.sweep.settings}
    known = {title: (s, stride) for title, (s, stride) in best.items() if stride is not None}
    own = next((title for title, (s, _) in known.items() if s.name == "A"), None)
    absent = [name for name in "ABCD" if name not in {s.name for s, _ in known.values()}]
    if own is None or len(known) < 2:
        text = f"Whether A is the best setting is not known: {_swept(known)} swept over strides; "
        text += f"{in_a_row(absent)} {'is' if len(absent) == 1 else 'are'} missing."
        return unknown(text, tests=max(len(known) - (own is not None), 3))
    a, at = known.pop(own)
    outcomes: list[Outcome] = []
    others = []
    for title, (other, there) in known.items():
        ahead = _minus((a, at), (other, there), metric)
        outcomes.append(judged(ahead, evidence.images))
        ending = ENDINGS[outcomes[-1]]
        if outcomes[-1] in ("agrees", "opposite") and (a.untrained or other.untrained):
            outcomes[-1], ending = "unclear", ", but not every stride was trained"
        level = with_spread(other.level(there, metric))
        others.append(f"{title} at OS {there} {level}: {in_points(ahead)}{ending}")
    text = f"At its best stride (OS {at}), {own} has {metric} {with_spread(a.level(at, metric))}; "
    text += "; ".join(others)
    text += f". Not swept: {in_a_row(absent)}." if absent else "."
    return Finding(text, (*outcomes, *(part(None) for _ in absent)))


def _minus(first: tuple[Setting, int], second: tuple[Setting, int], metric: str) -> Value:
    """One setting at its stride minus another at its own, seed by seed."""
    (a, at), (b, there) = first, second
    return difference(
        {s: a.group.at_seed(metric, s)[at] - b.group.at_seed(metric, s)[there] for s in a.group.seeds}
    )


def _swept(known: dict[str, tuple[Setting, int]]) -> str:
    return f"only {in_a_row(list(known))} was" if known else "no setting was"


def _best_stride(setting: Setting, metric: str) -> int | None:
    means = {stride: setting.level(stride, metric).mean for stride in setting.group.single}
    return suggested_stride(means)


def _changes(evidence: Evidence, encoder: str) -> pd.DataFrame | None:
    """Rows of the encoder's own fine-tuned run, by the definition that pairs encoders; None without any."""
    run = evidence.alone(encoder, trained=True)
    frame = evidence.finetuned
    if run is None:
        return None
    own = (frame["run"] == run.key) & (frame["definition"] == evidence.sweep.selection["definition"])
    return frame[own] if own.any() else None


def _no_profile(name: str) -> Finding:
    return unknown(f"{name}: no run fine-tunes it alone, so there is no profile after.")


def _of(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Rows of one score by stride, with ``low`` and ``high``: the wider end of both intervals of a change."""
    of = rows[rows["score"] == score].sort_values("stride")
    low, high = (of[[f"ci_{end}", f"seed_{end}"]] for end in ("low", "high"))
    return of.assign(low=low.min(axis=1), high=high.max(axis=1))


def _part(row: Any) -> Outcome:
    """Whether a score rises at one stride, beyond its intervals over images and over seeds."""
    sign = None if math.isnan(row.low) else int(row.low > 0) - int(row.high < 0)
    return part(sign, seeds=int(row.seeds), images=int(row.images))


def _flattened(ef: pd.DataFrame, peak: int) -> Outcome:
    """Whether the peak stands out less after, wherever the changes lie within their intervals.

    Args:
        ef: indexed by stride, with ``before``, ``low`` and ``high``.
        peak: stride of the highest EF before.
    """
    sharp = _sharpness(ef["before"], peak)
    bounds = []
    for own, other in (("low", "high"), ("high", "low")):
        after = (ef["before"] + ef[other]).clip(lower=0)
        after[peak] = max(ef["before"][peak] + ef[own][peak], 0)
        bounds.append(_sharpness(after, peak))
    known = not ef[["low", "high"]].isna().any(axis=None)
    sign = int(bounds[1] < sharp) - int(bounds[0] > sharp) if known else None
    return part(sign, seeds=int(ef["seeds"].max()), images=int(ef["images"].min()))


def _moves(rows: pd.DataFrame, score: str) -> str:
    """Where a score moves beyond both its intervals."""
    of = _of(rows, score)
    strides = [int(stride) for stride in of["stride"]]
    up = [int(stride) for stride in of.loc[of["low"] > 0, "stride"]]
    down = [int(stride) for stride in of.loc[of["high"] < 0, "stride"]]
    parts = [
        f"{verb} at {strides_in_words(where, strides)}"
        for verb, where in (("rises", up), ("falls", down))
        if where
    ]
    if not parts:
        return f"{score.upper()} moves nowhere beyond its intervals"
    return f"{score.upper()} {' and '.join(parts)}{_largest(of)}"


def _caveat(outcome: Outcome) -> str:
    return ENDINGS[outcome] if outcome in ("one seed", "few images") else ""


def _largest(of: pd.DataFrame) -> str:
    row = of.loc[(of["after"] - of["before"]).abs().idxmax()]
    return f" (most at OS {int(row['stride'])}: {number(row['before'], 2)} → {number(row['after'], 2)})"


def _seeds(rows: pd.DataFrame) -> str:
    seeds = int(rows["seeds"].max())
    return " (one seed)" if seeds == 1 else f" (mean of {seeds} seeds)"


def _sharpness(ef: Mapping[int, float] | pd.Series, peak: int) -> float:
    """EF at a stride over the mean of the others."""
    others = [value for stride, value in ef.items() if stride != peak and not math.isnan(value)]
    mean = math.fsum(others) / len(others) if others else math.nan
    return ef[peak] / mean if mean else math.inf
