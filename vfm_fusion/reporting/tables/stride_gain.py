"""EF of the auxiliary beside the gain of its injection, per stride (right half of the paper's Table 7)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import Bootstrap, Estimate, by_image, commonest_reason, estimate
from vfm_fusion.reporting.labels import EncoderLabels, label, mode
from vfm_fusion.reporting.rank_correlation import in_words, spearman
from vfm_fusion.reporting.seeds import Evaluation, RunResults, Summary, collect_runs, seeds_note
from vfm_fusion.reporting.table import Column, Section, Table

METRICS = ("AP", "mIoU", "PQ")
"""Metrics whose gain is shown where some run has them, in percentage points."""

Ef = Mapping[tuple[str, int], tuple[Estimate, str]]
"""(Encoder, stride) -> EF, and why it is undefined."""

_MIN_STRIDES = 3


@dataclass(frozen=True)
class Group:
    """Fused runs that differ in the injection stride alone, and the run of their master alone.

    Attributes:
        fused: the runs by injection stride, ascending.
        alone: the master alone, trained alike; None where there is no such run.
    """

    fused: Mapping[int, RunResults]
    alone: RunResults | None

    @property
    def injections(self) -> list[tuple[str, int]]:
        """The auxiliary with each stride at which it is injected."""
        return [(self.example["auxiliary"]["encoder"], stride) for stride in self.fused]

    @property
    def example(self) -> Evaluation:
        """An evaluation from which encoders are read."""
        return next(iter(self.fused.values())).any

    def gain(self, stride: int, metric: str) -> Summary:
        """Returns metric(fused) - metric(master alone), seed by seed, in percentage points."""
        fused, alone = self.fused[stride], self.alone
        if alone is None:
            return Summary(math.nan, math.nan, "no run trains this master alone in the same way")
        if alone.missing:
            return Summary(math.nan, math.nan, f"the master alone is {alone.reason}")
        return fused.summarise(
            {seed: _difference(e, alone.by_seed[seed], metric) for seed, e in fused.by_seed.items()}
        )


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
    metrics = [m for m in METRICS if any(_has(result, m) for result in results)]
    ef = {
        (auxiliary, stride): _ef(profiles, auxiliary, stride, definition, bootstrap)
        for group in groups
        for auxiliary, stride in group.injections
    }
    sections = [
        Section(_title(group, labels, fusions), pd.DataFrame(_rows(group, metrics, ef))) for group in groups
    ]
    notes = [
        _what_note(results, groups, definition),
        _left_out_note(results),
        seeds_note(seeds),
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


def group_by_stride(results: Sequence[RunResults], fusions: Mapping[str, str]) -> list[Group]:
    """Collects fused runs with the same encoders, trained alike and fused alike but for the stride.

    Of two runs with one stride, which then are the same training, the first counts. Runs that inject at
    several strides say nothing of any one of them, and are left out.

    Args:
        results: all runs; those without an evaluation are left out.
        fusions: run to its fusion settings without the stride.
    """
    alone: dict[tuple[Any, ...], RunResults] = {}
    fused: dict[tuple[Any, ...], dict[int, RunResults]] = {}
    for result in results:
        evaluation = result.any
        if evaluation is None:
            continue
        master = (evaluation["master"]["encoder"], evaluation["master"]["trainable"])
        if evaluation["auxiliary"] is None:
            alone.setdefault(master, result)
        elif len(evaluation["strides"]) == 1:
            auxiliary = (evaluation["auxiliary"]["encoder"], evaluation["auxiliary"]["trainable"])
            key = (*master, *auxiliary, fusions[result.key])
            fused.setdefault(key, {}).setdefault(evaluation["strides"][0], result)
    return [Group(dict(sorted(runs.items())), alone.get(key[:2])) for key, runs in fused.items()]


def _difference(fused: Evaluation, alone: Evaluation, metric: str) -> tuple[float | None, str]:
    for evaluation in (fused, alone):
        if evaluation["metrics"].get(metric) is None:
            return None, evaluation["reasons"].get(metric, "")
    return fused["metrics"][metric] - alone["metrics"][metric], ""


def _has(result: RunResults, metric: str) -> bool:
    return any(e["metrics"].get(metric) is not None for e in result.by_seed.values())


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


def _rows(group: Group, metrics: Sequence[str], ef: Ef) -> list[dict[str, Any]]:
    rows = []
    for injection in group.injections:
        found, reason = ef[injection]
        row: dict[str, Any] = {"stride": str(injection[1]), "ef": found.mean, "ef_reason": reason}
        row |= {"ef_low": found.low, "ef_high": found.high}
        for metric in metrics:
            gain = group.gain(injection[1], metric)
            row |= {metric: gain.mean, f"{metric}_std": gain.std, f"{metric}_reason": gain.reason}
        rows.append(row)
    return [*rows, *_correlation_rows({m: _pairs(group, m, ef) for m in metrics}, len(group.fused))]


def _pairs(group: Group, metric: str, ef: Ef) -> tuple[list[float], list[float]]:
    """EF and gain at the strides where both are defined."""
    pairs = [(ef[injection][0].mean, group.gain(injection[1], metric).mean) for injection in group.injections]
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
        return "No evaluated run injects an auxiliary at a single stride, so there is no gain to show."
    first = next(result.any for result in results if result.any)
    return (
        f"EF by definition '{definition}', mean over images [95 % bootstrap interval]; gains on "
        f"{first['images']} validation images of {first['dataset']}. FT: fine-tuned, FZ: frozen."
    )


def _left_out_note(results: Sequence[RunResults]) -> str:
    several = [result.label for result in results if result.any and len(result.any["strides"]) > 1]
    return f"Not shown, because they inject at several strides: {', '.join(several)}." if several else ""


def _evidence_notes(groups: Sequence[Group], metrics: Sequence[str], ef: Ef) -> list[str]:
    found = [
        in_words(spearman(*_pairs(group, metric, ef)), "strides")
        for group in groups
        if len(group.fused) >= _MIN_STRIDES
        for metric in metrics
    ]
    return list(dict.fromkeys(note for note in found if note))


def _records(group: Group, metrics: Sequence[str], ef: Ef) -> list[dict[str, Any]]:
    master, auxiliary = group.example["master"], group.example["auxiliary"]
    pair = {"master": master["encoder"], "trainable": master["trainable"], "auxiliary": auxiliary["encoder"]}
    records = []
    for metric in metrics:
        for stride, result in group.fused.items():
            gain, found = group.gain(stride, metric), ef[auxiliary["encoder"], stride][0]
            records.append(
                pair
                | {"run": result.key, "stride": stride, "ef": found.mean, "metric": metric}
                | {"statistic": "gain", "value": gain.mean, "std": gain.std, "n": len(result.by_seed)}
                | {"reason": gain.reason}
            )
        correlation = spearman(*_pairs(group, metric, ef))
        for statistic, value in (("spearman_rho", correlation.rho), ("spearman_p", correlation.p)):
            records.append(
                pair
                | {"run": "", "stride": pd.NA, "ef": math.nan, "metric": metric, "statistic": statistic}
                | {"value": value, "std": math.nan, "n": correlation.n, "reason": correlation.reason}
            )
    return records


def _published_section(published: pd.DataFrame, metrics: Sequence[str]) -> Section:
    values = published[published["metric"].isin(["EF", "AP gain"])].dropna(subset="output_stride")
    by_metric = values.pivot_table(index="output_stride", columns="metric", values="value", sort=True)
    rows = [
        _blank(str(stride), metrics) | {"ef": row["EF"], "AP": row["AP gain"]}
        for stride, row in by_metric.iterrows()
    ]
    correlation = spearman(by_metric["EF"].to_list(), by_metric["AP gain"].to_list())
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
