"""Panopticapi's two sample images of COCO, among the real data."""

from __future__ import annotations

import json
from pathlib import Path

from vfm_fusion.datasets.readers.coco_labels import THINGS


def lay_out_as_coco_2017(realdata: Path, root: Path) -> Path:
    """Lays the images out as the ``val`` split of COCO 2017: photos, panoptic and instance annotations.

    Objects are numbered from 1, as in COCO 2017: pycocotools takes a match with an object 0 for none.
    """
    sample = realdata / "images/coco_panoptic_sample"
    (root / "annotations").mkdir(parents=True)
    (root / "val2017").symlink_to(sample / "input_images")
    panoptic = root / "annotations/panoptic_val2017"
    panoptic.symlink_to(sample / "panoptic_examples")
    panoptic.with_suffix(".json").symlink_to(sample / "panoptic_examples.json")
    content = json.loads((sample / "panoptic_coco_detection_format.json").read_text())
    names = {name for _, name, *_ in THINGS}
    content["categories"] = [row for row in content["categories"] if row["name"] in names]
    ids = {row["id"] for row in content["categories"]}
    kept = [row for row in content["annotations"] if row["category_id"] in ids]
    content["annotations"] = [row | {"id": number} for number, row in enumerate(kept, start=1)]
    (root / "annotations/instances_val2017.json").write_text(json.dumps(content))
    return root
