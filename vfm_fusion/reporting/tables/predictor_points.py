"""The points that predictors of the best stride are judged on: what every stride of every setting gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.labels import EncoderLabels, label
from vfm_fusion.reporting.records import read_evaluation, seeds_note
from vfm_fusion.reporting.stride_points import SETTING, measured_by_dataset, points_of_study
from vfm_fusion.reporting.table import Column, Row, Section, Table

_REST = [column for column in SETTING if column not in ("study", "dataset", "task", "metric")]
_NO_GAIN = "it or the master alone has no result"
_NOT_TRAINED = "no run injects at this stride"


def predictor_points_table(
    points: pd.DataFrame, labels: EncoderLabels, seeds: Sequence[int], problems: Sequence[str] = ()
) -> Table:
    """Builds the table of settings (rows) by injection strides (columns), one block per data set and task.

    Args:
        points: see :func:`vfm_fusion.reporting.stride_points.collect_points`.
        labels: names of the encoders in print.
        seeds: expected seeds.
        problems: what is missing of the runs.

    Raises:
        ReportingError: an encoder has no label.
    """
    strides = sorted({int(stride) for stride in points["stride"]})
    sections = []
    for (dataset, task, metric), of in points.groupby(["dataset", "task", "metric"], sort=False):
        rows = [_row(own, strides, labels) for _, own in of.groupby(_REST, sort=False)]
        sections.append(Section(f"{dataset}, {task}: {metric}", rows))
    return Table(
        name="predictor_points",
        caption=(
            "What every injection stride (OS) gains over the master alone, in percentage points. The CSV "
            "file holds every seed, beside the value of every predictor of the best stride."
        ),
        data=points,
        columns=(
            Column("master", "Master"),
            Column("auxiliary", "Auxiliary"),
            Column("trains", "Trained"),
            *(Column(f"os{s}", str(s), "Gain at OS", digits=2, best="max", shows="std") for s in strides),
        ),
        sections=sections,
        notes=[
            "FT: fine-tuned, FZ: frozen; of master + auxiliary. Bold: the best of the row.",
            seeds_note(seeds),
        ],
        problems=problems,
        best_in="row",
    )


def _row(rows: pd.DataFrame, strides: Sequence[int], labels: EncoderLabels) -> Row:
    first = rows.iloc[0]
    row: dict[str, Any] = {role: label(labels, first[role]) for role in ("master", "auxiliary")}
    row["trains"] = first["trains"]
    for stride in strides:
        own = rows[rows["stride"] == stride]
        gains = {int(point.seed): (float(point.gain), _NO_GAIN) for point in own.itertuples()}
        row[f"os{stride}"] = Value.over_seeds(gains) if gains else Value.missing(_NOT_TRAINED)
    return row


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_predictor_points``."""
    points, problems = points_of_study(
        settings,
        [read_evaluation(path) for path in inputs["evaluations"]],
        measured_by_dataset(settings, inputs["summaries"], inputs["pairs"]),
    )
    return predictor_points_table(points, dict(settings["encoders"]), settings["seeds"], problems)
