"""SC and EF levels, ranks and the chosen pair under other metric settings (the paper's App. A.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, label, pretraining
from vfm_fusion.reporting.sensitivity import Effect, Sensitivity, shown_setting, shown_value
from vfm_fusion.reporting.sensitivity_text import (
    choice_sentence,
    largest_change_sentence,
    order_sentence,
    pair_text,
    strides_sentence,
    subset_sentence,
)
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table
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
        subset_sentence(sensitivity, selection, labels),
        *(order_sentence(sensitivity, score) for score in SCORES),
        choice_sentence(sensitivity, labels),
        largest_change_sentence(sensitivity, labels),
        *(strides_sentence(sensitivity, score) for score in SCORES),
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
        sections=tuple(sections),
        notes=tuple(note for note in notes if note),
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
    return pair_text(effect.choice, labels, but=base.choice)


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
