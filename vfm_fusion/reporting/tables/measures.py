"""What is measured of maps beside SC and EF: RankMe, CKA between two encoders, and a linear probe of both."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.profiles.pair_rows import ALONE
from vfm_fusion.reporting.cells import Value, signed
from vfm_fusion.reporting.labels import EncoderLabels, label, pretraining
from vfm_fusion.reporting.remedies import plain_words
from vfm_fusion.reporting.result_files import read_pairs, read_profiles
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

UNCERTAIN = "†"
"""Marks a gain whose interval reaches zero."""

_RANK = (
    "RankMe: exponential of the entropy of the singular values of an image's tokens (Garrido et al., 2023), "
    "at most the number of tokens and of channels; mean over images."
)
_CKA = (
    "CKA: linear, with unbiased HSIC per image (Song et al., 2012; Nguyen et al., 2021), 1 for maps equal up "
    "to rotation and scale, about 0 for independent ones; the same for both directions."
)

Key = tuple[str, str, str | None, int]
"""Measure, encoder or master, auxiliary, stride."""


def measures_table(
    profiles: pd.DataFrame, labels: EncoderLabels, dataset: str, pairs: pd.DataFrame | None = None
) -> Table:
    """Builds the table of RankMe of every encoder and, where pairs were compared, of CKA and the probe.

    Args:
        profiles: see :func:`vfm_fusion.reporting.result_files.read_profiles`.
        labels: names in print; their order is the order of the rows.
        dataset: name of the data set.
        pairs: see :func:`vfm_fusion.reporting.result_files.read_pairs`; None where no pairs were compared.

    Raises:
        ReportingError: an encoder lacks a label or a measure at one of the strides.
    """
    data = _tidy(profiles, pairs)
    encoders = [encoder for encoder in labels if encoder in set(data["encoder"])]
    strides = sorted(int(stride) for stride in profiles["stride"].unique())
    values = {
        (row.measure, row.encoder, row.auxiliary or None, row.stride): Value(
            row.value, low=row.low, high=row.high
        ).because(plain_words(row.reason, "", row.stride))
        for row in data.itertuples()
    }
    ranks = [_row(values, labels, ("rankme", encoder, None), strides) for encoder in encoders]
    sections, notes = [Section("RankMe", ranks, ranked=False, fill="")], [_RANK]
    if pairs is not None:
        likenesses = [
            _row(values, labels, ("cka", *pair), strides) for pair in itertools.combinations(encoders, 2)
        ]
        sections.append(Section("Linear CKA", likenesses, ranked=False, fill=""))
        section, note = _probe(values, labels, encoders, strides)
        sections += section
        notes += [_CKA, note]
    what = "RankMe of every encoder"
    if pairs is not None:
        what += ", and linear CKA and a linear probe of every pair,"
    alone = (Column("alone", "Alone", digits=2, best="max", shows="interval"),) if len(sections) > 2 else ()
    per_stride = (Column(f"os_{s}", f"OS {s}", "", 2, best="max", shows="interval") for s in strides)
    return Table(
        name="measures",
        caption=(f"{what} per output stride (OS) on {dataset} [95 % bootstrap interval over images]."),
        data=data,
        columns=(Column("encoder", "Encoder, pretraining"), *alone, *per_stride),
        sections=sections,
        notes=notes,
        best_in="row",
    )


def _probe(
    values: Mapping[Key, Value], labels: EncoderLabels, encoders: list[str], strides: list[int]
) -> tuple[list[Section], str]:
    """The section of the probe, none where it is undefined throughout, and what there is to say of it."""
    own = {key: value for key, value in values.items() if key[0] == "probe"}
    if own and all(math.isnan(value.mean) for value in own.values()):
        return [], f"No linear probe: {next(iter(own.values())).reason}."
    rows = [
        {
            **_row(values, labels, ("probe", *pair), strides, gains=True),
            "alone": _value(values, ("probe", pair[0], None, ALONE)),
        }
        for pair in itertools.permutations(encoders, 2)
    ]
    note = (
        "Probe: mIoU of ridge regression on the pixels of a few labelled images, of the first encoder alone "
        "and with the second one's map in place of its own at a stride; below, the gain in points, "
        f"{UNCERTAIN}: its interval reaches zero. Intervals are over the images that score it. It uses "
        "labels: a bound for what predicts the best stride without them. Bold: best of its row."
    )
    return [Section("Linear probe: mIoU (%)", rows, fill="")], note


def _row(
    values: Mapping[Key, Value],
    labels: EncoderLabels,
    of: tuple[str, str, str | None],
    strides: list[int],
    *,
    gains: bool = False,
) -> Row:
    measure, encoder, other = of
    named = Entry(label(labels, encoder), pretraining(labels, encoder))
    if other is not None:
        named = Entry(f"{label(labels, encoder)} + {label(labels, other)}")
    row: dict[str, Any] = {"encoder": named}
    for stride in strides:
        value = _value(values, (measure, encoder, other, stride))
        gain = _value(values, ("probe_gain", encoder, other, stride)) if gains else Value(math.nan)
        row[f"os_{stride}"] = Entry(value, "" if math.isnan(gain.mean) else _gain(gain))
    return row


def _gain(gain: Value) -> str:
    return signed(gain.mean) + ("" if gain.sign else f" {UNCERTAIN}")


def _value(values: Mapping[Key, Value], key: Key) -> Value:
    if key not in values:
        measure, encoder, auxiliary, stride = key
        named = f"{encoder!r}" if auxiliary is None else f"{encoder!r} and {auxiliary!r}"
        raise ReportingError(f"there is no {measure} of {named} at OS {stride}; run the workflow again")
    return values[key]


def _tidy(profiles: pd.DataFrame, pairs: pd.DataFrame | None) -> pd.DataFrame:
    """All measures in the columns of pairs: the encoder, or the master; RankMe once, of its definitions."""
    ranks = profiles[profiles["score"] == "rankme"].drop_duplicates(["encoder", "stride"])
    ranks = ranks.rename(columns={"score": "measure", "mean": "value", "ci_low": "low", "ci_high": "high"})
    columns = ["measure", "encoder", "auxiliary", "stride", "value", "low", "high", "reason"]
    parts = [ranks.assign(auxiliary="")[columns]]
    if pairs is not None:
        parts.append(pairs.rename(columns={"master": "encoder"})[columns])
    return pd.concat(parts, ignore_index=True).fillna({"auxiliary": "", "reason": ""})


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_measures``."""
    encoders = dict(settings["encoders"])
    return measures_table(
        read_profiles(dict(zip(encoders, inputs["summaries"], strict=True))),
        encoders,
        settings["dataset"],
        read_pairs(inputs["pairs"][0]) if inputs["pairs"] else None,
    )
