"""SC beside its supervised counterpart SC_GT, ranked over encoders (left half of the paper's Table 7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.image_scores import (
    MEASURES,
    Bootstrap,
    by_image,
    commonest_reason,
    estimate,
    read_image_scores,
)
from vfm_fusion.reporting.labels import EncoderLabels, label, pretraining
from vfm_fusion.reporting.published import published_note, published_section, shown_table
from vfm_fusion.reporting.significance import RankCorrelation, correlate, correlation_rows, in_words, spearman
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

Frames = Mapping[str, Mapping[str, pd.DataFrame]]
"""Measure -> encoder -> per-image values (``image_id, stride, value, reason``)."""

_CORRELATED = "SC vs SC_GT"
_PUBLISHED = (
    ", without intervals. The paper gives one SC_GT 'using semantic and instance labels' and no formula, so "
    "it has a column of its own."
)
_HOW = (
    "SC_GT = sqrt(contrast × silhouette): SC's two factors with ground-truth regions in place of grid "
    "cells and of k-means clusters. Regions are the semantic classes, or the annotated objects; void "
    "pixels (for objects also the background) are left out."
)
_NO_COMMON_STRIDE = "there is no stride at which it is defined for every encoder"


def supervised_table(
    profiles: Mapping[str, pd.DataFrame],
    supervised: Mapping[str, pd.DataFrame],
    labels: EncoderLabels,
    dataset: str,
    definition: str,
    bootstrap: Bootstrap,
    published: pd.DataFrame | None = None,
) -> Table:
    """Builds the table of SC and SC_GT per encoder, each in [0, 1], with Spearman's rho over encoders.

    A measure is averaged over the images of each stride, then over the strides at which all measures are
    defined for every encoder. One that is defined nowhere (no annotated objects) does not narrow them.

    Args:
        profiles: encoder -> per-image scores with columns ``definition, stride, score, value, reason``.
        supervised: encoder -> per-image scores with columns ``labels, stride, score, value, reason``.
        labels: names in print; their order is the order of the rows.
        dataset: name of the data set.
        definition: the metric definition whose SC is shown; SC_GT was computed with its settings.
        bootstrap: resampling of the images behind each interval.
        published: rows of the published Table 7, shown below as a section of its own.

    Raises:
        ReportingError: an encoder lacks a score or a label.
    """
    frames = {"sc": {name: _scored(profiles, name, "definition", definition, "sc") for name in labels}}
    for kind in ("semantic", "instance"):
        frames[kind] = {name: _scored(supervised, name, "labels", kind, "sc_gt") for name in labels}
    strides = common_strides(frames)
    levels = {
        measure: {name: estimate(by_image(frame, strides), bootstrap) for name, frame in of.items()}
        for measure, of in frames.items()
    }
    correlations = {
        kind: correlate((levels["sc"][name].mean, levels[kind][name].mean) for name in labels)
        for kind in ("semantic", "instance")
    }
    rho_and_p = correlation_rows("encoder", "Spearman's ρ", correlations)
    sections = [
        Section("Measured", [_row(name, frames, levels, labels) for name in labels], fill=""),
        Section("Rank correlation with SC over encoders", rho_and_p, ranked=False, fill=""),
    ]
    notes = [_what_note(frames, strides, definition), _HOW, *_evidence_notes(correlations)]
    if published is not None:
        sections.append(published_section(published, _published_rows(published), fill=""))
        shown = published[published["metric"].isin(["SC", "SC_GT"]) | (published["model"] == _CORRELATED)]
        notes.append(published_note(shown, _PUBLISHED))
    return Table(
        name="supervised",
        caption=(
            f"Structural Coherence without labels (SC) and with ground truth (SC_GT) on {dataset}, 0 to 1; "
            "mean over images and output strides [95 % bootstrap interval over images]."
        ),
        data=pd.DataFrame([*_records(levels, frames, labels), *_correlation_records(correlations)]),
        columns=_columns(published is not None),
        sections=sections,
        notes=notes,
    )


def common_strides(frames: Frames) -> tuple[int, ...]:
    """Returns the output strides at which every measure is defined for every encoder, ascending.

    A measure that is not defined at any common stride of the encoders is left out of account.
    """
    per_measure = [
        set.intersection(*({int(s) for s in f.loc[f["value"].notna(), "stride"]} for f in of.values()))
        for of in frames.values()
    ]
    known = [strides for strides in per_measure if strides]
    return tuple(sorted(set.intersection(*known))) if known else ()


def _scored(
    tables: Mapping[str, pd.DataFrame], encoder: str, column: str, value: str, score: str
) -> pd.DataFrame:
    frame = tables.get(encoder, pd.DataFrame(columns=[column, "score"]))
    frame = frame[(frame[column] == value) & (frame["score"] == score)]
    if frame.empty:
        raise ReportingError(
            f"encoder {encoder!r} has no {score} of {column} {value!r}; run the workflow again to score it"
        )
    return frame


def _columns(published: bool) -> tuple[Column, ...]:
    shown = (Column(m, title, digits=2, best="max", shows="interval") for m, title in MEASURES.items())
    of_the_paper = (Column("published", "SC_GT of the paper", digits=2),) if published else ()
    return (Column("encoder", "Encoder, pretraining"), *shown, *of_the_paper)


def _row(
    encoder: str, frames: Frames, levels: Mapping[str, Mapping[str, Value]], labels: EncoderLabels
) -> Row:
    row: dict[str, Any] = {"encoder": Entry(label(labels, encoder), pretraining(labels, encoder))}
    for measure in MEASURES:
        frame, found = frames[measure][encoder], levels[measure][encoder]
        fewer = "" if found.n == frame["image_id"].nunique() else f"n = {found.n}"
        row[measure] = Entry(found.because(_reason(frame)), fewer)
    return row


def _reason(frame: pd.DataFrame) -> str:
    return _NO_COMMON_STRIDE if frame["value"].notna().any() else commonest_reason(frame)


def _what_note(frames: Frames, strides: tuple[int, ...], definition: str) -> str:
    profiled = next(iter(frames["sc"].values()))
    note = f"n = {profiled['image_id'].nunique()} images; SC by definition '{definition}'"
    left_out = sorted({int(stride) for stride in profiled["stride"]} - set(strides))
    note += f"; mean over OS {', '.join(map(str, strides))}" if strides else ""
    if left_out:
        note += f" (at {', '.join(map(str, left_out))} some measure is undefined for some encoder)"
    note += ". Where a cell names n, only so many images have a score at the stride that has fewest"
    return note + ". Bold: best measured value of the column."


def _evidence_notes(correlations: Mapping[str, RankCorrelation]) -> list[str]:
    found = [in_words(correlation, "encoders") for correlation in correlations.values() if correlation.n]
    return list(dict.fromkeys(note for note in found if note))


def _records(
    levels: Mapping[str, Mapping[str, Value]], frames: Frames, labels: EncoderLabels
) -> list[dict[str, Any]]:
    return [
        {
            "encoder": encoder,
            "label": label(labels, encoder),
            "pretraining": pretraining(labels, encoder),
            "measure": MEASURES[measure],
            "statistic": "mean",
            "value": found.mean,
            "ci_low": found.low,
            "ci_high": found.high,
            "n": found.n,
            "reason": found.because(_reason(frames[measure][encoder])).reason,
        }
        for measure, by_encoder in levels.items()
        for encoder, found in by_encoder.items()
    ]


def _correlation_records(correlations: Mapping[str, RankCorrelation]) -> list[dict[str, Any]]:
    return [
        {
            "encoder": "",
            "label": "",
            "pretraining": "",
            "measure": MEASURES[kind],
            "statistic": statistic,
            "value": value,
            "ci_low": math.nan,
            "ci_high": math.nan,
            "n": found.n,
            "reason": found.reason,
        }
        for kind, found in correlations.items()
        for statistic, value in (("spearman_rho", found.rho), ("spearman_p", found.p))
    ]


def _published_rows(published: pd.DataFrame) -> list[Row]:
    encoders = published[published["metric"].isin(["SC", "SC_GT"])]
    values = encoders.pivot_table(index="model", columns="metric", values="value", sort=False)
    found = spearman(values["SC"].to_list(), values["SC_GT"].to_list())
    said = published[published["model"] == _CORRELATED]
    return [
        *({"encoder": model, "sc": of["SC"], "published": of["SC_GT"]} for model, of in values.iterrows()),
        *correlation_rows("encoder", "Spearman's ρ, of these values", {"published": found}),
        *(
            {"encoder": Entry("Spearman's ρ, as published", row.source), "published": row.value}
            for row in said.itertuples()
        ),
    ]


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_supervised``."""
    encoders = dict(settings["encoders"])
    profiles = zip(encoders, inputs["profiles"], strict=True)
    supervised = zip(encoders, inputs["supervised"], strict=True)
    return supervised_table(
        {name: read_image_scores(path, ["definition"]) for name, path in profiles},
        {name: read_image_scores(path, ["labels"]) for name, path in supervised},
        encoders,
        settings["dataset"],
        settings["definition"],
        Bootstrap(*settings["bootstrap"]),
        shown_table(inputs["published"], "7"),
    )
