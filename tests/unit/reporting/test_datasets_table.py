"""The table of what was read."""

from __future__ import annotations

import json

from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.tables.datasets import datasets_table

CLEAN = {
    "kind": "camvid",
    "images": 51,
    "with_semantic_labels": 51,
    "with_instance_labels": 0,
    "smallest_sides": [360, 480],
    "largest_sides": [360, 480],
    "converted": {},
    "skipped": [],
    "left_out": {},
}
MIXED = {
    **CLEAN,
    "kind": "coco_stuff",
    "images": 8,
    "smallest_sides": [333, 480],
    "largest_sides": [640, 640],
    "converted": {"CMYK": 1, "grey": 2},
    "skipped": [
        {"image_id": f"photo {k}", "reason": f"val_img/photo {k}.jpg: the file is empty."} for k in range(7)
    ],
}


def test_counts_sides_and_conversions() -> None:
    table = datasets_table({("road", "val"): CLEAN, ("photos", "train"): MIXED})
    first, second = table.data.to_dict("records")
    assert (first["height"], first["width"], first["converted"], first["skipped"]) == ("360", "480", "", 0)
    assert (second["height"], second["width"]) == ("333 to 640", "480 to 640")
    assert second["converted"] == "CMYK: 1, grey: 2"
    assert "| photos" in to_markdown(table)
    json.dumps(table.data.to_dict("records"))


def test_skipped_images_are_named_with_their_reason() -> None:
    notes = datasets_table({("road", "val"): CLEAN, ("photos", "train"): MIXED}).notes
    assert notes[0] == "photos, train: skipped photo 0: val_img/photo 0.jpg: the file is empty."
    assert len(notes) == 6
    assert notes[-1] == "photos, train: and 2 more, see the log"


def test_what_is_not_read_is_counted() -> None:
    left_out = {"annotations of 'bus'": 3, "files that are read as no image (.heic)": 10}
    (note,) = datasets_table({("own", "val"): {**CLEAN, "left_out": left_out}}).notes
    assert note == "own, val: not read: 3 annotations of 'bus', 10 files that are read as no image (.heic)"
