"""EF of the auxiliary beside the gain of its injection, per stride (right half of the paper's Table 7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.image_scores import (
    Bootstrap,
    by_image,
    commonest_reason,
    estimate,
    read_image_scores,
)
from vfm_fusion.reporting.labels import EncoderLabels, in_mode
from vfm_fusion.reporting.published import published_note, published_section, shown_table
from vfm_fusion.reporting.records import (
    Evaluation,
    RunResults,
    average_note,
    collect_runs,
    images_in_words,
    main_metrics,
    one_per_target,
    read_evaluation,
    seeds_note,
)
from vfm_fusion.reporting.significance import RankCorrelation, correlate, correlation_rows, in_words
from vfm_fusion.reporting.stride_groups import Group, Strides, group_by_stride, upsampled_note
from vfm_fusion.reporting.stride_suggestion import MIN_TRAINED, Suggestion, judge
from vfm_fusion.reporting.table import Column, Row, Section, Table

Ef = Mapping[tuple[str, int], Value]
"""(Encoder, stride) -> EF."""

_CAPTION = (
    "Edge Fidelity (EF) of the auxiliary at each trained injection stride (OS), and what the fusion gains "
    "over the master alone, in percentage points."
)
_MIN_STRIDES = 3
_RHO = "Spearman's ρ with EF"


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
    targets: Sequence[str] = (),
    leading: str = "AP",
) -> Table:
    """Builds the table of EF and gain per injection stride, with Spearman's rho over the strides of a group.

    Runs that inject at several strides stand below those of one; they have no single EF and stay outside the
    correlation.

    Args:
        evaluations: parsed ``evaluation.json`` of every run, seed and target that exists.
        profiles: encoder -> per-image scores with columns ``definition, stride, score, value, reason``.
        labels: names of the encoders in print.
        runs: expected runs, key to label.
        fusions: run to its fusion settings without the stride, as text; runs of one group have the same.
        seeds: expected seeds.
        definition: the metric definition whose EF is shown.
        bootstrap: resampling of the images behind each interval of EF.
        published: rows of the published Table 7, shown below where the runs have an AP.
        targets: expected data sets, over which gains are averaged; empty for the one that all runs have.
        leading: the metric whose gains stand first, where the runs have it.

    Raises:
        ReportingError: evaluations that do not belong into one table, or an auxiliary without a profile.
    """
    results = collect_runs(evaluations, runs, seeds, targets)
    groups = group_by_stride(results, fusions)
    metrics = main_metrics(results, leading)
    by_group = (_ef(profiles, group, definition, bootstrap) for group in groups)
    ef = {key: found for of in by_group for key, found in of.items()}
    sections = [Section(_title(g, labels, fusions), _rows(g, metrics, ef), fill="") for g in groups]
    notes = [
        _what_note(results, groups, definition),
        average_note(one_per_target(results)),
        seeds_note(seeds),
        _suggestion_note(groups),
        upsampled_note(groups),
        *_evidence_notes(groups, metrics, ef),
    ]
    if published is not None and "AP" in metrics:
        section, note = _published(published[published["metric"].isin(["EF", "AP gain"])])
        sections, notes = [*sections, section], [*notes, note]
    return Table(
        name="stride_gain",
        caption=_CAPTION,
        data=pd.DataFrame([record for group in groups for record in _records(group, metrics, ef)]),
        columns=_columns(metrics),
        sections=sections,
        notes=notes,
        problems=[result.problem for result in results],
    )


def _columns(metrics: Sequence[str]) -> tuple[Column, ...]:
    ef = Column("ef", "EF of the auxiliary", digits=2, shows="interval")
    gains = (Column(metric, metric, "Gain", digits=2, shows="std") for metric in metrics)
    return (Column("stride", "OS"), ef, *gains)


def _title(group: Group, labels: EncoderLabels, fusions: Mapping[str, str]) -> str:
    master, auxiliary = group.example["master"], group.example["auxiliary"]
    return (
        f"{in_mode(auxiliary, labels)} · {auxiliary['pretraining']}, into "
        f"{in_mode(master, labels)} · {master['pretraining']}; {fusions[group.example['run']]}"
    )


def _ef(profiles: Mapping[str, pd.DataFrame], group: Group, definition: str, bootstrap: Bootstrap) -> Ef:
    """EF of a group's auxiliary at the profiled strides; it must be known at every trained one."""
    frame = profiles.get(group.auxiliary, pd.DataFrame(columns=["definition", "score", "stride"]))
    frame = frame[(frame["definition"] == definition) & (frame["score"] == "ef")]
    found = {}
    for stride in sorted({*group.single, *frame["stride"]}):
        own = frame[frame["stride"] == stride]
        if own.empty:
            raise ReportingError(
                f"encoder {group.auxiliary!r} has no EF at OS {stride}; profile it at that stride"
            )
        value = estimate(by_image(own, [stride]), bootstrap)
        found[group.auxiliary, stride] = value.because(commonest_reason(own))
    return found


def _rows(group: Group, metrics: Sequence[str], ef: Ef) -> list[Row]:
    rows: list[Row] = [
        {"stride": _at(strides), "ef": _ef_at(group, strides, ef)}
        | {metric: group.gain(strides, metric) for metric in metrics}
        for strides in group.fused
    ]
    judged = {metric: _judged(group, metric, ef) for metric in metrics}
    rows += _suggestion_rows(judged, len(group.single))
    trained = len(group.single)
    if trained < _MIN_STRIDES:
        said = f"{trained} stride{'' if trained == 1 else 's'} trained"
        return [*rows, {"stride": _RHO} | dict.fromkeys(metrics, said)]
    return rows + correlation_rows("stride", _RHO, {m: _correlated(group, m, ef) for m in metrics})


def _at(strides: Strides) -> str:
    return " + ".join(str(stride) for stride in strides)


def _ef_at(group: Group, strides: Strides, ef: Ef) -> Value:
    """EF of the auxiliary where a run injects; none where it injects at several strides."""
    if len(strides) > 1:
        return Value.missing("several strides have no single EF")
    return ef[group.auxiliary, strides[0]]


def _judged(group: Group, metric: str, ef: Ef) -> Suggestion:
    """The stride that EF suggests for the group's auxiliary against those that were trained."""
    by_stride = {stride: found.mean for (who, stride), found in ef.items() if who == group.auxiliary}
    return judge(by_stride, {stride: group.gain((stride,), metric).mean for stride in group.single})


def _suggestion_rows(judged: Mapping[str, Suggestion], trained: int) -> list[Row]:
    """One row with the outcome by every judged metric; none where there was no choice of strides."""
    stride = next(iter(judged.values())).stride if judged else None
    if stride is None or trained < MIN_TRAINED:
        return []
    return [{"stride": f"EF suggests OS {stride}"} | {m: found.said for m, found in judged.items()}]


def _correlated(group: Group, metric: str, ef: Ef) -> RankCorrelation:
    """EF and gain at the single strides where both are defined."""
    return correlate(
        (ef[group.auxiliary, stride].mean, group.gain((stride,), metric).mean) for stride in group.single
    )


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
        in_words(_correlated(group, metric, ef), "strides")
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
            found = _ef_at(group, strides, ef).mean
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
    judged, correlation = _judged(group, metric, ef), _correlated(group, metric, ef)
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


def _published(shown: pd.DataFrame) -> tuple[Section, str]:
    values = shown.dropna(subset="output_stride")
    by_metric = values.pivot_table(index="output_stride", columns="metric", values="value", sort=True)
    ef, gain = by_metric["EF"], by_metric["AP gain"]
    rows: list[Row] = [
        {"stride": str(stride), "ef": ef[stride], "AP": gain[stride]} for stride in by_metric.index
    ]
    rows += _suggestion_rows({"AP": judge(dict(ef), dict(gain))}, len(rows))
    rows += correlation_rows("stride", _RHO, {"AP": correlate(zip(ef, gain, strict=True))})
    note = published_note(
        shown,
        "; their ρ and p are computed here from these values.",
        of="EF and gains are of full-size encoders",
    )
    return published_section(values, rows, f": {values['model'].iloc[0]}", fill=""), note


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_stride_gain``."""
    encoders = dict(settings["encoders"])
    profiles = zip(encoders, inputs["profiles"], strict=True)
    return stride_gain_table(
        [read_evaluation(path) for path in inputs["evaluations"]],
        {name: read_image_scores(path, ["definition"]) for name, path in profiles},
        encoders,
        dict(settings["runs"]),
        dict(settings["fusions"]),
        settings["seeds"],
        settings["definition"],
        Bootstrap(*settings["bootstrap"]),
        shown_table(inputs["published"], "7"),
        settings["targets"],
        settings["leading"],
    )
