"""What every injection stride reaches, setting by setting, and whether EF suggested the best (Table 6)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, in_mode
from vfm_fusion.reporting.published import published_note, published_section, published_table, read_published
from vfm_fusion.reporting.records import average_note, images_in_words, one_per_target, seeds_note
from vfm_fusion.reporting.stride_groups import upsampled_note
from vfm_fusion.reporting.stride_suggestion import (
    MIN_TRAINED,
    HitRate,
    Suggestion,
    hit_rate,
    judge,
    regret_in_words,
)
from vfm_fusion.reporting.stride_sweep import (
    Setting,
    Sweep,
    rate_notes,
    rates,
    read_sweep,
    suggestions,
)
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

_MODEL = re.compile(r"(?P<name>\w+): master (?P<master>.+), auxiliary (?P<auxiliary>.+)")


_CAUTION = (
    "p: the exact chance of so many hits or more if every stride were drawn at random and independently. "
    "Settings with one auxiliary share a suggestion, and the seeds of a setting share their encoders, so "
    "the true chance is larger, above all over seeds."
)


def injection_stride_table(sweep: Sweep, published: pd.DataFrame | None = None) -> Table:
    """Builds the table of settings (rows) by injection strides (columns), one block per metric.

    Args:
        sweep: runs by setting and stride.
        published: all reference values; those of Tables 5 and 6 are shown below where the runs have an AP.
    """
    settings, labels, metrics = sweep.settings, sweep.labels, sweep.metrics
    strides = sorted({stride for setting in settings for stride in (*setting.group.single, *setting.ef)})
    sections = [
        Section(metric, [_row(setting, metric, strides, labels) for setting in settings])
        for metric in metrics
    ]
    notes = [
        _what_note(sweep),
        average_note(one_per_target(sweep.results)),
        *(note for metric in metrics for note in rate_notes(settings, metric)),
        upsampled_note([setting.group for setting in settings]),
        *_other_notes(sweep.elsewhere, metrics[:1], labels),
        _CAUTION if settings else "",
        *_repeated_notes(settings),
        seeds_note(sweep.seeds) + " Margin: the suggested stride minus the best other one, seed by seed.",
    ]
    if published is not None and "AP" in metrics:
        shown, found = published_table(published, "6"), published_settings(published)
        rows = [_published_row(setting) for setting in found]
        sections.append(published_section(shown, rows, ", AP", ranked=True))
        notes.append(published_note(shown, _published_rate_in_words(published_rate(found))))
    return Table(
        name="injection_stride",
        caption=(
            "What every injection stride (OS) reaches, in percent. Underlined: the stride that EF of the "
            "auxiliary suggests; bold: the best of the row."
        ),
        data=pd.DataFrame(
            [r for s in settings for m in metrics for r in (*_records(s, m), *_verdicts(s, m))]
            + [r for metric in metrics for r in _rates(settings, metric)]
        ),
        columns=_columns(strides),
        sections=sections,
        notes=notes,
        problems=[result.problem for result in sweep.results],
        best_in="row",
    )


def _other_notes(
    others: Mapping[str, Sequence[Setting]], metrics: Sequence[str], labels: EncoderLabels
) -> list[str]:
    """What EF by the other definitions would have suggested, by the main metric."""
    return [
        f"EF by definition '{name}' would suggest {suggestions(settings, labels)}. {note}"
        for name, settings in others.items()
        for metric in metrics
        for note in rate_notes(settings, metric)
    ]


def _columns(strides: Sequence[int]) -> tuple[Column, ...]:
    return (
        Column("setting", "Setting"),
        Column("master", "Master"),
        Column("auxiliary", "Auxiliary"),
        Column("operator", "Operator"),
        *(Column(f"os{stride}", str(stride), "OS", digits=2, best="max", shows="std") for stride in strides),
        Column("margin", "Margin", digits=2, shows="std"),
        Column("hit", "Hit"),
    )


def _row(setting: Setting, metric: str, strides: Sequence[int], labels: EncoderLabels) -> Row:
    example = setting.group.example
    found = setting.judged(metric)
    row: dict[str, Any] = {
        "setting": setting.name,
        **{role: in_mode(example[role], labels) for role in ("master", "auxiliary")},
        "operator": example["operator"],
        "margin": Value(found.margin, setting.margin(metric).std).because(found.reason),
        "hit": hit_in_words(found),
    }
    for stride in strides:
        trained = stride in setting.group.single
        value = setting.level(stride, metric) if trained else Value.missing("no run injects at this stride")
        row[f"os{stride}"] = Entry(value, underline=stride == setting.suggested)
    return row


def hit_in_words(found: Suggestion) -> str:
    """Says whether the suggested stride is the best one: ``hit``, ``miss`` or why that is not known."""
    if found.hit is None:
        return found.reason
    return "hit" if found.hit else "miss"


def _what_note(sweep: Sweep) -> str:
    if not sweep.settings:
        return f"No auxiliary was injected at {MIN_TRAINED} or more single strides, so there is no setting."
    text = (
        f"n = {images_in_words(one_per_target(sweep.results))}. EF by definition "
        f"'{sweep.selection['definition']}'. FT: fine-tuned, FZ: frozen."
    )
    if any(setting.name for setting in sweep.settings):
        text += (
            " A, B: structure encoder as master, edge encoder as auxiliary; C, D: the reverse; A, C: "
            "master fine-tuned; B, D: master frozen."
        )
    return text


def _repeated_notes(settings: Sequence[Setting]) -> list[str]:
    pairs = [pair for setting in settings for pair in setting.group.repeated]
    said = [f"{again.label!r} is the same training as {shown.label!r}" for shown, again in pairs]
    return [f"{', '.join(said)}; the first of the configuration is shown."] if said else []


def _records(setting: Setting, metric: str) -> list[dict[str, Any]]:
    """One row per stride and seed, and one per stride for the mean."""
    records = []
    for stride in setting.group.single:
        run = setting.group.fused[stride,]
        level = setting.level(stride, metric)
        for seed in run.found:
            value = setting.group.at_seed(metric, seed)[stride]
            records.append(_record(setting, metric, "value", str(seed), value, stride=stride, run=run.key))
        records.append(
            _record(setting, metric, "value", "all", level.mean, level.std, level.reason, stride, run.key)
        )
    return records


def _verdicts(setting: Setting, metric: str) -> list[dict[str, Any]]:
    """Margin, hit and regret, by the means and by seed."""
    found = {"all": setting.judged(metric)}
    found |= {str(seed): judged for seed, judged in setting.judged_by_seed(metric).items()}
    return [
        _record(setting, metric, statistic, seed, value, reason=judged.reason, stride=judged.stride)
        for seed, judged in found.items()
        for statistic, value in (
            ("suggested_margin", judged.margin),
            ("hit", math.nan if judged.hit is None else float(judged.hit)),
            ("chance", judged.chance),
            ("regret", judged.regret),
            ("random_regret", judged.random_regret),
        )
    ]


def _record(
    setting: Setting | None,
    metric: str,
    statistic: str,
    seed: str,
    value: float,
    std: float = math.nan,
    reason: str = "",
    stride: int | None = None,
    run: str = "",
) -> dict[str, Any]:
    known = setting.group.example if setting else {}
    return {
        "setting": setting.title if setting else "",
        **{role: known[role]["encoder"] if known else "" for role in ("master", "auxiliary")},
        "operator": known["operator"] if known else "",
        "run": run,
        "metric": metric,
        "statistic": statistic,
        "seed": seed,
        "stride": "" if stride is None else str(stride),
        "value": value,
        "std": std,
        "reason": reason,
    }


def _rates(settings: Sequence[Setting], metric: str) -> list[dict[str, Any]]:
    return [
        _record(None, metric, f"{what}_of_{of}", "", value)
        for of, rate in zip(("settings", "settings_and_seeds"), rates(settings, metric), strict=True)
        for what, value in (
            ("hits", rate.hits),
            ("trials", rate.trials),
            ("random_hits", rate.expected),
            ("p", rate.p),
            ("regret", rate.regret),
            ("random_regret", rate.random_regret),
        )
    ]


class PublishedSetting(NamedTuple):
    """One row of the published table; ``ap`` is by stride."""

    name: str
    master: str
    auxiliary: str
    ap: Mapping[int, float]
    judged: Suggestion


def published_settings(frame: pd.DataFrame) -> list[PublishedSetting]:
    """Returns the published settings, each judged by the EF that is published of its auxiliary.

    Args:
        frame: all reference values, see :func:`vfm_fusion.reporting.published.read_published`.

    Raises:
        ReportingError: Table 5 or 6 has no value, or a setting does not name its encoders.
    """
    profiles = published_table(frame, "5")
    found = []
    for (model, trained), rows in published_table(frame, "6").groupby(["model", "mode"], sort=False):
        named = _MODEL.fullmatch(model)
        if named is None:
            raise ReportingError(
                f"published Table 6: model {model!r} does not read like 'A: master X, auxiliary Y'"
            )
        auxiliary = named["auxiliary"]
        of = profiles[(profiles["model"] == auxiliary) & (profiles["metric"] == "EF")]
        ef, ap = (_by_stride(values) for values in (of, rows))
        modes = trained.split("/")
        found.append(
            PublishedSetting(
                named["name"], f"{named['master']} {modes[0]}", f"{auxiliary} {modes[1]}", ap, judge(ef, ap)
            )
        )
    return found


def published_rate(settings: Sequence[PublishedSetting]) -> HitRate:
    """Returns how often the published EF suggests the stride of the best published AP."""
    return hit_rate(setting.judged for setting in settings)


def _published_row(setting: PublishedSetting) -> Row:
    judged = setting.judged
    return {
        "setting": setting.name,
        "master": setting.master,
        "auxiliary": setting.auxiliary,
        "operator": "replace",
        "margin": Value(judged.margin).because(judged.reason),
        "hit": "hit" if judged.hit else "miss",
    } | {f"os{s}": Entry(ap, underline=s == judged.stride) for s, ap in setting.ap.items()}


def _published_rate_in_words(rate: HitRate) -> str:
    return (
        ", without spread; their suggested stride, hits and p are computed here from Tables 5 and 6: "
        f"{rate.said('settings')}. {regret_in_words(rate)}"
    )


def _by_stride(rows: pd.DataFrame) -> dict[int, float]:
    return {int(row.output_stride): float(row.value) for row in rows.itertuples()}


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_injection_stride``."""
    sweep = read_sweep(settings, inputs["evaluations"], inputs["profiles"], inputs["selection"][0])
    published = inputs["published"]
    return injection_stride_table(sweep, read_published(published[0]) if published else None)
