"""RQ5: what fine-tuning does to SC and EF, and whether a frozen auxiliary in a trained master is best."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from vfm_fusion.reporting.cells import in_a_row, number, strides_in_words, with_spread
from vfm_fusion.reporting.questions.answer import ENDINGS, Answer, Finding, judged, unknown, verdict
from vfm_fusion.reporting.questions.evidence import Evidence
from vfm_fusion.reporting.significance import difference, in_points
from vfm_fusion.reporting.stride_suggestion import suggested_stride
from vfm_fusion.reporting.stride_sweep import Setting

QUESTION = "What does fine-tuning do to SC and EF, and is a frozen auxiliary in a fine-tuned master (A) best?"


def answer(evidence: Evidence) -> Answer:
    """Compares profiles before and after fine-tuning, then setting A with the others."""
    return Answer("RQ5", QUESTION, (_structure(evidence), _edges(evidence), _best_setting(evidence)))


def _structure(evidence: Evidence) -> Finding:
    """Whether fine-tuning moves the structure encoder towards edges."""
    name, rows = evidence.name(evidence.structure), _changes(evidence, evidence.structure)
    if rows is None:
        return _no_profile(name)
    (ef, up, down), (sc, _, _) = _moves(rows, "ef"), _moves(rows, "sc")
    outcome = verdict(up, down, rows["ci_low"].notna().any())
    ending = {"agrees": ", towards edges as in the paper", "opposite": ", away from edges"}.get(outcome, "")
    return Finding(f"{name}, fine-tuned alone{_seeds(rows)}: {ef}{ending}; {sc}.", (outcome,))


def _edges(evidence: Evidence) -> Finding:
    """Whether the edge encoder's EF peak, which chose the stride, outlives fine-tuning."""
    name, rows = evidence.name(evidence.edges), _changes(evidence, evidence.edges)
    if rows is None:
        return _no_profile(name)
    ef = rows[rows["score"] == "ef"].set_index("stride")
    before, after = ({int(s): float(v) for s, v in ef[when].items()} for when in ("before", "after"))
    peaks = [suggested_stride(values) for values in (before, after)]
    if peaks[0] is None or peaks[1] is None or len(ef) < 2:
        return unknown(f"EF of {name} has no peak before or after fine-tuning.")
    said, up, down = _moves(rows, "ef")
    sharpness = [_sharpness(values) for values in (before, after)]
    flatter = sharpness[1] < sharpness[0]
    lost, moves = flatter or peaks[0] != peaks[1], up or down
    moved = f"stays at OS {peaks[0]}"
    if peaks[0] != peaks[1]:
        moved = f"moves from OS {peaks[0]} to OS {peaks[1]}"
    return Finding(
        f"{name}, fine-tuned alone{_seeds(rows)}: its EF peak {moved} and gets "
        f"{'flatter' if flatter else 'no flatter'} ({number(sharpness[0], 2)} times the mean of the other "
        f"strides before, {number(sharpness[1], 2)} after); {said}.",
        (verdict(moves and lost, moves and not lost),),
    )


def _best_setting(evidence: Evidence) -> Finding:
    """Setting A at its best stride against the best of the others."""
    metric = evidence.metric
    best = {s.title: (s, _best_stride(s, metric)) for s in evidence.sweep.settings}
    known = {title: (s, stride) for title, (s, stride) in best.items() if stride is not None}
    own = next((title for title, (s, _) in known.items() if s.name == "A"), None)
    absent = [name for name in "ABCD" if name not in {s.name for s, _ in known.values()}]
    if own is None or len(known) < 2:
        text = f"Whether A is the best setting is not known: {_swept(known)} swept over strides; "
        return unknown(f"{text}{in_a_row(absent)} {'is' if len(absent) == 1 else 'are'} missing.")
    others = {title: found for title, found in known.items() if title != own}
    rival = max(others, key=lambda title: others[title][0].level(others[title][1], metric).mean)
    (a, at), (b, there) = known[own], others[rival]
    by_seed = {s: a.group.at_seed(metric, s)[at] - b.group.at_seed(metric, s)[there] for s in a.group.seeds}
    found = difference(by_seed)
    outcome = judged(found)
    reached = [setting.level(stride, metric) for setting, stride in ((a, at), (b, there))]
    levels = [with_spread(level) for level in reached]
    text = (
        f"At its best stride (OS {at}), {own} has {metric} {levels[0]}; the best other setting, "
        f"{rival} at OS {there}, {levels[1]}: {in_points(found)}{ENDINGS[outcome]}."
    )
    if absent:
        text += f" Not swept: {in_a_row(absent)}."
    return Finding(text, (outcome,))


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


def _moves(rows: pd.DataFrame, score: str) -> tuple[str, list[int], list[int]]:
    """Where a score moves beyond its interval over images, in words; strides up, strides down."""
    of = rows[rows["score"] == score].sort_values("stride")
    strides = [int(stride) for stride in of["stride"]]
    up = [int(stride) for stride in of.loc[of["ci_low"] > 0, "stride"]]
    down = [int(stride) for stride in of.loc[of["ci_high"] < 0, "stride"]]
    parts = [
        f"{verb} at {strides_in_words(where, strides)}"
        for verb, where in (("rises", up), ("falls", down))
        if where
    ]
    if not parts:
        return f"{score.upper()} moves nowhere beyond the intervals over images", up, down
    return f"{score.upper()} {' and '.join(parts)}{_largest(of)}", up, down


def _largest(of: pd.DataFrame) -> str:
    row = of.loc[(of["after"] - of["before"]).abs().idxmax()]
    return f" (most at OS {int(row['stride'])}: {number(row['before'], 2)} → {number(row['after'], 2)})"


def _seeds(rows: pd.DataFrame) -> str:
    seeds = int(rows["seeds"].max())
    return " (one seed)" if seeds == 1 else f" (mean of {seeds} seeds)"


def _sharpness(ef: dict[int, float]) -> float:
    """The highest EF over the mean of the others."""
    values: Sequence[float] = sorted(value for value in ef.values() if not math.isnan(value))
    others = values[:-1]
    mean = math.fsum(others) / len(others) if others else math.nan
    return values[-1] / mean if mean else math.inf
