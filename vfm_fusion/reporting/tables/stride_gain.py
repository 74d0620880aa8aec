"""EF of the auxiliary beside the gain of its injection, per stride (right half of the paper's Table 7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import Bootstrap, Estimate, by_image, commonest_reason, estimate
from vfm_fusion.reporting.labels import EncoderLabels, label, mode
from vfm_fusion.reporting.rank_correlation import in_words, spearman
from vfm_fusion.reporting.records import (
    Evaluation,
    RunResults,
    collect_runs,
    images_in_words,
    one_per_target,
    seeds_note,
)
from vfm_fusion.reporting.stride_groups import Group, Strides, group_by_stride
from vfm_fusion.reporting.stride_suggestion import MIN_TRAINED, Suggestion, judge
from vfm_fusion.reporting.table import Column, Section, Table

METRICS = ("AP", "mIoU", "PQ")
"""Metrics whose gain is shown where some run has them, in percentage points."""

Ef = Mapping[tuple[str, int], tuple[Estimate, str]]
"""(Encoder, stride) -> EF, and why it is undefined."""

_MIN_STRIDES = 3


def stride_gain_table(
    evaluations: Iterable[Evaluation],
    profiles: Mapping[str, pd.DataFrame],
    labels: EncoderLabels,
    runs: Mapping[str, str],
    fusions: Mapping[str, str],
    seeds: Sequence[int],
    definition: str,
    bootstrap: Bootstrap,
    published: pd.DataFrame | None = None,
) -> Table:
    """Builds the table of EF and gain per injection stride, with Spearman's rho over the strides of a group.

    Runs that inject at several strides stand below those of one; they have no single EF and stay outside the
    correlation.

    Args:
        evaluations: parsed ``evaluation.json`` of every run and seed that exists.
        profiles: encoder -> per-image scores with columns ``definition, stride, score, value, reason``.
        labels: names of the encoders in print.
        runs: expected runs, key to label.
        fusions: run to its fusion settings without the stride, as text; runs of one group have the same.
        seeds: expected seeds.
        definition: the metric definition whose EF is shown.
        bootstrap: resampling of the images behind each interval of EF.
        published: rows of the published Table 7, shown below where the runs have an AP.

    Raises:
        ReportingError: evaluations that do not belong into one table, or an auxiliary without a profile.
    """
    results = collect_runs(evaluations, runs, seeds)
    groups = group_by_stride(results, fusions)
    metrics = [m for m in METRICS if any(result.has(m) for result in results)]
    ef = {
        (group.auxiliary, stride): _ef(profiles, group.auxiliary, stride, definition, bootstrap)
        for group in groups
        for stride in sorted({*group.single, *_profiled(profiles, group.auxiliary, definition)})
    }
    sections = [
        Section(_title(group, labels, fusions), pd.DataFrame(_rows(group, metrics, ef))) for group in groups
    ]
    notes = [
        _what_note(results, groups, definition),
        seeds_note(seeds),
        _suggestion_note(groups),
        *_evidence_notes(groups, metrics, ef),
    ]
    if published is not None and "AP" in metrics:
        sections.append(_published_section(published, metrics))
        notes.append(_published_note(published))
    return Table(
        name="stride_gain",
        caption=(
            "Edge Fidelity (EF) of the auxiliary at each trained injection stride (OS), and what the fusion "
            "gains over the master alone, in percentage points."
        ),
        data=pd.DataFrame([record for group in groups for record in _records(group, metrics, ef)]),
        columns=_columns(metrics),
        sections=tuple(sections),
        notes=tuple(note for note in notes if note),
        problems=tuple(result.problem for result in results if result.problem),
    )


def _columns(metrics: Sequence[str]) -> tuple[Column, ...]:
    return (
        Column("stride", "OS"),
        Column("ef", "EF of the auxiliary", digits=2, interval=("ef_low", "ef_high"), reason="ef_reason"),
        *(Column(m, m, group="Gain", digits=2, spread=f"{m}_std", reason=f"{m}_reason") for m in metrics),
    )


def _title(group: Group, labels: EncoderLabels, fusions: Mapping[str, str]) -> str:
    master, auxiliary = group.example["master"], group.example["auxiliary"]
    return (
        f"{label(labels, auxiliary['encoder'])} {mode(auxiliary['trainable'])} · "
        f"{auxiliary['pretraining']}, into "
        f"{label(labels, master['encoder'])} {mode(master['trainable'])} · {master['pretraining']}; "
        f"{fusions[group.example['run']]}"
    )


def _ef(
    profiles: Mapping[str, pd.DataFrame],
    encoder: str,
    stride: int,
    definition: str,
    bootstrap: Bootstrap,
) -> tuple[Estimate, str]:
    """EF of an encoder at one stride, and why it is undefined."""
    frame = profiles.get(encoder, pd.DataFrame(columns=["definition", "score", "stride"]))
    chosen = (frame["definition"] == definition) & (frame["score"] == "ef") & (frame["stride"] == stride)
    if not chosen.any():
        raise ReportingError(f"encoder {encoder!r} has no EF at OS {stride}; profile it at that stride")
    return estimate(by_image(frame[chosen], [stride]), bootstrap), commonest_reason(frame[chosen])


def _profiled(profiles: Mapping[str, pd.DataFrame], encoder: str, definition: str) -> list[int]:
    """Strides at which an encoder has an EF."""
    if encoder not in profiles:
        return []
    frame = profiles[encoder]
    return sorted(frame[(frame["definition"] == definition) & (frame["score"] == "ef")]["stride"].unique())


def _rows(group: Group, metrics: Sequence[str], ef: Ef) -> list[dict[str, Any]]:
    rows = []
    for strides in group.fused:
        row: dict[str, Any] = {"stride": _at(strides), **_ef_cell(group, strides, ef)}
        for metric in metrics:
            gain = group.gain(strides, metric)
            row |= {metric: gain.mean, f"{metric}_std": gain.std, f"{metric}_reason": gain.reason}
        rows.append(row)
    judged = {metric: _judged(group, metric, ef) for metric in metrics}
    return [
        *rows,
        *_suggestion_rows(judged, len(group.single), metrics),
        *_correlation_rows({m: _pairs(group, m, ef) for m in metrics}, len(group.single)),
    ]


def _at(strides: Strides) -> str:
    return " + ".join(str(stride) for stride in strides)


def _ef_cell(group: Group, strides: Strides, ef: Ef) -> dict[str, Any]:
    """EF of the auxiliary where a run injects; none where it injects at several strides."""
    if len(strides) > 1:
        reason = "several strides have no single EF"
        return {"ef": math.nan, "ef_low": math.nan, "ef_high": math.nan, "ef_reason": reason}
    found, reason = ef[group.auxiliary, strides[0]]
    return {"ef": found.mean, "ef_low": found.low, "ef_high": found.high, "ef_reason": reason}


def _judged(group: Group, metric: str, ef: Ef) -> Suggestion:
    """The stride that EF suggests for the group's auxiliary against those that were trained."""
    by_stride = {stride: found.mean for (who, stride), (found, _) in ef.items() if who == group.auxiliary}
    return judge(by_stride, {stride: group.gain((stride,), metric).mean for stride in group.single})


def _suggestion_rows(
    judged: Mapping[str, Suggestion], trained: int, metrics: Sequence[str]
) -> list[dict[str, Any]]:
    """One row with the outcome by every judged metric; none where there was no choice of strides."""
    stride = next(iter(judged.values())).stride if judged else None
    if stride is None or trained < MIN_TRAINED:
        return []
    return [_blank(f"EF suggests OS {stride}", metrics) | {m: found.said for m, found in judged.items()}]


def _pairs(group: Group, metric: str, ef: Ef) -> tuple[list[float], list[float]]:
    """EF and gain at the single strides where both are defined."""
    pairs = [
        (ef[group.auxiliary, stride][0].mean, group.gain((stride,), metric).mean) for stride in group.single
    ]
    defined = [pair for pair in pairs if not any(math.isnan(value) for value in pair)]
    return [first for first, _ in defined], [second for _, second in defined]


def _correlation_rows(
    pairs: Mapping[str, tuple[list[float], list[float]]], trained: int
) -> list[dict[str, Any]]:
    """Rows of rho and p; with too few strides one row that says so in every cell."""
    rho: dict[str, Any] = _blank("Spearman's ρ with EF", pairs)
    p: dict[str, Any] = _blank("p, two-sided", pairs)
    if trained < _MIN_STRIDES:
        said = f"{trained} stride{'' if trained == 1 else 's'} trained"
        return [rho | dict.fromkeys(pairs, said)]
    for metric, (ef, gain) in pairs.items():
        found = spearman(ef, gain)
        rho |= {metric: found.rho, f"{metric}_reason": found.reason}
        p |= {metric: found.p, f"{metric}_reason": found.reason}
    return [rho, p]


def _blank(title: str, metrics: Iterable[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "stride": title,
        "ef": "",
        "ef_low": math.nan,
        "ef_high": math.nan,
        "ef_reason": "",
    }
    for metric in metrics:
        row |= {metric: "", f"{metric}_std": math.nan, f"{metric}_reason": ""}
    return row


def _what_note(results: Sequence[RunResults], groups: Sequence[Group], definition: str) -> str:
    if not groups:
        return "No evaluated run injects an auxiliary, so there is no gain to show."
    return (
        f"EF by definition '{definition}', mean over images [95 % bootstrap interval]; gains on "
        f"{images_in_words(one_per_target(results))}. FT: fine-tuned, FZ: frozen."
    )


def _suggestion_note(groups: Sequence[Group]) -> str:
    if not any(len(group.single) >= MIN_TRAINED for group in groups):
        return ""
    return (
        "EF suggests the stride at which the auxiliary's EF is highest. Hit: none of the other strides that "
        "were trained alone gains more, with the margin over the next; miss: with what it lacks to the best."
    )


def _evidence_notes(groups: Sequence[Group], metrics: Sequence[str], ef: Ef) -> list[str]:
    found = [
        in_words(spearman(*_pairs(group, metric, ef)), "strides")
        for group in groups
        if len(group.single) >= _MIN_STRIDES
        for metric in metrics
    ]
    return list(dict.fromkeys(note for note in found if note))


def _records(group: Group, metrics: Sequence[str], ef: Ef) -> list[dict[str, Any]]:
    master, auxiliary = group.example["master"], group.example["auxiliary"]
    pair = {"master": master["encoder"], "trainable": master["trainable"], "auxiliary": auxiliary["encoder"]}
    records = []
    for metric in metrics:
        for strides, result in group.fused.items():
            gain = group.gain(strides, metric)
            found = _ef_cell(group, strides, ef)["ef"]
            records.append(
                pair
                | {"run": result.key, "stride": _at(strides), "ef": found, "metric": metric}
                | {"statistic": "gain", "value": gain.mean, "std": gain.std, "n": len(result.found)}
                | {"reason": gain.reason}
            )
        records += [pair | record for record in _judgement_records(group, metric, ef)]
    return records


def _judgement_records(group: Group, metric: str, ef: Ef) -> list[dict[str, Any]]:
    """The suggested stride's margin, rho and p of a group."""
    judged, correlation = _judged(group, metric, ef), spearman(*_pairs(group, metric, ef))
    blank: dict[str, Any] = {"run": "", "stride": "", "ef": math.nan, "metric": metric, "std": math.nan}
    suggested = "" if judged.stride is None else str(judged.stride)
    margin = {"statistic": "suggested_margin", "value": judged.margin, "n": len(group.single)}
    return [
        blank | margin | {"stride": suggested, "reason": judged.reason},
        *(
            blank | {"statistic": statistic, "value": value, "n": correlation.n, "reason": correlation.reason}
            for statistic, value in (("spearman_rho", correlation.rho), ("spearman_p", correlation.p))
        ),
    ]


def _published_section(published: pd.DataFrame, metrics: Sequence[str]) -> Section:
    values = published[published["metric"].isin(["EF", "AP gain"])].dropna(subset="output_stride")
    by_metric = values.pivot_table(index="output_stride", columns="metric", values="value", sort=True)
    rows = [
        _blank(str(stride), metrics) | {"ef": row["EF"], "AP": row["AP gain"]}
        for stride, row in by_metric.iterrows()
    ]
    correlation = spearman(by_metric["EF"].to_list(), by_metric["AP gain"].to_list())
    judged = {"AP": judge(dict(by_metric["EF"]), dict(by_metric["AP gain"]))}
    rows += _suggestion_rows(judged, len(rows), metrics)
    rows.append(_blank("Spearman's ρ with EF", metrics) | {"AP": correlation.rho})
    rows.append(_blank("p, two-sided", metrics) | {"AP": correlation.p})
    title = f"Published (Table {published['table'].iloc[0]}): {values['model'].iloc[0]}"
    return Section(title, pd.DataFrame(rows), ranked=False)


def _published_note(published: pd.DataFrame) -> str:
    rows = published[published["metric"].isin(["EF", "AP gain"])]
    sources = ", ".join(sorted(set(rows["source"])))
    datasets = ", ".join(sorted(set(rows["dataset"])))
    return (
        f"Published EF and gains are of full-size encoders on {datasets} ({sources}); their ρ and p are "
        "computed here from these values."
    )
