"""SC and EF of every encoder at every output stride (the paper's Tables 5 and 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.labels import EncoderLabels, label, pretraining
from vfm_fusion.reporting.table import Column, Section, Table

SCORES = {"sc": ("SC", 2), "ef": ("EF", 2)}
"""Score key to its name in print and its decimals."""


def profiles_table(
    profiles: pd.DataFrame,
    labels: EncoderLabels,
    selection: Mapping[str, Any],
    published: pd.DataFrame | None = None,
) -> Table:
    """Builds the table of profiles: SC in [0, 1] and EF in [0, 100], mean over images with 95 % intervals.

    Args:
        profiles: see :func:`vfm_fusion.reporting.inputs.read_profiles`.
        labels: names in print; their order is the order of the rows.
        selection: parsed ``selection.json``; the chosen roles and injection stride are marked.
        published: rows of a published profile table, shown below as a section of its own.

    Raises:
        ReportingError: an encoder lacks a label or a profile of SC or EF at one of the strides.
    """
    for encoder in profiles["encoder"].unique():
        label(labels, encoder)
    encoders = [encoder for encoder in labels if encoder in set(profiles["encoder"])]
    strides = sorted(int(stride) for stride in profiles["stride"].unique())
    shown = profiles[profiles["score"].isin(SCORES)]
    by_key = {(row.encoder, int(row.stride), row.score): row for row in shown.itertuples()}
    rows = [_row(encoder, strides, by_key, labels, selection) for encoder in encoders]
    sections = [Section("", pd.DataFrame(rows))]
    notes = [_images_note(shown), _marks_note(selection)]
    if published is not None:
        sections = [Section("Measured", pd.DataFrame(rows)), _published_section(published, strides)]
        notes.append(_published_note(published))
    return Table(
        name="profiles",
        caption=(
            "Structural Coherence (SC, 0 to 1) and Edge Fidelity (EF, 0 to 100) per encoder and output "
            f"stride (OS) on {selection['dataset']}, label-free; mean over images [95 % bootstrap interval]."
        ),
        data=_tidy(profiles, labels, encoders),
        columns=_columns(strides),
        sections=tuple(sections),
        notes=tuple(notes),
    )


def _columns(strides: list[int]) -> tuple[Column, ...]:
    columns = [Column("encoder", "Encoder, pretraining", detail="pretraining"), Column("role", "Role")]
    for score, (name, digits) in SCORES.items():
        for stride in strides:
            key = f"{score}_{stride}"
            columns.append(
                Column(
                    key,
                    f"OS {stride}",
                    group=name,
                    digits=digits,
                    best="max",
                    interval=(f"{key}_low", f"{key}_high"),
                    reason=f"{key}_reason",
                    underline=f"{key}_chosen",
                )
            )
    return tuple(columns)


def _row(
    encoder: str,
    strides: list[int],
    by_key: Mapping[tuple[str, int, str], Any],
    labels: EncoderLabels,
    selection: Mapping[str, Any],
) -> dict[str, Any]:
    roles = [role for role in ("master", "auxiliary") if selection[role] == encoder]
    row: dict[str, Any] = {
        "encoder": label(labels, encoder),
        "pretraining": pretraining(labels, encoder),
        "role": ", ".join(roles),
    }
    for score in SCORES:
        for stride in strides:
            cell = by_key.get((encoder, stride, score))
            if cell is None:
                raise ReportingError(f"encoder {encoder!r} has no {score} at OS {stride}; profile it again")
            chosen = (encoder, stride, score) == (
                selection["auxiliary"],
                selection["stride"],
                selection["stride_by"],
            )
            reason = cell.reason.replace("_", " ") if isinstance(cell.reason, str) else ""
            row |= _cells(f"{score}_{stride}", cell.mean, cell.ci_low, cell.ci_high, reason, chosen)
    return row


def _cells(key: str, mean: float, low: float, high: float, reason: Any, chosen: bool) -> dict[str, Any]:
    return {
        key: mean,
        f"{key}_low": low,
        f"{key}_high": high,
        f"{key}_reason": reason,
        f"{key}_chosen": chosen,
    }


def _tidy(profiles: pd.DataFrame, labels: EncoderLabels, encoders: list[str]) -> pd.DataFrame:
    tidy = profiles.copy()
    tidy.insert(1, "label", [label(labels, encoder) for encoder in tidy["encoder"]])
    tidy.insert(2, "pretraining", [pretraining(labels, encoder) for encoder in tidy["encoder"]])
    order = {encoder: index for index, encoder in enumerate(encoders)}
    return tidy.sort_values(
        ["encoder", "score", "stride"],
        key=lambda column: column.map(order) if column.name == "encoder" else column,
        kind="stable",
        ignore_index=True,
    )


def _images_note(shown: pd.DataFrame) -> str:
    counts = sorted({int(count) for count in shown["images"] + shown["undefined"]})
    total = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    undefined = shown[shown["undefined"] > 0]
    note = f"n = {total} images."
    if len(undefined):
        worst = int(undefined["undefined"].max())
        note += (
            f" A score is undefined on up to {worst} of them ({len(undefined)} of {len(shown)} cells); "
            "the mean is over the others, and the CSV file holds the count and reason of each cell."
        )
    return note + " Bold: best measured value of the column."


def _marks_note(selection: Mapping[str, Any]) -> str:
    by = selection["stride_by"].upper()
    return (
        f"Chosen for task '{selection['task']}': master and auxiliary as marked; underlined: the auxiliary's "
        f"peak {by}, hence injection at OS {selection['stride']}."
    )


def _published_section(published: pd.DataFrame, strides: list[int]) -> Section:
    values = {
        (row.model, int(row.output_stride), row.metric.lower()): float(row.value)
        for row in published.itertuples()
        if row.metric.lower() in SCORES
    }
    rows = []
    for model in published["model"].unique():
        row: dict[str, Any] = {"encoder": model, "pretraining": "", "role": ""}
        for score in SCORES:
            for stride in strides:
                value = values.get((model, stride, score), float("nan"))
                row |= _cells(f"{score}_{stride}", value, float("nan"), float("nan"), "", False)
        rows.append(row)
    title = f"Published (Table {published['table'].iloc[0]}), pretrained weights"
    return Section(title, pd.DataFrame(rows), ranked=False, absent="not published")


def _published_note(published: pd.DataFrame) -> str:
    sources = ", ".join(sorted(set(published["source"])))
    datasets = ", ".join(sorted(set(published["dataset"])))
    return (
        f"Published values are of full-size encoders on {datasets} ({sources}), without intervals; "
        "—: not published."
    )
