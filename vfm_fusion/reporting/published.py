"""Published reference values (``resources/published/*.csv``), shown beside measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import MISSING
from vfm_fusion.reporting.result_files import check_columns
from vfm_fusion.reporting.table import Row, Section

COLUMNS = ("table", "dataset", "model", "mode", "metric", "class_name", "output_stride", "value", "source")


def read_published(path: Path) -> pd.DataFrame:
    """Reads reference values, one row per value with its table and source.

    Raises:
        ReportingError: a column is missing, or a value has no source.
    """
    frame = pd.read_csv(path, dtype={"table": "string", "output_stride": "Int64"})
    check_columns(frame, COLUMNS, path)
    if frame[["value", "source"]].isna().any(axis=None):
        raise ReportingError(f"{path}: every published value needs a number and a source")
    return frame


_RESULT_TABLES = ("1", "2", "3")
_DATASETS = {
    "ade20k": "ADE20K",
    "cityscapes": "Cityscapes",
    "coco_instance": "COCO",
    "coco_panoptic": "COCO",
    "kitti360": "KITTI-360",
    "synscapes": "Synscapes",
    "urbansyn": "UrbanSyn",
}
_METRICS = {
    "instance": ("AP", "AP50", "AP75", "APs"),
    "panoptic": ("AP", "AP50", "AP75", "APs", "mIoU", "PQ"),
    "semantic": ("mIoU",),
}


def published_results(frame: pd.DataFrame, trained_on: str, evaluated_on: str, task: str) -> pd.DataFrame:
    """Returns the published results (Tables 1 to 3) of one data set and task, none where there are none.

    Args:
        frame: all reference values.
        trained_on: kind of the data set of the training images.
        evaluated_on: kind of the data set of the evaluated images.
        task: ``instance``, ``semantic`` or ``panoptic``.
    """
    dataset = _DATASETS.get(evaluated_on)
    if trained_on != evaluated_on:
        dataset = f"{_DATASETS.get(trained_on)}->{dataset}"
    chosen = frame["table"].isin(_RESULT_TABLES) & (frame["dataset"] == dataset)
    return frame[chosen & frame["metric"].isin(_METRICS[task])]


def published_table(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Returns the rows of one published table, for example ``"5"``.

    Raises:
        ReportingError: the table has no value in the file.
    """
    rows = frame[frame["table"] == table]
    if rows.empty:
        raise ReportingError(
            f"no published value of table {table!r}; there are: {sorted(frame['table'].unique())}"
        )
    return rows


def published_section(
    values: pd.DataFrame,
    rows: Sequence[Row],
    what: str = "",
    *,
    ranked: bool = False,
    fill: Literal["", "—"] = MISSING,
) -> Section:
    """Returns a section of published rows.

    Args:
        values: rows of the published table.
        rows: what is shown of them.
        what: end of the heading.
        ranked: see :class:`~vfm_fusion.reporting.table.Section`.
        fill: see there; a dash says that something was not published.
    """
    return Section(f"Published (Table {values['table'].iloc[0]}){what}", rows, ranked, fill)


def published_note(values: pd.DataFrame, more: str, of: str = "values are of full-size encoders") -> str:
    """Says whence published values are.

    Args:
        values: the shown rows of the published table.
        more: what else is to be said of them, from the punctuation on.
        of: what they are.
    """
    sources, datasets = (", ".join(sorted(set(values[name]))) for name in ("source", "dataset"))
    return f"Published {of} on {datasets} ({sources}){more}"


def shown_table(paths: list[Path], table: str) -> pd.DataFrame | None:
    """Returns one published table of a report's input ``published``; None where none is shown.

    Raises:
        ReportingError: see :func:`read_published` and :func:`published_table`.
    """
    return published_table(read_published(paths[0]), table) if paths else None
