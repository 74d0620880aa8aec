"""Objects that click models never brought to the IoU that upsamplers are ranked by, worst first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import in_a_row, number
from vfm_fusion.reporting.click_results import ClickResults, Key, counted, read_clicks, read_objects
from vfm_fusion.reporting.table import Column, Entry, Row, Section, Table

SHOWN = 20
"""Most objects of a data set; the CSV file has all."""
_OBJECT = ["image_id", "object"]


def click_failures_table(results: ClickResults, objects: Mapping[Key, Mapping[int, pd.DataFrame]]) -> Table:
    """Builds the table: a block for every data set, a row for every object that some model failed on.

    Objects that most models fail on stand first, of as many those of the lowest mean IoU.

    Args:
        results: the scores.
        objects: see :func:`~vfm_fusion.reporting.click_results.read_objects`.
    """
    failed = _failed(results, objects)
    sections, notes = [], []
    for dataset in results.datasets:
        of = failed[failed["dataset"] == dataset]
        rows = _rows(results, of)
        sections.append(Section(_heading(results, dataset, len(rows)), rows[:SHOWN]))
        notes.append(_by_model(results, dataset, of))
    return Table(
        name="click_failures",
        caption=(
            f"Objects that never reached an IoU of {results.percent} percent within "
            f"{results.max_clicks} clicks: those that most models fail on first, of these the worst first."
        ),
        data=failed,
        columns=(
            Column("image", "Image"),
            Column("object", "Object", digits=0),
            Column("area", "Area (pixels)", digits=0),
            Column("models", "Failed"),
            Column("first", "after one click", "Mean IoU (%) of the failed", digits=1),
            Column("final", "at the end", "Mean IoU (%) of the failed", digits=1),
            Column("lowest", "Lowest (%)", digits=1),
        ),
        sections=sections,
        notes=notes,
    )


def _failed(results: ClickResults, objects: Mapping[Key, Mapping[int, pd.DataFrame]]) -> pd.DataFrame:
    """One row per object, cell and seed that never reached the target, IoUs in percent."""
    frames = []
    for key in results.tested:
        for seed, frame in objects[key].items():
            of = frame[(frame["undefined"] == "") & ~frame["reached"].fillna(True).astype(bool)]
            named = of[[*_OBJECT, "area", "first", "final"]].assign(**key._asdict(), seed=seed)
            frames.append(named.assign(first=100 * of["first"], final=100 * of["final"]))
    columns = [*Key._fields, "seed", *_OBJECT, "area", "first", "final"]
    return pd.concat(frames, ignore_index=True)[columns]


def _rows(results: ClickResults, failed: pd.DataFrame) -> list[Row]:
    """One row per object of a data set."""
    models = len(results.on(results.datasets[0])) * len(results.names.seeds)
    rows = []
    for (image, number_in_image), of in failed.groupby(_OBJECT, sort=True):
        worst = of.loc[of["final"].idxmin()]
        rows.append(
            {
                "image": str(image),
                "object": float(number_in_image),
                "area": float(worst["area"]),
                "models": f"{len(of)} of {models}",
                "first": float(of["first"].mean()),
                "final": float(of["final"].mean()),
                "lowest": Entry(float(worst["final"]), _model(results, worst)),
                "count": float(len(of)),
            }
        )
    return sorted(rows, key=lambda row: (-row["count"], row["final"]))


def _model(results: ClickResults, row: pd.Series) -> str:
    """Names a model in one line: encoder, click model, upsampler, and its seed where there are several."""
    text = f"{results.names.arrangement(row['encoder'], row['clicks'])}, "
    text += results.names.upsampler(row["upsampler"])
    return f"{text}, seed {row['seed']}" if len(results.names.seeds) > 1 else text


def _heading(results: ClickResults, dataset: str, found: int) -> str:
    defined = results.on(dataset)[0].facts["scores"]["objects"]
    text = f"{dataset}: {found} of {counted(defined, 'object')} failed with some model"
    return f"{text}, the {SHOWN} worst" if found > SHOWN else text


def _by_model(results: ClickResults, dataset: str, failed: pd.DataFrame) -> str:
    """Counts the failures of every cell on a data set."""
    if failed.empty:
        return f"{dataset}: every object reached {results.percent} percent with every model."
    cells = failed.groupby(list(Key._fields), sort=False).size().to_dict()
    seeds, said = len(results.names.seeds), []
    for encoder, clicks in results.arrangements:
        counts = []
        for tested in results.on(dataset):
            if (tested.key.encoder, tested.key.clicks) == (encoder, clicks):
                mean = cells.get(tuple(tested.key), 0) / seeds
                counts.append(
                    f"{results.names.upsampler(tested.key.upsampler)} {number(mean, int(seeds > 1))}"
                )
        said.append(f"{in_a_row(counts)} ({results.names.arrangement(encoder, clicks)})")
    mean = ", mean over seeds" if seeds > 1 else ""
    return f"{dataset}, objects that failed{mean}: {'; '.join(said)}."


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_click_failures``."""
    results = read_clicks(inputs["scores"], settings)
    return click_failures_table(results, read_objects(results, inputs["scores"], inputs["objects"]))
