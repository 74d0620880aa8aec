"""SC and EF of an encoder before and after a run has fine-tuned it (the paper's Table 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.image_scores import Bootstrap, commonest_reason, estimate, read_image_scores
from vfm_fusion.reporting.labels import EncoderLabels, full_label, label, pretraining
from vfm_fusion.reporting.published import published_note, published_section, shown_table
from vfm_fusion.reporting.remedies import Remedies, Words, plain_words
from vfm_fusion.reporting.significance import difference
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

SCORES = {"sc": ("SC", 2, 3), "ef": ("EF", 2, 2)}
"""Score to its name in print, its decimals, and those of a difference."""


class Change(NamedTuple):
    """One score at one stride, over the images on which it is defined before and after.

    Attributes:
        before: mean over images.
        after: mean over images, of each image's mean over seeds.
        delta: after - before, with the 95 % bootstrap interval of the paired difference over images.
        over_seeds: the mean difference with its 95 % interval of Student's t over seeds, where several are.
        images: number of these images.
        undefined: number of the others.
        reason: the commonest reason of the others; empty without any.
    """

    before: Value
    after: Value
    delta: Value
    over_seeds: Value
    images: int
    undefined: int
    reason: str


class Finetuned(NamedTuple):
    """A run's fine-tuned encoder; per-image scores indexed by ``definition, stride, score, image_id``."""

    run: str
    encoder: str
    role: str
    before: pd.DataFrame
    after: tuple[pd.DataFrame, ...]


def finetuned_table(
    before: Mapping[str, pd.DataFrame],
    after: Mapping[tuple[str, int], pd.DataFrame],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    dataset: str,
    definition: str,
    bootstrap: Bootstrap,
    published: pd.DataFrame | None = None,
    words: Words = plain_words,
) -> Table:
    """Builds the table of SC and EF per run and output stride, before -> after fine-tuning.

    Args:
        before: encoder -> per-image scores with columns ``definition, stride, score, value, reason``.
        after: (run, seed) -> the same of the encoder taken out of the run, with ``role`` and ``encoder``.
        labels: names of the encoders in print.
        runs: runs, key to label, in the order of the table; those not in ``after`` are left out.
        dataset: name of the data set.
        definition: the metric definition that is shown; the CSV file holds all of them.
        bootstrap: resampling of the images behind each interval.
        published: rows of the published Table 8, shown below.
        words: says why a score is undefined.

    Raises:
        ReportingError: the two profiles of an encoder are of different images, strides or scores, the seeds
            of a run trained different encoders, or an encoder has no profile or label.
    """
    found = [_collect(run, before, after) for run in runs if any(run == key for key, _ in after)]
    sections, records = [], []
    for entry in found:
        changes = _changes(entry, bootstrap, words)
        sections.append(Section(_title(entry, labels, runs), _rows(changes, definition)))
        records += _records(entry, changes, labels, runs)
    notes = [_what_note(found, definition), *_images_note(records, definition)]
    if published is not None:
        sections += _published_sections(published)
        more = ", without intervals; their Δ is computed here."
        notes.append(published_note(published, more))
    return Table(
        name="finetuned",
        caption=(
            f"Structural Coherence (SC) and Edge Fidelity (EF) of encoders on {dataset} before and after a "
            "run fine-tuned them, per output stride (OS). Δ: after minus before, paired per image [95 % "
            "bootstrap interval over images]."
        ),
        data=pd.DataFrame(records),
        columns=_columns(),
        sections=sections,
        notes=notes,
    )


def _collect(
    run: str, before: Mapping[str, pd.DataFrame], after: Mapping[tuple[str, int], pd.DataFrame]
) -> Finetuned:
    frames = [frame for (name, _), frame in after.items() if name == run]
    (role, encoder), *others = {tuple(key) for f in frames for key in f[["role", "encoder"]].to_numpy()}
    if others:
        raise ReportingError(f"the seeds of run {run!r} trained different encoders; train the run again")
    if encoder not in before:
        raise ReportingError(f"encoder {encoder!r} has no profile; profile it on the same images")
    reference = _indexed(before[encoder])
    profiles = tuple(_indexed(frame) for frame in frames)
    if any(not reference.index.equals(profile.index) for profile in profiles):
        raise ReportingError(
            f"run {run!r}: {encoder!r} was profiled on other images, strides or definitions before and after "
            "fine-tuning; run the workflow again"
        )
    return Finetuned(run, encoder, role, reference, profiles)


def _indexed(frame: pd.DataFrame) -> pd.DataFrame:
    keys = ["definition", "stride", "score", "image_id"]
    return frame.set_index(keys)[["value", "reason"]].sort_index()


def _changes(entry: Finetuned, bootstrap: Bootstrap, words: Words) -> dict[tuple[str, int, str], Change]:
    """``{(definition, stride, score): change}``."""
    later = np.mean([frame["value"].to_numpy() for frame in entry.after], axis=0)  # NaN where any seed's is
    seeds = {seed: frame["value"].to_numpy() for seed, frame in enumerate(entry.after)}
    values = entry.before.assign(after=later, **{f"seed {seed}": of for seed, of in seeds.items()})
    reasons = pd.concat([entry.before, *entry.after]).sort_index()
    changes = {}
    for key, group in values.groupby(level=["definition", "stride", "score"]):
        paired = group.dropna(subset=["value", "after"])
        paired_change = (paired["after"] - paired["value"]).to_numpy()[:, None]  # (images, 1)
        undefined = len(group) - len(paired)
        reason = commonest_reason(reasons.loc[key]) if undefined else ""
        said = words(reason, *key[:2])
        before, after = (Value(float(paired[when].mean())).because(said) for when in ("value", "after"))
        delta = estimate(paired_change, bootstrap).because(said)
        by_seed = {s: float((paired[f"seed {s}"] - paired["value"]).mean()) for s in seeds}
        changes[key] = Change(before, after, delta, difference(by_seed), len(paired), undefined, reason)
    return changes


def _columns() -> tuple[Column, ...]:
    columns = [Column("stride", "OS")]
    for score, (name, digits, finer) in SCORES.items():
        columns += [
            Column(f"{score}_before", "before", name, digits),
            Column(f"{score}_after", "→ after", name, digits),
            Column(f"{score}_delta", "Δ", name, finer, shows="interval"),
        ]
    return tuple(columns)


def _rows(changes: Mapping[tuple[str, int, str], Change], definition: str) -> list[Row]:
    strides = sorted({int(stride) for name, stride, _ in changes if name == definition})
    if not strides:
        raise ReportingError(f"there is no profile by definition {definition!r}; profile the encoders again")
    rows = []
    for stride in strides:
        row: dict[str, Any] = {"stride": str(stride)}
        for score in SCORES:
            change = changes[definition, stride, score]
            row |= {
                f"{score}_before": change.before,
                f"{score}_after": change.after,
                f"{score}_delta": Entry(change.delta, f"n = {change.images}" if change.undefined else ""),
            }
        rows.append(row)
    return rows


def _title(entry: Finetuned, labels: EncoderLabels, runs: Mapping[str, str]) -> str:
    return f"{runs[entry.run]}: {full_label(labels, entry.encoder)}, fine-tuned as {entry.role}"


def _records(
    entry: Finetuned,
    changes: Mapping[tuple[str, int, str], Change],
    labels: EncoderLabels,
    runs: Mapping[str, str],
) -> list[dict[str, Any]]:
    who = {
        "run": entry.run,
        "run_label": runs[entry.run],
        "role": entry.role,
        "encoder": entry.encoder,
        "label": label(labels, entry.encoder),
        "pretraining": pretraining(labels, entry.encoder),
        "seeds": len(entry.after),
    }
    return [
        who
        | dict(zip(("definition", "stride", "score"), key, strict=True))
        | {"before": change.before.mean, "after": change.after.mean, "delta": change.delta.mean}
        | {"ci_low": change.delta.low, "ci_high": change.delta.high}
        | {"seed_low": change.over_seeds.low, "seed_high": change.over_seeds.high, "images": change.images}
        | {"undefined": change.undefined, "reason": change.reason}
        for key, change in changes.items()
    ]


def _what_note(found: Sequence[Finetuned], definition: str) -> str:
    if not found:
        return "No run fine-tunes an encoder; a frozen one keeps its profile by construction."
    seeds = sorted({len(entry.after) for entry in found})
    trained = "one seed" if seeds == [1] else f"the mean over {' or '.join(map(str, seeds))} seeds"
    return (
        f"Definition '{definition}'; after: {trained}. The interval is over images, so it does not cover the "
        "randomness of training. Runs that freeze their encoder keep its profile by construction."
    )


def _images_note(records: Sequence[Mapping[str, Any]], definition: str) -> list[str]:
    shown = [r for r in records if r["definition"] == definition and r["score"] in SCORES]
    if not shown:
        return []
    note = f"n = {max(r['images'] + r['undefined'] for r in shown)} images."
    if any(r["undefined"] for r in shown):
        note += (
            " Where a score is undefined before or after, the image is left out of both means; such a cell "
            "says how many are left, and the CSV file holds the reason."
        )
    return [note]


def _published_sections(published: pd.DataFrame) -> list[Section]:
    sections = []
    for model, of_model in published.groupby("model", sort=False):
        rows: dict[int, dict[str, Any]] = {stride: {} for stride in sorted(of_model["output_stride"])}
        for value in of_model.itertuples():
            rows[value.output_stride][f"{value.metric.lower()}_{value.mode}"] = value.value
        for stride, row in rows.items():
            for score in SCORES:
                before, after = (row.get(f"{score}_{when}") for when in ("before", "after"))
                row |= {} if before is None or after is None else {f"{score}_delta": after - before}
            row["stride"] = str(stride)
        sections.append(published_section(published, list(rows.values()), f": {model}"))
    return sections


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_finetuned``."""
    encoders = dict(settings["encoders"])
    before = zip(encoders, inputs["before"], strict=True)
    after = zip(settings["finetuned"], inputs["after"], strict=True)
    return finetuned_table(
        {name: read_image_scores(path, ["definition"]) for name, path in before},
        {
            (run, seed): read_image_scores(path, ["role", "encoder", "definition"])
            for (run, seed), path in after
        },
        encoders,
        dict(settings["runs"]),
        settings["dataset"],
        settings["definition"],
        Bootstrap(*settings["bootstrap"]),
        shown_table(inputs["published"], "8"),
        Remedies.of(inputs["sizes"][0], settings["remedies"]).words,
    )
