"""Two ways to rank upsamplers side by side: scores of their maps, and clicks that masks from them take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import rankdata

from vfm_fusion.reporting.cells import MISSING, Value, p_in_words
from vfm_fusion.reporting.click_results import ClickResults, counted, read_clicks
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.labels import full_label
from vfm_fusion.reporting.published_clicks import PublishedClicks, read_published_clicks
from vfm_fusion.reporting.records import seeds_note
from vfm_fusion.reporting.significance import EXACT_UP_TO
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table
from vfm_fusion.reporting.upsampled_quality import SCORES, Qualities, read_qualities, scored_cells
from vfm_fusion.reporting.upsampler_skill import ENCODER, WITHIN, rank_correlations

_NOC = "NoC {}"
_UP = ("SC", "EF", "probe_mIoU")
"""Scores of which the highest is the best."""


def upsamplers_table(
    results: ClickResults,
    qualities: Qualities,
    bootstrap: Bootstrap,
    published: PublishedClicks | None = None,
) -> Table:
    """Builds the table: a block of upsamplers for every encoder, what is published, then rank correlations.

    Args:
        results: the scores of clicks.
        qualities: the scores of maps, none where they were not measured.
        bootstrap: resamples behind intervals of correlations, and their seed.
        published: published values, whose means over data sets stand below the measured ones.
    """
    encoders = list(dict.fromkeys(encoder for encoder, _ in results.arrangements))
    clicks = list(dict.fromkeys(model for _, model in results.arrangements))
    sections = [
        Section(
            full_label(results.names.encoders, encoder), _rows(results, qualities, encoder, clicks), fill=""
        )
        for encoder in encoders
    ]
    if published is not None:
        rows = _published_rows(results, published, clicks)
        sections.append(Section("Published, means over data sets", rows, ranked=False, fill=MISSING))
    cells = scored_cells(results, qualities)
    found = rank_correlations(cells, bootstrap, list(SCORES))
    sections += _correlation_sections(results, found, clicks)
    return Table(
        name="upsamplers",
        caption=(
            f"Upsamplers by scores of their maps and by clicks to an IoU of {results.percent} percent, the "
            "mean over data sets, with what they cost; below, whether one order is the other."
        ),
        data=_records(cells, qualities, found),
        columns=_columns(results, clicks),
        sections=sections,
        notes=_notes(results, qualities, bootstrap, published),
        best_in="section",
    )


def _columns(results: ClickResults, clicks: list[str]) -> tuple[Column, ...]:
    noc = [
        Column(_NOC.format(model), model, f"NoC@{results.percent}", digits=2, best="min", shows="std")
        for model in clicks
    ]
    return (
        Column("upsampler", "Upsampler"),
        Column("SC", "SC", "Scores of maps", digits=3, best="max", shows="interval"),
        Column("EF", "EF", "Scores of maps", digits=2, best="max", shows="interval"),
        Column("EF_null", "EF, null", "Scores of maps", digits=2),
        Column("probe_mIoU", "Probe mIoU (%)", "Scores of maps", digits=2, best="max"),
        *noc,
        Column("parameters", "Parameters (M)", "Cost", digits=2),
        Column("milliseconds", "ms/image", "Cost", digits=1),
        Column("memory", "Memory (MB)", "Cost", digits=0),
    )


def _rows(results: ClickResults, qualities: Qualities, encoder: str, clicks: list[str]) -> list[Row]:
    cells = [key for key in results.tested if key.encoder == encoder and key.dataset == results.datasets[0]]
    used = {key.upsampler for key in cells}
    rows: dict[str, dict[str, Value | str]] = {}
    for upsampler in (name for name in results.upsamplers if name in used):
        tested = {key.clicks: results.tested[key] for key in cells if key.upsampler == upsampler}
        rows[upsampler] = {
            "upsampler": results.names.upsampler(upsampler),
            **{name: qualities.score(encoder, upsampler, name) for name in (*SCORES, "EF_null")},
            **{
                _NOC.format(model): results.mean_clicks(encoder, model, upsampler)
                for model in clicks
                if model in tested
            },
            "parameters": Value(next(iter(tested.values())).facts["parameters"]["upsampler"] / 1e6),
            "milliseconds": qualities.milliseconds(encoder, upsampler),
            "memory": qualities.megabytes(encoder, upsampler),
        }
    return _with_ranks(rows)


def _published_rows(results: ClickResults, published: PublishedClicks, clicks: list[str]) -> list[Row]:
    """Published linear probes and clicks of the click encoders that were trained, by upsampler."""
    encoders = {model: results.names.click_models[model]["click_encoder"] for model in clicks}
    columns = {"probe_mIoU": published.means("mIoU")}
    columns |= {_NOC.format(m): published.means(results.leading, encoder) for m, encoder in encoders.items()}
    upsamplers = dict.fromkeys(name for found in columns.values() for name in found)
    rows: dict[str, dict[str, Value | str]] = {
        upsampler: {"upsampler": published.titles.get(upsampler, upsampler)}
        | {column: Value(found[upsampler]) for column, found in columns.items() if upsampler in found}
        for upsampler in (name for name in published.titles if name in upsamplers)
    }
    return _with_ranks(rows)


def _with_ranks(rows: Mapping[str, Mapping[str, Value | str]]) -> list[Row]:
    """Writes below every score and number of clicks which rank it has among the rows."""
    ranked = [
        name for name in dict.fromkeys(chain(*rows.values())) if name in _UP or name.startswith(_NOC[:4])
    ]
    ranks = {
        name: _ranks({key: row[name] for key, row in rows.items() if name in row}, name) for name in ranked
    }
    return [
        {name: Entry(value, ranks.get(name, {}).get(key, "")) for name, value in row.items()}
        for key, row in rows.items()
    ]


def _ranks(values: Mapping[str, Value | str], name: str) -> dict[str, str]:
    """Writes the rank of every defined value among the upsamplers, 1 for the best; nothing for one alone."""
    known = {key: v.mean for key, v in values.items() if isinstance(v, Value) and not math.isnan(v.mean)}
    if len(known) < 2:
        return {}
    signed = [-value if name in _UP else value for value in known.values()]
    ranks = rankdata(signed, method="min")
    return {key: f"rank {int(rank)}" for key, rank in zip(known, ranks, strict=True)}


def _correlation_sections(results: ClickResults, found: pd.DataFrame, clicks: list[str]) -> list[Section]:
    """A section a data set: how far the order by every score is that by clicks, for each click model."""
    rows_of: dict[str, list[Row]] = {}
    encoders = list(dict.fromkeys(encoder for encoder, _ in results.arrangements))
    for dataset in results.datasets:
        for model in clicks:
            here = found[(found["dataset"] == dataset) & (found["clicks"] == model)]
            inside = [encoder for encoder in encoders if encoder in set(here["encoder"])]
            for encoder in [*inside, *([""] if len(inside) > 1 else [])]:
                scope = WITHIN if encoder == "" else ENCODER
                of = here[(here["scope"] == scope) & (here["encoder"] == encoder)].set_index("score")
                who = results.names.arrangement(encoder, model) if encoder else f"mean of encoders, {model}"
                cells = {score: _correlation(of.loc[score]) for score in SCORES}
                rows_of.setdefault(dataset, []).append({"upsampler": who, **cells})
    title = f"Spearman's ρ over upsamplers with fewer clicks to {results.percent} percent"
    return [Section(f"{title}, {dataset}", rows, ranked=False, fill="") for dataset, rows in rows_of.items()]


def _correlation(row: pd.Series) -> Entry:
    value = Value(row["rho"], low=row["low"], high=row["high"]).because(row["reason"])
    return Entry(value, "" if math.isnan(row["p"]) else p_in_words(row["p"]))


def _records(cells: pd.DataFrame, qualities: Qualities, found: pd.DataFrame) -> pd.DataFrame:
    """Scores, clicks and costs of every cell, then the correlations; ``statistic`` tells them apart."""
    records = []
    for cell in cells.to_dict("records"):
        of = {name: cell.pop(name) for name in ("dataset", "clicks", "encoder", "upsampler")}
        encoder, upsampler = of["encoder"], of["upsampler"]
        cell["EF_null"] = qualities.score(encoder, upsampler, "EF_null").mean
        cell["milliseconds"] = qualities.milliseconds(encoder, upsampler).mean
        cell["megabytes"] = qualities.megabytes(encoder, upsampler).mean
        records += [of | {"statistic": name, "value": value} for name, value in cell.items()]
    for row in found.to_dict("records"):
        of = {"dataset": row["dataset"], "clicks": row["clicks"], "encoder": row["encoder"]}
        of |= {"statistic": f"rho {row['score']}, {row['scope']}", "value": row["rho"]}
        records.append(of | {name: row[name] for name in ("low", "high", "p", "n", "reason")})
    return pd.DataFrame(records)


def _notes(
    results: ClickResults, qualities: Qualities, bootstrap: Bootstrap, published: PublishedClicks | None
) -> list[str]:
    facts = qualities.facts
    measured = ""
    if facts is not None:
        size = "" if facts["size"] is None else f", at most {facts['size'][0]} x {facts['size'][1]}"
        measured = (
            f"SC (0 to 1) and EF (0 to 100) by the definition '{facts['definition']}', with 95 % bootstrap "
            f"intervals over {counted(facts['images'], 'image')} of {facts['dataset']}, of maps upsampled "
            f"to OS {facts['stride']}{size}; EF, null: its null floor. Probe: semantic mIoU of a linear "
            "layer on the upsampled map. Memory: predicted for the largest of these images, with the result; "
            f"times: the median of an image, {_machine(qualities)}."
        )
    return [
        measured,
        f"Ranks: 1 is the best of the encoder's upsamplers. {seeds_note(results.names.seeds)}",
        "ρ: +1 where a higher score goes with fewer clicks throughout. Brackets: 95 % bootstrap interval "
        f"over upsamplers ({bootstrap.resamples} resamples); p: two-sided, exact for up to {EXACT_UP_TO} "
        "upsamplers.",
        "" if published is None else published.mean_note(["mIoU", results.leading]),
    ]


def _machine(qualities: Qualities) -> str:
    """Says what times were taken on."""
    cost = next(iter(qualities.costs.values()), None)
    if cost is None:
        return "not taken"
    return f"on {cost['device']} with {counted(cost['threads'], 'thread')}"


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_upsamplers``."""
    return upsamplers_table(
        read_clicks(inputs["scores"], settings),
        read_qualities(inputs["quality"], inputs["costs"]),
        Bootstrap(*settings["bootstrap"]),
        read_published_clicks(inputs["published"], dict(settings["titles"])),
    )
