"""Which score predicts the best injection stride: hits, regret and rank correlation, beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value, in_a_row
from vfm_fusion.reporting.predictor_settings import counted, settings_in_words
from vfm_fusion.reporting.predictor_skill import (
    CONSTANT,
    HELD_OUT_CONSTANT,
    HELD_OUT_PREDICTOR,
    RANDOM,
    Comparison,
    Skill,
    brackets_in_words,
    read_comparison,
    title_of_way,
)
from vfm_fusion.reporting.table import Column, Row, Section, Table

_COLUMNS = (
    Column("what", "The stride of"),
    Column("n", "Settings", digits=0),
    Column("hits", "Hits (%)", digits=0, best="max", shows="interval"),
    Column("regret", "Regret", digits=2, best="min", shows="interval"),
    Column("rho", "Spearman's ρ", digits=2, best="max", shows="interval"),
    Column("over_random", "random", "Points over", digits=2, shows="interval"),
    Column("over_ef", "EF", "Points over", digits=2, shows="interval"),
)
_EXPLAINED = (
    "Hits: no other trained stride is better, by the means over seeds. Regret: points that its stride lacks "
    "to the best one. ρ: of the score with the result over the strides of a setting, averaged. Points over: "
    "what its stride brings over a stride drawn at random, and over the one of EF ({}); positive is better."
)


def predictors_table(comparison: Comparison) -> Table:
    """Builds the table: one row for every way to choose the stride.

    Args:
        comparison: the ways, on the settings of all pooled points.
    """
    free = comparison.label_free
    labelled = [key for key in comparison.predictors if key not in free]
    constants = [CONSTANT.format(stride) for stride in comparison.strides]
    sections = [
        Section("The highest value of a score without labels", _rows(comparison, free)),
        Section("Upper bound: a score that learns from labels", _rows(comparison, labelled), ranked=False),
        Section("No score", _rows(comparison, [RANDOM, *constants]), ranked=False),
        Section(
            "Chosen on the other data sets",
            _rows(comparison, [HELD_OUT_CONSTANT, HELD_OUT_PREDICTOR]),
            ranked=False,
        ),
    ]
    return Table(
        name="predictors",
        caption=(
            "Which score, known before any training, names the best stride to inject at: hits, points lost "
            "to the best stride, and rank correlation, each with its 95 % interval."
        ),
        data=pd.DataFrame(
            _records(comparison),
            columns=["way", "dataset", "statistic", "value", "low", "high", "n", "choice", "reason"],
        ),
        columns=_COLUMNS,
        sections=sections if comparison.settings else [],
        notes=_notes(comparison),
    )


def _rows(comparison: Comparison, ways: Sequence[str]) -> list[Row]:
    return [
        {
            "what": title_of_way(way),
            "n": comparison.skills[way].regret.n,
            **_statistics(comparison, way),
        }
        for way in ways
    ]


def _statistics(comparison: Comparison, way: str, dataset: str = "") -> dict[str, Value]:
    """All numbers of a way, over all data sets or on one."""

    def on(name: str) -> Skill:
        return comparison.skills[name].on(dataset) if dataset else comparison.skills[name]

    own, reference = on(way), comparison.reference
    none = Value.missing("no definition of EF was computed")
    return {
        "hits": own.hits,
        "regret": own.regret,
        "rho": own.rho,
        "over_random": own.over(on(RANDOM)),
        "over_ef": none if reference is None else own.over(on(reference)),
    }


def _records(comparison: Comparison) -> list[dict[str, Any]]:
    """The numbers of every way over all data sets and on each, and what is chosen elsewhere for each."""
    ways = comparison.skills if comparison.settings else {}
    records = [
        {"way": way, "dataset": dataset or "all", "statistic": statistic, "value": value.mean}
        | {"low": value.low, "high": value.high, "n": value.n, "choice": "", "reason": value.reason}
        for way, dataset in product(ways, ["", *comparison.datasets])
        for statistic, value in _statistics(comparison, way, dataset).items()
    ]
    return records + [
        {"way": way, "dataset": dataset, "statistic": "chosen", "choice": choice or ""}
        for way in (HELD_OUT_CONSTANT, HELD_OUT_PREDICTOR)
        for dataset, choice in comparison.chosen(way).items()
    ]


def _notes(comparison: Comparison) -> list[str]:
    settings = comparison.settings
    if not settings:
        return [
            "No pair was trained at two or more single strides with a defined result: there is no setting."
        ]
    scores = len(comparison.label_free)
    return [
        settings_in_words(settings),
        _EXPLAINED.format(title_of_way(comparison.reference) if comparison.reference else "not computed"),
        brackets_in_words(comparison.bootstrap),
        f"{scores} scores without labels are looked at, so that chance alone favours some of them. What is "
        "chosen on the other data sets is judged on data that had no say; the products were fixed before any "
        "result.",
        *(_chosen_note(comparison, way) for way in (HELD_OUT_CONSTANT, HELD_OUT_PREDICTOR)),
        *_undefined_notes(comparison),
    ]


def _chosen_note(comparison: Comparison, way: str) -> str:
    chosen = {name: choice for name, choice in comparison.chosen(way).items() if choice}
    if not chosen:
        return ""
    said = [f"{title_of_way(choice)} for {dataset}" for dataset, choice in chosen.items()]
    return f"{title_of_way(way)}: {in_a_row(said)}."


def _undefined_notes(comparison: Comparison) -> list[str]:
    """Says of predictors that are defined in some settings alone in how many they are not, and why."""
    notes = []
    for key in comparison.predictors:
        skill = comparison.skills[key]
        if 0 < skill.regret.n < len(comparison.settings):
            count = len(comparison.settings) - skill.regret.n
            notes.append(
                f"{title_of_way(key)} takes no stride in {counted(count, 'setting')}: {skill.reason}."
            )
    return notes


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_predictors``."""
    return predictors_table(read_comparison(inputs["points"], settings))
