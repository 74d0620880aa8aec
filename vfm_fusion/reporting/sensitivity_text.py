"""How far scores, ranks and the chosen pair depend on metric settings, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfm_fusion.reporting.labels import EncoderLabels, label
from vfm_fusion.reporting.sensitivity import Effect, Sensitivity, listed
from vfm_fusion.selection.candidates import Pair
from vfm_fusion.selection.rule import SCORES, Score


def order_sentence(sensitivity: Sensitivity, score: Score) -> str:
    """Says in how many variants the encoders keep their ranks; empty if no setting of the score is swept."""
    variants = [
        effect for effects in sensitivity.of(score).values() for effect in effects if not effect.baseline
    ]
    if not variants:
        return ""
    name, ranks = score.upper(), sensitivity.baseline.ranks[score]
    undefined = [effect for effect in variants if not effect.ranks[score]]
    changed = [effect for effect in variants if effect.ranks[score] and effect.ranks[score] != ranks]
    same = len(variants) - len(undefined) - len(changed)
    text = f"The {name} order of the encoders is unchanged in {same} of {len(variants)} variants"
    if changed:
        text += f"; it changes for {listed(changed)}"
    if undefined:
        text += f"; {name} is undefined at every stride for {listed(undefined)}"
    return text + "."


def choice_sentence(sensitivity: Sensitivity, labels: EncoderLabels) -> str:
    """Says in how many variants the rule chooses the same master, auxiliary and stride as the baseline."""
    variants, base = sensitivity.variants, sensitivity.baseline.choice
    if base is None:
        return "By the baseline no pair can be chosen on these images."
    if not variants:
        return ""
    same = sum(effect.choice == base for effect in variants)
    text = f"The baseline's choice, {pair_text(base, labels)}, stays in {same} of {len(variants)} variants."
    for part in ("master", "auxiliary", "stride"):
        changed = [
            effect
            for effect in variants
            if effect.choice is not None and getattr(effect.choice, part) != getattr(base, part)
        ]
        if changed:
            text += f" The {part} changes for {listed(changed)}."
    without = [effect for effect in variants if effect.choice is None]
    return text + (f" Nothing can be chosen for {listed(without)}." if without else "")


def subset_sentence(sensitivity: Sensitivity, selection: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Says whether the images of the sweep give the choice that all profiled images give."""
    full = Pair(selection["master"], selection["auxiliary"], selection["stride"])
    text = f"n = {sensitivity.images} images, evenly spaced"
    if sensitivity.baseline.choice == full:
        text += "; the baseline's choice on them is the one on all profiled images."
    else:
        text += f"; on all profiled images the choice is another one: {pair_text(full, labels)}."
    if sensitivity.partial:
        text += (
            f" {sensitivity.partial} of {sensitivity.means} means over images leave out some, on which the "
            "score is undefined."
        )
    return text


def largest_change_sentence(sensitivity: Sensitivity, labels: EncoderLabels) -> str:
    """Names the largest relative change of a level per score, of variants defined at the same strides."""
    parts = []
    for score in SCORES:
        changes = [
            (effect.levels[score][encoder] / level - 1, encoder, effect)
            for effect in sensitivity.variants
            for encoder, level in sensitivity.baseline.levels[score].items()
            if level > 0 and effect.strides[score] == sensitivity.baseline.strides[score]
        ]
        change, encoder, effect = max(changes, key=lambda item: abs(item[0]), default=(0.0, "", None))
        if effect is not None and change:
            parts.append(
                f"{score.upper()} of {label(labels, encoder)} by {_percent(change)} ({listed([effect])})"
            )
    if not parts:
        return "No level changes."
    return f"Largest changes of a level over the same strides: {', '.join(parts)}."


def strides_sentence(sensitivity: Sensitivity, score: Score) -> str:
    """Names the variants whose levels rest on other strides than the baseline's; empty if there are none."""
    usual = sensitivity.baseline.strides[score]
    others: dict[tuple[int, ...], list[Effect]] = {}
    for effect in sensitivity.variants:
        if effect.strides[score] != usual:
            others.setdefault(effect.strides[score], []).append(effect)
    if not others:
        return ""
    cases = [
        f"for {listed(effects)} over {_strides(strides)}{_why_fewer(usual, effects[0], score)}"
        for strides, effects in others.items()
    ]
    return (
        f"An {score.upper()} level is the mean over {_strides(usual)}, where every encoder has one; "
        f"{', '.join(cases)}."
    )


def pair_text(pair: Pair, labels: EncoderLabels, but: Pair | None = None) -> str:
    """Names a choice, ``master A, auxiliary B, OS 16``; of one that differs from ``but``, what differs."""
    parts = {
        "master": f"master {label(labels, pair.master)}",
        "auxiliary": f"auxiliary {label(labels, pair.auxiliary)}",
        "stride": f"OS {pair.stride}",
    }
    differing = [
        text for part, text in parts.items() if but is None or getattr(but, part) != getattr(pair, part)
    ]
    return ", ".join(differing)


def _why_fewer(usual: tuple[int, ...], effect: Effect, score: Score) -> str:
    return "" if set(usual) <= set(effect.strides[score]) else f" ({effect.reasons[score]})"


def _strides(strides: tuple[int, ...]) -> str:
    return f"OS {', '.join(map(str, strides))}" if strides else "no stride"


def _percent(change: float) -> str:
    return f"{change:+.0%}".replace("-", "−").replace("%", " %")
