"""SC beside its supervised counterpart SC_GT, ranked over encoders (left half of the paper's Table 7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import (
    Bootstrap,
    Estimate,
    by_image,
    commonest_reason,
    estimate,
    read_image_scores,
)
from vfm_fusion.reporting.labels import EncoderLabels, label, pretraining
from vfm_fusion.reporting.published import shown_table
from vfm_fusion.reporting.rank_correlation import RankCorrelation, in_words, spearman
from vfm_fusion.reporting.table import Column, Section, Table

MEASURES = {"sc": "SC", "semantic": "SC_GT, classes", "instance": "SC_GT, objects"}
"""What is shown of an encoder: SC, then SC_GT by kind of labels; its title."""

Frames = Mapping[str, Mapping[str, pd.DataFrame]]
"""Measure -> encoder -> per-image values (``image_id, stride, value, reason``)."""

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
    frames = {
        "sc": {name: _scored(profiles, name, "definition", definition, "sc") for name in labels},
        **{
            kind: {name: _scored(supervised, name, "labels", kind, "sc_gt") for name in labels}
            for kind in ("semantic", "instance")
        },
    }
    strides = common_strides(frames)
    levels = {
        measure: {name: estimate(by_image(frame, strides), bootstrap) for name, frame in of.items()}
        for measure, of in frames.items()
    }
    correlations = {kind: _correlate(levels["sc"], levels[kind], labels) for kind in ("semantic", "instance")}
    sections = [
        Section("Measured", pd.DataFrame([_row(name, frames, levels, labels) for name in labels])),
        Section("Rank correlation with SC over encoders", _correlation_rows(correlations), ranked=False),
    ]
    notes = [_what_note(frames, strides, definition), _how_note(), *_evidence_notes(correlations)]
    if published is not None:
        sections.append(_published_section(published))
        notes.append(_published_note(published))
    return Table(
        name="supervised",
        caption=(
            f"Structural Coherence without labels (SC) and with ground truth (SC_GT) on {dataset}, 0 to 1; "
            "mean over images and output strides [95 % bootstrap interval over images]."
        ),
        data=pd.DataFrame([*_records(levels, frames, labels), *_correlation_records(correlations)]),
        columns=_columns(published is not None),
        sections=tuple(sections),
        notes=tuple(notes),
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


def _correlate(
    sc: Mapping[str, Estimate], other: Mapping[str, Estimate], labels: EncoderLabels
) -> RankCorrelation:
    pairs = [(sc[name].mean, other[name].mean) for name in labels]
    pairs = [pair for pair in pairs if not any(math.isnan(value) for value in pair)]
    return spearman([first for first, _ in pairs], [second for _, second in pairs])


def _columns(published: bool) -> tuple[Column, ...]:
    shown = tuple(
        Column(
            measure,
            title,
            digits=2,
            best="max",
            interval=(f"{measure}_low", f"{measure}_high"),
            below=f"{measure}_images",
            reason=f"{measure}_reason",
        )
        for measure, title in MEASURES.items()
    )
    of_the_paper = (Column("published", "SC_GT of the paper", digits=2),) if published else ()
    return (Column("encoder", "Encoder, pretraining", detail="pretraining"), *shown, *of_the_paper)


def _row(
    encoder: str, frames: Frames, levels: Mapping[str, Mapping[str, Estimate]], labels: EncoderLabels
) -> dict[str, Any]:
    row = _blank(label(labels, encoder), pretraining(labels, encoder))
    for measure in MEASURES:
        found = levels[measure][encoder]
        row |= {
            measure: found.mean,
            f"{measure}_low": found.low,
            f"{measure}_high": found.high,
            f"{measure}_images": _fewer_images(found, frames[measure][encoder]),
            f"{measure}_reason": _reason(frames[measure][encoder]),
        }
    return row


def _fewer_images(found: Estimate, frame: pd.DataFrame) -> str:
    return "" if found.images == frame["image_id"].nunique() else f"n = {found.images}"


def _reason(frame: pd.DataFrame) -> str:
    return _NO_COMMON_STRIDE if frame["value"].notna().any() else commonest_reason(frame)


def _blank(name: str, detail: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {"encoder": name, "pretraining": detail, "published": ""}
    for measure in MEASURES:
        row |= {measure: "", f"{measure}_low": math.nan, f"{measure}_high": math.nan}
        row |= {f"{measure}_reason": "", f"{measure}_images": ""}
    return row


def _correlation_rows(correlations: Mapping[str, RankCorrelation]) -> pd.DataFrame:
    rho, p = _blank("Spearman's ρ"), _blank("p, two-sided")
    for kind, found in correlations.items():
        rho |= {kind: found.rho, f"{kind}_reason": found.reason}
        p |= {kind: found.p, f"{kind}_reason": found.reason}
    return pd.DataFrame([rho, p])


def _what_note(frames: Frames, strides: tuple[int, ...], definition: str) -> str:
    profiled = next(iter(frames["sc"].values()))
    note = f"n = {profiled['image_id'].nunique()} images; SC by definition '{definition}'"
    left_out = sorted({int(stride) for stride in profiled["stride"]} - set(strides))
    note += f"; mean over OS {', '.join(map(str, strides))}" if strides else ""
    if left_out:
        note += f" (at {', '.join(map(str, left_out))} some measure is undefined for some encoder)"
    note += ". Where a cell names n, only so many images have a score at the stride that has fewest"
    return note + ". Bold: best measured value of the column."


def _how_note() -> str:
    return (
        "SC_GT = sqrt(contrast × silhouette): SC's two factors with ground-truth regions in place of grid "
        "cells and of k-means clusters. Regions are the semantic classes, or the annotated objects; void "
        "pixels (for objects also the background) are left out."
    )


def _evidence_notes(correlations: Mapping[str, RankCorrelation]) -> list[str]:
    found = [in_words(correlation, "encoders") for correlation in correlations.values() if correlation.n]
    return list(dict.fromkeys(note for note in found if note))


def _records(
    levels: Mapping[str, Mapping[str, Estimate]], frames: Frames, labels: EncoderLabels
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
            "n": found.images,
            "reason": _reason(frames[measure][encoder]) if math.isnan(found.mean) else "",
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


def _published_section(published: pd.DataFrame) -> Section:
    encoders = published[published["metric"].isin(["SC", "SC_GT"])]
    values = encoders.pivot_table(index="model", columns="metric", values="value", sort=False)
    rows = [
        _blank(str(model)) | {"sc": of["SC"], "published": of["SC_GT"]} for model, of in values.iterrows()
    ]
    found = spearman(values["SC"].to_list(), values["SC_GT"].to_list())
    rows.append(_blank("Spearman's ρ, of these values") | {"published": found.rho})
    rows.append(_blank("p, two-sided") | {"published": found.p})
    for row in published[published["model"] == "SC vs SC_GT"].itertuples():
        rows.append(_blank("Spearman's ρ, as published", row.source) | {"published": row.value})
    return Section(f"Published (Table {published['table'].iloc[0]})", pd.DataFrame(rows), ranked=False)


def _published_note(published: pd.DataFrame) -> str:
    rows = published[published["metric"].isin(["SC", "SC_GT"]) | (published["model"] == "SC vs SC_GT")]
    sources = ", ".join(sorted(set(rows["source"])))
    datasets = ", ".join(sorted(set(rows["dataset"])))
    return (
        f"Published values are of full-size encoders on {datasets} ({sources}), without intervals. The paper "
        "gives one SC_GT 'using semantic and instance labels' and no formula, so it has a column of its own."
    )


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
