"""SC and EF of every encoder at every output stride (the paper's Tables 5 and 9)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.profiles.null_excess import EXCESS
from vfm_fusion.reporting.cells import MISSING, Value, number
from vfm_fusion.reporting.labels import EncoderLabels, label, leading, pretraining, stride_reason
from vfm_fusion.reporting.published import published_note, published_section, shown_table
from vfm_fusion.reporting.remedies import Remedies, Words, plain_words
from vfm_fusion.reporting.result_files import definitions_in_order, read_choice, read_profiles
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

SCORES = {"sc": ("SC", 2), "ef": ("EF", 2)}
"""Score key to its name in print and its decimals."""
NOT_CLEARED = "†"
"""Marks a null floor that the score does not clear."""
_ONE_IMAGE = "n = 1"
"""Stands in place of an interval, which one image does not have."""

Rows = Mapping[tuple[str, str, int, str], Any]
"""Profile rows by definition, encoder, stride and score."""


def profiles_table(
    profiles: pd.DataFrame,
    labels: EncoderLabels,
    selection: Mapping[str, Any],
    published: pd.DataFrame | None = None,
    words: Words = plain_words,
) -> Table:
    """Builds the table of profiles: SC and EF, mean over images with 95 % intervals and null floors.

    The definition that pairs the encoders comes first, then every other one in a section of its own.

    Args:
        profiles: see :func:`vfm_fusion.reporting.result_files.read_profiles`.
        labels: names in print; their order is the order of the rows.
        selection: see :func:`vfm_fusion.reporting.result_files.read_choice`; the chosen roles and injection
            stride are marked, if any.
        published: rows of a published profile table, shown below as a section of its own.
        words: says why a score is undefined.

    Raises:
        ReportingError: an encoder lacks a label or a profile of SC or EF at one of the strides, or there is
            none by the selection's definition.
    """
    for encoder in profiles["encoder"].unique():
        label(labels, encoder)
    encoders = [encoder for encoder in labels if encoder in set(profiles["encoder"])]
    strides = sorted(int(stride) for stride in profiles["stride"].unique())
    definitions = definitions_in_order(profiles, selection)
    by_key: Rows = {
        (row.definition, row.encoder, int(row.stride), row.score): row for row in profiles.itertuples()
    }
    rows = {
        name: [_row(name, encoder, strides, by_key, labels, selection, words) for encoder in encoders]
        for name in definitions
    }
    sections = [Section(_title(name, selection), rows[name]) for name in definitions]
    notes = [
        _images_note(profiles[profiles["score"].isin(SCORES)], len(encoders)),
        _marks_note(selection, len(encoders)),
        _null_note(profiles),
    ]
    if published is not None:
        above = _published_rows(published, strides)
        sections.append(published_section(published, above, ", pretrained weights"))
        notes.append(published_note(published, f", without intervals; {MISSING}: not published."))
    return Table(
        name="profiles",
        caption=(
            "Structural Coherence (SC, 0 to 1) and Edge Fidelity (EF, 0 to 100) per encoder and output "
            f"stride (OS) on {selection['dataset']}, label-free; mean over images [95 % bootstrap interval] "
            "and null floor."
        ),
        data=_tidy(profiles, labels, definitions, encoders),
        columns=_columns(strides, selection),
        sections=sections,
        notes=notes,
        best_in="section",
    )


def _title(definition: str, selection: Mapping[str, Any]) -> str:
    pairs = selection["master"] is not None and definition == selection["definition"]
    chooses = " (pairs the encoders)" if pairs else ""
    return f"By the definition '{definition}'{chooses}"


def _columns(strides: list[int], selection: Mapping[str, Any]) -> tuple[Column, ...]:
    role = (Column("role", "Role"),) if selection["master"] is not None else ()
    scores = (
        Column(f"{score}_{stride}", f"OS {stride}", name, digits, best="max", shows="interval")
        for score, (name, digits) in SCORES.items()
        for stride in strides
    )
    return (Column("encoder", "Encoder, pretraining"), *role, *scores)


def _row(
    definition: str,
    encoder: str,
    strides: list[int],
    by_key: Rows,
    labels: EncoderLabels,
    selection: Mapping[str, Any],
    words: Words,
) -> Row:
    deciding = definition == selection["definition"]
    roles = [role for role in ("master", "auxiliary") if deciding and selection[role] == encoder]
    row: dict[str, Any] = {
        "encoder": Entry(label(labels, encoder), pretraining(labels, encoder)),
        "role": ", ".join(roles),
    }
    peak = (selection["auxiliary"], selection["stride"], selection["stride_by"])
    for score in SCORES:
        for stride in strides:
            cell = by_key.get((definition, encoder, stride, score))
            if cell is None:
                raise ReportingError(
                    f"encoder {encoder!r} has no {score} at OS {stride} by definition {definition!r}; "
                    "profile it again"
                )
            chosen = deciding and (encoder, stride, score) == peak
            reason = words(cell.reason, definition, stride) if isinstance(cell.reason, str) else ""
            null = _null_text(definition, encoder, stride, score, by_key)
            value = Value(cell.mean, low=cell.ci_low, high=cell.ci_high).because(reason)
            if cell.images == 1:
                value, null = Value(cell.mean, n=1), "; ".join(filter(None, (_ONE_IMAGE, null)))
            row[f"{score}_{stride}"] = Entry(value, null, chosen)
    return row


def _null_text(definition: str, encoder: str, stride: int, score: str, by_key: Rows) -> str:
    null = by_key.get((definition, encoder, stride, f"{score}_null"))
    if null is None:
        return ""
    excess = by_key.get((definition, encoder, stride, EXCESS[score]))
    if excess is None:
        raise ReportingError(f"encoder {encoder!r} has {score}_null but no {EXCESS[score]}; profile it again")
    if pd.isna(null.mean):
        return f"null {MISSING}"
    mark = "" if excess.images > 1 and excess.ci_low > 0 else f" {NOT_CLEARED}"
    return f"null {number(null.mean, SCORES[score][1])}{mark}"


def _tidy(
    profiles: pd.DataFrame, labels: EncoderLabels, definitions: list[str], encoders: list[str]
) -> pd.DataFrame:
    tidy = profiles.copy()
    tidy.insert(1, "label", [label(labels, encoder) for encoder in tidy["encoder"]])
    tidy.insert(2, "pretraining", [pretraining(labels, encoder) for encoder in tidy["encoder"]])
    orders = {
        "definition": {name: index for index, name in enumerate(definitions)},
        "encoder": {name: index for index, name in enumerate(encoders)},
    }
    return tidy.sort_values(
        ["definition", "encoder", "score", "stride"],
        key=lambda column: column.map(orders[column.name]) if column.name in orders else column,
        kind="stable",
        ignore_index=True,
    )


def _images_note(profiles: pd.DataFrame, encoders: int) -> str:
    shown = profiles[profiles["score"].isin(SCORES)]
    counts = sorted({int(count) for count in shown["images"] + shown["undefined"]})
    total = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    undefined = shown[shown["undefined"] > 0]
    note = f"n = {total} image{'' if total == '1' else 's'}."
    if len(undefined):
        worst = int(undefined["undefined"].max())
        note += (
            f" A score is undefined on up to {worst} of them ({len(undefined)} of {len(shown)} cells); "
            "the mean is over the others, and the CSV file holds the count and reason of each cell."
        )
    if (shown["images"] == 1).any():
        note += f" {_ONE_IMAGE}: one image has no interval, so that it clears no null floor."
    if encoders == 1:
        return note
    return note + " Bold: best value of the column among the encoders measured by one definition."


def _marks_note(selection: Mapping[str, Any], encoders: int) -> str:
    if selection["master"] is None:
        if encoders == 1:
            return "One encoder: there is no pair to choose."
        return "No pair is chosen: SC or EF of an encoder is undefined at every stride."
    by, stride = selection["stride_by"].upper(), selection["stride"]
    underlined = f"the auxiliary's peak {by}, hence injection at OS {stride}"
    if "rule" in selection:
        underlined = f"the auxiliary's {by} where it is injected, at OS {stride} ({stride_reason(selection)})"
    return (
        f"Chosen by the definition '{selection['definition']}', {leading(selection)}: as marked; underlined: "
        f"{underlined}."
    )


def _null_note(profiles: pd.DataFrame) -> str:
    if not profiles["score"].isin([f"{score}_null" for score in SCORES]).any():
        return "No null floor was computed."
    return (
        "null: mean score of the same features with their pixels in random order; "
        f"{NOT_CLEARED}: the 95 % interval of the score's excess over it, image by image, reaches zero."
    )


def _published_rows(published: pd.DataFrame, strides: list[int]) -> list[Row]:
    rows: dict[str, dict[str, Any]] = {}
    for value in published.itertuples():
        row = rows.setdefault(value.model, {"encoder": value.model})
        if value.metric.lower() in SCORES and value.output_stride in strides:
            row[f"{value.metric.lower()}_{value.output_stride}"] = float(value.value)
    return list(rows.values())


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_profiles``."""
    encoders = dict(settings["encoders"])
    return profiles_table(
        read_profiles(dict(zip(encoders, inputs["summaries"], strict=True))),
        encoders,
        read_choice(inputs["selection"], settings["dataset"], settings["definition"]),
        shown_table(inputs["published"], "5"),
        Remedies.of(inputs["sizes"][0], settings["remedies"]).words,
    )
