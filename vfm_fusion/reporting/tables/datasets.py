"""What was read: images and labels of every split, what decoding did to them, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.reporting.result_files import read_keys
from vfm_fusion.reporting.table import Column, Entry, Section, Table

SUMMARY_KEYS = (
    *("kind", "images", "with_semantic_labels", "with_instance_labels"),
    *("smallest_sides", "largest_sides", "converted", "skipped", "left_out"),
)
_LISTED = 5

Summaries = Mapping[tuple[str, str], Mapping[str, Any]]
"""(data set, split) to its parsed summary, see :meth:`vfm_fusion.datasets.index.SplitIndex.summary`."""


def datasets_table(summaries: Summaries) -> Table:
    """Builds the table of what the indices hold, one row per data set and split."""
    rows = [_row(*key, summary) for key, summary in summaries.items()]
    shown = [row | {"dataset": Entry(row["dataset"], row["kind"])} for row in rows]
    return Table(
        name="datasets",
        caption="Images and labels of every split that was read: counts, sides in pixels, conversions to "
        "8-bit RGB, and images that were skipped because they or their labels are damaged.",
        data=pd.DataFrame(rows),
        columns=(
            Column("dataset", "Data set"),
            Column("split", "Split"),
            Column("images", "Images", digits=0),
            Column("semantic", "Class labels", digits=0),
            Column("instance", "Object labels", digits=0),
            Column("height", "Height"),
            Column("width", "Width"),
            Column("converted", "Converted"),
            Column("skipped", "Skipped", digits=0),
        ),
        sections=(Section("", shown, ranked=False),),
        notes=tuple(
            note
            for (dataset, split), summary in summaries.items()
            for note in (
                *_skipped_notes(dataset, split, summary["skipped"]),
                _left_out_note(dataset, split, summary["left_out"]),
            )
        ),
    )


def _row(dataset: str, split: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    (low_height, low_width), (high_height, high_width) = summary["smallest_sides"], summary["largest_sides"]
    return {
        "dataset": dataset,
        "kind": summary["kind"],
        "split": split,
        "images": summary["images"],
        "semantic": summary["with_semantic_labels"],
        "instance": summary["with_instance_labels"],
        "height": _range(low_height, high_height),
        "width": _range(low_width, high_width),
        "converted": ", ".join(f"{name}: {count}" for name, count in summary["converted"].items()),
        "skipped": len(summary["skipped"]),
    }


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _skipped_notes(dataset: str, split: str, skipped: Sequence[Mapping[str, str]]) -> list[str]:
    notes = [f"{dataset}, {split}: skipped {entry['image_id']}: {entry['reason']}" for entry in skipped]
    more = len(notes) - _LISTED
    return [*notes[:_LISTED], *([f"{dataset}, {split}: and {more} more, see the log"] if more > 0 else [])]


def _left_out_note(dataset: str, split: str, left_out: Mapping[str, int]) -> str:
    what = ", ".join(f"{count} {name}" for name, count in left_out.items())
    return f"{dataset}, {split}: not read: {what}" if what else ""


def build(inputs: Mapping[str, list[Path]], settings: Mapping[str, Any]) -> Table:
    """Builds the report ``table_datasets``."""
    splits = [tuple(split) for split in settings["splits"]]
    summaries = zip(splits, inputs["summaries"], strict=True)
    return datasets_table({split: read_keys(path, SUMMARY_KEYS) for split, path in summaries})
