"""SC and EF of maps with a known answer, and whether each definition ranks them right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.metrics.controls import CONTROLS
from vfm_fusion.profiles.control_order import SCORES
from vfm_fusion.reporting.cells import MISSING, Value
from vfm_fusion.reporting.control_results import (
    DIGITS,
    Controls,
    best_sentence,
    definition_sentence,
    read_controls,
    rule_sentence,
    verdict,
)
from vfm_fusion.reporting.remedies import Remedies, Words, plain_words
from vfm_fusion.reporting.table import Column, Row, Section, Table

BLOCKS = {"ef": "EF", "sc": "SC"}
"""Order of the scores."""


def controls_table(controls: Controls, dataset: str, words: Words = plain_words) -> Table:
    """Builds the table: per score and definition, one row a stride with the mean of every control.

    Args:
        controls: see :func:`vfm_fusion.reporting.control_results.read_controls`.
        dataset: name of the data set.
        words: says why a score is undefined.
    """
    sections = [
        Section(
            f"{BLOCKS[score]} by the definition '{definition}'", _rows(controls, definition, score, words)
        )
        for score in SCORES
        for definition in controls.definitions
    ]
    return Table(
        name="controls",
        caption=(
            "Edge Fidelity (EF, 0 to 100) and Structural Coherence (SC, 0 to 1) of feature maps with a known "
            f"answer, made from images of {dataset}: mean over images per metric definition and output "
            "stride (OS), and whether their order is right."
        ),
        data=_tidy(controls),
        columns=(
            Column("stride", "OS", digits=0),
            *(Column(name, name.capitalize(), "Control", DIGITS, best="max") for name in CONTROLS),
            Column("verdict", "Order"),
            Column("agreeing", "Agreeing"),
        ),
        sections=sections,
        notes=(
            rule_sentence(controls),
            *(definition_sentence(controls, definition) for definition in controls.definitions),
            best_sentence(controls),
            "Bold: highest value of the row. Agreeing: images on which each comparison holds by itself, in "
            "the order above; 'of' names how many have both values, where some lack one.",
        ),
        best_in="row",
    )


def _rows(controls: Controls, definition: str, score: str, words: Words) -> list[Row]:
    rows = []
    for stride in controls.strides:
        checks = controls.checks_of(definition, score, stride)
        of = {name: controls.mean(definition, score, stride, name) for name in CONTROLS}
        means = {
            name: Value(row["mean"]).because(
                words(row["reason"], definition, stride) if row["undefined"] else ""
            )
            for name, row in of.items()
        }
        said = {"verdict": verdict(checks), "agreeing": _agreeing(checks, len(controls.images))}
        rows.append({"stride": stride} | means | said)
    return rows


def _agreeing(checks: pd.DataFrame, images: int) -> str:
    compared = checks[checks["relation"] != "undefined"]
    return ", ".join(
        MISSING
        if check.images == 0
        else f"{check.agreeing}" + (f" of {check.images}" if check.images < images else "")
        for check in compared.itertuples()
    )


def _tidy(controls: Controls) -> pd.DataFrame:
    """Means and comparisons, one a row; what does not apply to one of them is empty."""
    means = controls.means.rename(columns={"mean": "value"}).assign(statistic="mean")
    checks = controls.checks.rename(columns={"difference": "value"}).assign(statistic="difference")
    columns = [*("definition", "score", "stride", "statistic", "control", "relation", "other", "value")]
    columns += [*("standard_error", "images", "undefined", "agreeing", "holds", "reason")]
    tidy = pd.concat([means, checks], ignore_index=True).reindex(columns=columns)
    return tidy.astype({"undefined": "Int64", "agreeing": "Int64"})


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_controls``."""
    words = Remedies.of(inputs["sizes"][0], settings["remedies"]).words
    return controls_table(read_controls(inputs["controls"][0]), settings["dataset"], words)
