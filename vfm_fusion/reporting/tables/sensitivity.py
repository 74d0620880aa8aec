"""SC and EF levels, ranks and the chosen pair under other metric settings (the paper's App. A.1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, label, pretraining
from vfm_fusion.reporting.result_files import chosen_among, read_selection
from vfm_fusion.reporting.sensitivity import (
    Effect,
    Sensitivity,
    listed,
    order_sentence,
    read_sweeps,
    sensitivity_of,
    shown_setting,
    shown_value,
)
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table
from vfm_fusion.selection.candidates import Pair
from vfm_fusion.selection.rule import SCORES, Score

BASELINE = "baseline"
SAME = "same"
NO_CHOICE = "none can be made"
NO_STRIDE = "there is no stride at which the score is defined for every encoder"


def sensitivity_table(sensitivity: Sensitivity, labels: EncoderLabels, selection: Mapping[str, Any]) -> Table:
    """Builds the table: per score, one row per swept setting and value.

    A row holds the level of every encoder, the ranks, and what the selection rule (Eq. 9) chooses.

    Args:
        sensitivity: see :func:`vfm_fusion.reporting.sensitivity.sensitivity_of`.
        labels: names in print; their order is the order of the columns.
        selection: parsed ``selection.json``: the choice on all profiled images.

    Raises:
        ReportingError: an encoder has no label.
    """
    for encoder in sensitivity.encoders:
        label(labels, encoder)
    encoders = [encoder for encoder in labels if encoder in sensitivity.encoders]
    sections = [
        Section(f"{name} ({score.upper()})", _rows(sensitivity, score, encoders, labels))
        for score, name in SCORES.items()
        if sensitivity.of(score)
    ]
    notes = [
        _subset_sentence(sensitivity, selection, labels),
        *(order_sentence(sensitivity, score) for score in SCORES),
        _choice_sentence(sensitivity, labels),
        _largest_change_sentence(sensitivity, labels),
        *(_strides_sentence(sensitivity, score) for score in SCORES),
        "Bold: highest level of the row. Ranks: of the encoders in the order of the columns, 1 is highest; "
        "underlined where they are not the baseline's.",
    ]
    return Table(
        name="sensitivity",
        caption=(
            "Level of every encoder (mean over images and output strides) on "
            f"{selection['dataset']} when one setting at a time of the definition "
            f"'{selection['definition']}' takes another value; a setting is shown below the score that "
            "depends on it."
        ),
        data=_tidy(sensitivity, encoders, labels),
        columns=_columns(encoders, labels),
        sections=sections,
        notes=notes,
        best_in="row",
    )


def _columns(encoders: list[str], labels: EncoderLabels) -> tuple[Column, ...]:
    return (
        Column("setting", "Setting"),
        Column("value", "Value"),
        *(
            Column(encoder, label(labels, encoder), group="Level", digits=2, best="max")
            for encoder in encoders
        ),
        Column("ranks", "Ranks"),
        Column("choice", "Choice"),
    )


def _rows(sensitivity: Sensitivity, score: Score, encoders: list[str], labels: EncoderLabels) -> list[Row]:
    base = sensitivity.baseline
    rows = []
    for setting, effects in sensitivity.of(score).items():
        for position, effect in enumerate(effects):
            ranks, reason = effect.ranks[score], f"{NO_STRIDE}: {effect.reasons[score]}"
            in_order = " ".join(str(ranks[encoder]) for encoder in encoders) if ranks else ""
            rows.append(
                {
                    "setting": "" if position else shown_setting(setting),
                    "value": shown_value(effect.value),
                    **{encoder: Value(effect.levels[score][encoder]).because(reason) for encoder in encoders},
                    "ranks": Entry(in_order, underline=bool(ranks) and ranks != base.ranks[score]),
                    "choice": _choice_text(effect, base, labels),
                }
            )
    return rows


def _choice_text(effect: Effect, base: Effect, labels: EncoderLabels) -> str:
    """What the rule chooses otherwise than by the baseline."""
    if effect.choice is None:
        return NO_CHOICE
    if effect.baseline or effect.choice == base.choice:
        return BASELINE if effect.baseline else SAME
    return _pair_text(effect.choice, labels, but=base.choice)


def _tidy(sensitivity: Sensitivity, encoders: list[str], labels: EncoderLabels) -> list[Row]:
    rows = []
    for score in SCORES:
        for setting, effects in sensitivity.of(score).items():
            for effect in effects:
                rows += [
                    {
                        "setting": setting,
                        "value": effect.value,
                        "baseline": effect.baseline,
                        "score": score,
                        "encoder": encoder,
                        "label": label(labels, encoder),
                        "pretraining": pretraining(labels, encoder),
                        "level": effect.levels[score][encoder],
                        "rank": effect.ranks[score].get(encoder),
                        "strides": " ".join(map(str, effect.strides[score])),
                        "reason": effect.reasons[score],
                        "master": effect.choice.master if effect.choice else None,
                        "auxiliary": effect.choice.auxiliary if effect.choice else None,
                        "stride": effect.choice.stride if effect.choice else None,
                        "same_choice": effect.choice == sensitivity.baseline.choice,
                    }
                    for encoder in encoders
                ]
    return pd.DataFrame(rows).astype({"rank": "Int64", "stride": "Int64"})


def _choice_sentence(sensitivity: Sensitivity, labels: EncoderLabels) -> str:
    """Says in how many variants the rule chooses the same master, auxiliary and stride as the baseline."""
    variants, base = sensitivity.variants, sensitivity.baseline.choice
    if base is None:
        return "By the baseline no pair can be chosen on these images."
    if not variants:
        return ""
    same = sum(effect.choice == base for effect in variants)
    text = f"The baseline's choice, {_pair_text(base, labels)}, stays in {same} of {len(variants)} variants."
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


def _subset_sentence(sensitivity: Sensitivity, selection: Mapping[str, Any], labels: EncoderLabels) -> str:
    """Says whether the images of the sweep give the choice that all profiled images give."""
    auxiliary, text = selection["auxiliary"], f"n = {sensitivity.images} images, evenly spaced"
    stride = selection["stride"]
    if "rule" in selection:  # it reads more than was swept
        stride = selection["peaks"][auxiliary]
        text += f"; strides are those of the peak {selection['stride_by'].upper()}, not of selection.rule"
    full = Pair(selection["master"], auxiliary, stride)
    if sensitivity.baseline.choice == full:
        text += "; the baseline's choice on them is the one on all profiled images."
    else:
        text += f"; on all profiled images the choice is another one: {_pair_text(full, labels)}."
    if sensitivity.partial:
        text += (
            f" {sensitivity.partial} of {sensitivity.means} means over images leave out some, on which the "
            "score is undefined."
        )
    return text


def _largest_change_sentence(sensitivity: Sensitivity, labels: EncoderLabels) -> str:
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


def _strides_sentence(sensitivity: Sensitivity, score: Score) -> str:
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


def _pair_text(pair: Pair, labels: EncoderLabels, but: Pair | None = None) -> str:
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


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_sensitivity``."""
    labels = dict(settings["encoders"])
    selection = read_selection(inputs["selection"][0])
    paths = dict(zip(labels, inputs["sweeps"], strict=True))
    sweeps = read_sweeps({encoder: paths[encoder] for encoder in chosen_among(selection)})
    sensitivity = sensitivity_of(sweeps, selection["task"], selection["stride_by"])
    return sensitivity_table(sensitivity, labels, selection)
