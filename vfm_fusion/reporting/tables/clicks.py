"""Clicks of interactive segmentation by encoder, click model and upsampler (iSegProbe's tables)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.datasets.click_benchmarks import differing
from vfm_fusion.reporting.cells import MISSING, Value, number
from vfm_fusion.reporting.click_results import (
    NOC,
    ClickResults,
    Key,
    Tested,
    counted,
    read_clicked,
    read_clicks,
)
from vfm_fusion.reporting.labels import label, pretraining
from vfm_fusion.reporting.published import published_note
from vfm_fusion.reporting.published_clicks import PublishedClicks, read_published_clicks
from vfm_fusion.reporting.records import seeds_note
from vfm_fusion.reporting.result_files import check_columns, read_keys
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

SEGNEXT_CLICK = 5
"""The click whose mean IoU is shown beside that of the first."""
FAILURES_FROM = 90.0
"""Failures are shown of targets from this IoU on, in percent; the CSV file has all."""
LAWS = {"distance": "by depth", "uniform": "uniform"}
"""How clicks beside the best are drawn, in print."""
CASES = {
    "carried": "rounds after the clicks had ended, with their IoU carried on",
    "no_error_left": "rounds without an error left to click",
    "all_clicked": "rounds with every error clicked already",
    "equal_errors": "clicks at equally deep errors of both signs",
}
"""What is counted of special cases, in print."""
_EXPLAINED = (
    "NoC: mean clicks of an object to an IoU of so many percent, {clicks} where it never reaches it. NoF: "
    "objects that took all {clicks} clicks; never: those of them that did not reach it with the last either.",
    "IoU: mean after the first and after a later click (what SegNext calls 5-mIoU is that after click 5); "
    "boundary: Boundary IoU of the last masks, of regions {boundary:g} % of the image's diagonal wide.",
)
_ROBUST = (
    "IoU-AUC: area under the curve of IoU against clicks in percent, for clicks drawn from the error by its "
    "depth or uniformly in place of the best one; spread: the best of the groups of equal probability minus "
    "the worst."
)
_SECONDS = "s/click: mean time of a prediction, on the machine that evaluated."


def clicks_table(
    results: ClickResults,
    seconds: Mapping[Key, Value],
    totals: Mapping[str, int] | None = None,
    published: PublishedClicks | None = None,
) -> Table:
    """Builds the table: a block for every data set, a row for every cell, means over seeds.

    Args:
        results: the scores.
        seconds: mean time of a prediction of every cell on every data set.
        totals: data set to all of its images, where a part of them is clicked.
        published: published values; those of a data set stand beneath it. Where none of the data sets has
            any, those of the first published one stand at the end.
    """
    columns, sections, below = _columns(results), [], []
    metrics = [column.key for column in columns if column.digits is not None]
    for dataset in results.datasets:
        rows = [_row(results, tested, seconds[tested.key]) for tested in results.on(dataset)]
        sections.append(Section(_heading(results, dataset, totals or {}), rows))
        if published is not None:
            below.append(published.of_kind(results.names.datasets[dataset], metrics))
            sections += published.sections(below[-1])
    if published is not None and all(values.empty for values in below):
        below = [published.first(metrics)]
        sections += published.sections(below[0])
    trained = results.on(results.datasets[0])[0].facts["trained_on"]
    return Table(
        name="clicks",
        caption=(
            f"Interactive segmentation with click models trained on {trained}: clicks that a robot needs to "
            "an IoU, objects that never reach it, and IoU after some clicks."
        ),
        data=pd.DataFrame(_records(results, seconds)),
        columns=columns,
        sections=sections,
        notes=_notes(results, [values for values in below if len(values)]),
        best_in="section",
    )


def _columns(results: ClickResults) -> tuple[Column, ...]:
    several = len(results.names.seeds) > 1
    noc = [
        Column(name, f"@{name.removeprefix(NOC)}", "NoC", digits=2, best="min", shows="std")
        for name in results.targets
    ]
    nof = [
        Column(f"NoF@{t}", f"@{t}", "NoF", digits=int(several), best="min", shows="std")
        for t in _failures(results)
    ]
    iou = [
        Column(name, title, "IoU (%)", digits=2, best="max", shows="std")
        for name, title in _iou_scores(results).items()
    ]
    robust = [
        Column(f"IoU_AUC_{law}", LAWS[law], "IoU-AUC (%)", digits=2, best="max", shows="std")
        for law in _laws(results)
    ]
    texts = {"encoder": "Encoder", "clicks": "Click model", "upsampler": "Upsampler"}
    named = [Column(key, title) for key, title in texts.items()]
    return (*named, *noc, *nof, *iou, *robust, Column("seconds", "s/click", digits=3))


def _failures(results: ClickResults) -> list[str]:
    """The targets whose failures are shown, in percent."""
    percents = [name.removeprefix(NOC) for name in results.targets]
    return [t for t in percents if float(t) >= FAILURES_FROM] or percents[-1:]


def _iou_scores(results: ClickResults) -> dict[str, str]:
    """The means of IoU that are shown, with their titles."""
    click = min(SEGNEXT_CLICK, results.max_clicks)
    later = {f"mIoU@{click}": f"@{click}"} if click > 1 else {}
    return {"IoU@1": "@1", **later, "boundary_IoU": "boundary"}


def _laws(results: ClickResults) -> list[str]:
    """The laws by which clicks beside the best were drawn for some cell."""
    found = {name for tested in results.tested.values() for name in tested.facts["robustness"] or {}}
    return [law for law in LAWS if f"IoU_AUC_{law}" in found]


def _row(results: ClickResults, tested: Tested, seconds: Value) -> Row:
    key, model = tested.key, results.names.click_models[tested.key.clicks]
    never = {t: tested.score(f"strict_NoF@{t}") for t in _failures(results)}
    digits = int(len(results.names.seeds) > 1)
    return {
        "encoder": Entry(
            label(results.names.encoders, key.encoder), pretraining(results.names.encoders, key.encoder)
        ),
        "clicks": Entry(key.clicks, f"{model['click_encoder']}, {model['inject']}"),
        "upsampler": results.names.upsampler(key.upsampler),
        **{name: tested.score(name) for name in (*results.targets, *_iou_scores(results))},
        **{
            f"NoF@{t}": Entry(tested.score(f"NoF@{t}"), f"never {number(of.mean, digits)}")
            for t, of in never.items()
        },
        **{f"IoU_AUC_{law}": _robust(tested, law) for law in _laws(results)},
        "seconds": seconds,
    }


def _robust(tested: Tested, law: str) -> Entry:
    area, spread = (tested.robustness(f"IoU_AUC_{part}{law}") for part in ("", "spread_"))
    known = not math.isnan(area.mean)
    return Entry(area, f"spread {number(spread.mean, 2)}" if known else "")


def _heading(results: ClickResults, dataset: str, totals: Mapping[str, int]) -> str:
    facts = results.on(dataset)[0].facts
    images, total = facts["images"], totals.get(dataset, facts["images"])
    where = counted(images, "image") if images >= total else f"{images} of {total} images, evenly spaced"
    return f"{dataset}: {counted(facts['objects'], 'object')} in {where}"


def _records(results: ClickResults, seconds: Mapping[Key, Value]) -> list[dict[str, Any]]:
    """Every score of every seed, and its mean over them."""
    records = []
    for key, tested in results.tested.items():
        facts = tested.facts
        of = key._asdict() | {"images": facts["images"], "objects": facts["objects"]}
        of |= {f"parameters_{part}": count for part, count in facts["parameters"].items()}
        parts = {name: (tested.score(name), "scores") for name in facts["scores"]}
        parts |= {name: (tested.robustness(name), "robustness") for name in facts["robustness"] or {}}
        for name, (mean, part) in parts.items():
            for seed, clicked in tested.seeds.items():
                value = (clicked[part] or {}).get(name)
                records.append(of | {"metric": name, "seed": str(seed), "value": value})
            records.append(
                of
                | {"metric": name, "seed": "all", "value": mean.mean, "std": mean.std, "reason": mean.reason}
            )
        records.append(of | {"metric": "seconds", "seed": "all", "value": seconds[key].mean})
    return records


def _notes(results: ClickResults, shown: Sequence[pd.DataFrame]) -> list[str]:
    protocol = next(iter(results.tested.values())).facts["protocol"]
    explained = " ".join(_EXPLAINED).format(
        clicks=results.max_clicks, boundary=100 * protocol["boundary_ratio"]
    )
    return [
        seeds_note(results.names.seeds),
        explained,
        _ROBUST if _laws(results) else "",
        _SECONDS,
        _protocol_note(protocol),
        *(_cases_note(results, dataset) for dataset in results.datasets),
        *(_part_note(results, dataset) for dataset in results.datasets),
        *([published_note(pd.concat(shown), f". {MISSING}: not published.")] if shown else []),
    ]


def _protocol_note(protocol: Mapping[str, Any]) -> str:
    """Says which settings of the protocol change numbers."""
    said = [f"up to {protocol['max_clicks']} clicks", f"threshold {protocol['threshold']:g}"]
    said.append("mirrored images averaged" if protocol["flip"] else "images not mirrored")
    zoom = protocol["zoom"]
    size = f" at {zoom['side']} x {zoom['side']}" if zoom["side"] else ""
    said.append(f"zoom on the object{size}" if zoom["follow_object"] else f"whole images{size}")
    if protocol["stop_at"] is not None:
        said.append(f"clicks end at an IoU of {100 * protocol['stop_at']:g} %")
    if protocol["least_area"]:
        said.append(f"objects of fewer than {protocol['least_area']} pixels passed over")
    if not protocol["ignore_void"]:
        said.append("void pixels are background")
    names = ("perfect_mask", "equal_errors", "distance", "empty_truth")
    said += [f"{name}: {protocol[name]}" for name in names]
    return f"Protocol: {', '.join(said)}."


def _cases_note(results: ClickResults, dataset: str) -> str:
    """Counts undefined objects and special cases on a data set, from the fewest of a model to the most."""
    found = [clicked["scores"] for tested in results.on(dataset) for clicked in tested.seeds.values()]
    undefined = counted(found[0]["undefined"], "object")
    said = [f"{undefined} without a labelled pixel left out"] if found[0]["undefined"] else []
    for case, what in CASES.items():
        counts = [scores[case] for scores in found]
        low, high = min(counts), max(counts)
        if high:
            said.append(f"{low:g} {what}" if low == high else f"{low:g} to {high:g} {what}")
    of = " by model" if len(found) > 1 else ""
    return f"{dataset}{of}: {'; '.join(said) or 'no special case'}."


def _part_note(results: ClickResults, dataset: str) -> str:
    """Says where a data set is not the benchmark that published numbers are of."""
    facts = results.on(dataset)[0].facts
    note = differing(results.names.datasets[dataset], facts["images"], facts["objects"])
    return note and f"{dataset}: {note}"


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_clicks``."""
    results = read_clicks(inputs["scores"], settings)
    totals = {
        dataset: read_keys(path, ["images"])["images"]
        for dataset, path in zip(
            results.names.datasets, inputs["summaries"], strict=bool(inputs["summaries"])
        )
    }
    return clicks_table(
        results,
        read_seconds(inputs["scores"], inputs["seconds"]),
        totals,
        read_published_clicks(inputs["published"], dict(settings["titles"])),
    )


def read_seconds(scores: Sequence[Path], seconds: Sequence[Path]) -> dict[Key, Value]:
    """Averages the times of predictions over all objects and seeds, by data set and cell.

    Raises:
        ReportingError: a column is missing.
    """
    frames: dict[Key, list[pd.Series[float]]] = {}
    for of, path in zip(scores, seconds, strict=True):
        frame = pd.read_parquet(path)
        check_columns(frame, ["seconds"], path)
        clicked = read_clicked(of)
        frames.setdefault(Key(*(clicked[part] for part in Key._fields)), []).append(frame["seconds"])
    means = {key: float(pd.concat(of).mean()) for key, of in frames.items()}
    return {key: Value(mean).because("no prediction was made") for key, mean in means.items()}
