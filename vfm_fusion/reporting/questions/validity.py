"""RQ4: whether SC follows the ground truth, and EF what an injection gains."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from vfm_fusion.reporting.cells import in_a_row, p_in_words, signed
from vfm_fusion.reporting.image_scores import MEASURES
from vfm_fusion.reporting.questions.answer import ENDINGS, Answer, Finding, unknown
from vfm_fusion.reporting.questions.evidence import Evidence
from vfm_fusion.reporting.significance import SIGNIFICANT, RankCorrelation, correlate
from vfm_fusion.reporting.stride_sweep import Setting
from vfm_fusion.reporting.verdicts import Outcome, part

QUESTION = "Do SC and EF measure what they mean: regions of the ground truth, and what an injection gains?"

Pairs = list[tuple[float, float]]
_KINDS = {"semantic": "classes", "instance": "objects"}


def answer(evidence: Evidence) -> Answer:
    """Correlates ranks of SC with SC_GT over encoders, and of EF with the gain over strides."""
    return Answer("RQ4", QUESTION, (*(_supervised(evidence, kind) for kind in _KINDS), _gains(evidence)))


def evidence_of(
    found: RankCorrelation, of: str, *, images: int, seeds: int | None = None
) -> tuple[Outcome, str]:
    """Says how strong a rank correlation is as evidence, ``of`` = "encoders", and what n can show."""
    clear = found.p <= SIGNIFICANT
    outcome = part(int(clear and found.rho > 0) - int(clear and found.rho < 0), seeds=seeds, images=images)
    if outcome != "unclear":
        return outcome, ENDINGS[outcome]
    if not found.conclusive:
        return outcome, f"; {found.n} {of} cannot reach p ≤ {SIGNIFICANT:g}, whatever their order"
    return outcome, ": not distinguishable from chance"


def _supervised(evidence: Evidence, kind: str) -> Finding:
    """SC against SC_GT by one kind of labels."""
    title = f"SC_GT of {_KINDS[kind]}"
    means = evidence.supervised[evidence.supervised["statistic"] == "mean"]
    by = {m: dict(zip(of["encoder"], of["value"], strict=True)) for m, of in means.groupby("measure")}
    sc, truth = by.get(MEASURES["sc"], {}), by.get(MEASURES[kind], {})
    found = correlate([(value, truth.get(encoder, math.nan)) for encoder, value in sc.items()])
    if found.reason:
        return unknown(f"SC was not compared with {title}: {found.reason}.")
    images = int(means.loc[means["measure"].isin([MEASURES["sc"], MEASURES[kind]]), "n"].min())
    outcome, ending = evidence_of(found, "encoders", images=images)
    order = {1.0: "in the same order", -1.0: "in the opposite order"}.get(round(found.rho, 9), "differently")
    return Finding(
        f"SC and {title} rank the {found.n} encoders {order} (ρ = {signed(found.rho)}, "
        f"{p_in_words(found.p)}){ending}.",
        (outcome,),
    )


def _gains(evidence: Evidence) -> Finding:
    """EF of the auxiliary against what its injection gains, per setting and over all of them.

    Settings with one auxiliary share its EF, so they count as one: their gains are averaged.
    """
    if not evidence.sweep.settings:
        return unknown(
            "EF was not compared with gains: no pair was trained at two or more injection strides."
        )
    metric = evidence.metric
    pairs = {setting.title: _pairs(setting, metric) for setting in evidence.sweep.settings}
    pooled = correlate(_pooled(evidence.sweep.settings, metric))
    if pooled.reason:
        why = _why(evidence, metric) or pooled.reason
        return unknown(f"EF was not compared with the gain in {metric}: {why}.")
    each = {title: correlate(of) for title, of in pairs.items()}
    said = [f"{title} {_rho(found)}" for title, found in each.items()]
    smallest = min((found.smallest_p for found in each.values() if not found.reason), default=math.nan)
    text = f"EF and the gain in {metric} over the strides of a setting: {in_a_row(said)}"
    if smallest > SIGNIFICANT:
        text += " (none can be significant alone)"
    outcome, ending = evidence_of(
        pooled, "pairs of auxiliary and stride", images=evidence.images, seeds=evidence.seeds
    )
    if len(pairs) > 1:
        text += f"; {pooled.n} pairs of auxiliary and stride pooled: {_rho(pooled)}, {p_in_words(pooled.p)}"
    else:
        text += f", {p_in_words(pooled.p)}"
    return Finding(f"{text}{ending}.", (outcome,))


def _pooled(settings: Sequence[Setting], metric: str) -> Pairs:
    """EF of every auxiliary and stride, with the mean gain over the settings that inject it there."""
    gains: dict[tuple[str, float], list[float]] = {}
    for setting in settings:
        for stride, (ef, gain) in _by_stride(setting, metric).items():
            gains.setdefault((f"{setting.group.auxiliary} at {stride}", ef), []).append(gain)
    return [(ef, statistics.fmean(found)) for (_, ef), found in gains.items()]


def _pairs(setting: Setting, metric: str) -> Pairs:
    """EF and gain at the strides where both are defined."""
    return list(_by_stride(setting, metric).values())


def _by_stride(setting: Setting, metric: str) -> dict[int, tuple[float, float]]:
    found = {
        stride: (setting.ef.get(stride, math.nan), setting.group.gain((stride,), metric).mean)
        for stride in setting.group.single
    }
    return {s: pair for s, pair in found.items() if not any(math.isnan(value) for value in pair)}


def _why(evidence: Evidence, metric: str) -> str:
    """The first reason for which a gain is undefined; empty where all are defined."""
    gains = [s.group.gain((stride,), metric) for s in evidence.sweep.settings for stride in s.group.single]
    return next((gain.reason for gain in gains if gain.reason), "")


def _rho(found: RankCorrelation) -> str:
    return f"undefined ({found.reason})" if found.reason else f"ρ = {signed(found.rho)}"
