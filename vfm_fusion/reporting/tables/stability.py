"""How often other images, fewer images or other seeds give the same pair and stride."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import CHOICE_PARTS, EncoderLabels, full_label, label, leading, pretraining
from vfm_fusion.reporting.result_files import read_stability
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table
from vfm_fusion.selection.stability import PARTS, shares

KINDS = {
    "resamples": "Resampled, with replacement",
    "subsets": "Subset, without replacement",
    "seeds": "Other metric seeds, same images",
}


def stability_table(stability: Mapping[str, Any], labels: EncoderLabels) -> Table:
    """Builds the table of agreement with the choice on all images, in percent, and of what else was chosen.

    Args:
        stability: parsed ``stability.json``, see :func:`vfm_fusion.selection.stability.assess_stability`.
        labels: names in print; their order is the order of the rows.

    Raises:
        ReportingError: a chosen encoder has no label.
    """
    repetitions = stability["repetitions"]
    sections = [Section("Agreement with the choice (%)", _agreement_rows(repetitions))]
    resamples = next(r for r in repetitions if r["kind"] == "resamples")
    if resamples["reason"] is None:
        title = "What the resamples choose (%)"
        sections.append(Section(title, _outcome_rows(resamples, labels), ranked=False, fill=""))
    return Table(
        name="stability",
        caption=(
            f"Stability of the choice on {stability['images']} images of {stability['dataset']} by the "
            f"definition '{stability['definition']}', {leading(stability)}: how often a repetition on other "
            "images agrees with the choice on all of them."
        ),
        data=_tidy(stability),
        columns=(
            Column("what", "Repetition"),
            Column("images", "Images", digits=0),
            Column("draws", "Draws", digits=0),
            *(Column(part, title, digits=1) for part, title in CHOICE_PARTS.items()),
        ),
        sections=sections,
        notes=_notes(stability, labels),
    )


def _agreement_rows(repetitions: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [
        {"what": KINDS[repetition["kind"]], "images": repetition["images"], "draws": repetition["draws"]}
        | {
            part: Value.missing(repetition["reason"]) if share is None else 100 * share
            for part, share in repetition["agreement"].items()
        }
        for repetition in repetitions
    ]


def _outcome_rows(resamples: Mapping[str, Any], labels: EncoderLabels) -> list[Row]:
    by_part = {part: shares(resamples["outcomes"], part) for part in ("master", "auxiliary", "stride")}
    chosen = {key[0] for part in ("master", "auxiliary") for key in by_part[part]}
    rows: list[Row] = [
        {"what": Entry(label(labels, encoder), pretraining(labels, encoder))}
        | {part: 100 * by_part[part].get((encoder,), 0.0) for part in ("master", "auxiliary")}
        for encoder in labels
        if encoder in chosen
    ]
    for stride in sorted(key[0] for key in by_part["stride"] if key[0] is not None):
        rows.append({"what": f"OS {stride}", "stride": 100 * by_part["stride"][(stride,)]})
    undecided = by_part["stride"].get((None,), 0.0)
    if undecided:
        what = "nothing: a score is undefined on every drawn image"
        rows.append({"what": what} | dict.fromkeys(CHOICE_PARTS, 100 * undecided))
    return rows


def _notes(stability: Mapping[str, Any], labels: EncoderLabels) -> tuple[str, ...]:
    notes = [
        f"Choice on all images: master {full_label(labels, stability['master'])}, auxiliary "
        f"{full_label(labels, stability['auxiliary'])}, injected at OS {stability['stride']}.",
        "All encoders see the same images in every draw. Large subsets share most of their images, so their "
        "agreement is high by construction.",
    ]
    seeds = next((r for r in stability["repetitions"] if r["kind"] == "seeds"), None)
    if seeds is None:
        notes.append("The metric's own seed was not varied.")
    else:
        notes.append(
            f"Other seeds of the metric are compared with its own on the same {seeds['images']} images, "
            f"where that chooses {full_label(labels, seeds['reference']['master'])} and "
            f"{full_label(labels, seeds['reference']['auxiliary'])} at OS {seeds['reference']['stride']}."
        )
    return tuple(notes)


def _tidy(stability: Mapping[str, Any]) -> pd.DataFrame:
    """One row per repetition, part and outcome; an unknown share is empty beside its reason."""
    rows = []
    for repetition in stability["repetitions"]:
        for part, keys in PARTS.items():
            agreed = tuple(repetition["reference"][key] for key in keys)
            for outcome, share in shares(repetition["outcomes"], part).items():
                rows.append(
                    {
                        "kind": repetition["kind"],
                        "images": repetition["images"],
                        "draws": repetition["draws"],
                        "part": part,
                        "outcome": " + ".join("none" if value is None else str(value) for value in outcome),
                        "as_chosen": outcome == agreed,
                        "share": None if repetition["reason"] else share,
                        "reason": repetition["reason"] or "",
                    }
                )
    return pd.DataFrame(rows)


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_stability``."""
    return stability_table(read_stability(inputs["stability"][0]), dict(settings["encoders"]))
