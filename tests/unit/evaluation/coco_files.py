"""Data sets in COCO's layout, and what pycocotools says of predictions on them."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Dataset, Instances
from vfm_fusion.datasets.readers.coco_instance import CATEGORIES
from vfm_fusion.datasets.readers.coco_labels import THINGS
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.evaluation.rle import encode_mask
from vfm_fusion.segmentation.prediction import PredictedInstances

ANNOTATIONS = "annotations/instances_val2017.json"
OFFICIAL_IDS = [official for official, *_ in THINGS]
_SIZE = (160, 200)


def opened(root: Path) -> Dataset:
    config = FolderConfig(kind="coco_instance", root=str(root))
    return open_dataset(config, root, index_split(config, root, "val").frame)


def generated(root: Path, images: int = 8) -> Dataset:
    """Overlapping polygons and crowds; the first image has no object, the second one only a crowd."""
    rng = np.random.default_rng(4)
    rows: list[dict[str, Any]] = []
    for image_id in range(images):
        _photo(root / f"val2017/{image_id:012}.jpg", rng)
        crowds = 1 if image_id == 1 else int(rng.random() < 0.5) * (image_id > 1)
        for crowd in [1] * crowds + [0] * (0 if image_id < 2 else 9):
            rows.append(_annotation(len(rows) + 1, image_id, crowd, rng))
    listed = [
        {"id": k, "file_name": f"{k:012}.jpg", "height": _SIZE[0], "width": _SIZE[1]} for k in range(images)
    ]
    classes = [{"id": official, "name": name} for official, name, *_ in THINGS]
    _write(root, {"images": listed, "annotations": rows, "categories": classes})
    return opened(root)


def written(root: Path, size: tuple[int, int], persons: Sequence[tuple[Any, float]]) -> Dataset:
    """One image with persons of given segmentations and areas."""
    _photo(root / "val2017/000000000001.jpg", np.random.default_rng(0), size)
    rows = [
        {"id": k, "image_id": 1, "category_id": 1, "segmentation": shape, "area": area, "iscrowd": 0}
        for k, (shape, area) in enumerate(persons, start=1)
    ]
    listed = [{"id": 1, "file_name": "000000000001.jpg", "height": size[0], "width": size[1]}]
    _write(root, {"images": listed, "annotations": rows, "categories": [{"id": 1, "name": "person"}]})
    return opened(root)


def perturbed(truth: Instances, rng: np.random.Generator) -> PredictedInstances:
    """Shifted, dropped, doubled, mislabelled and invented objects, crowds among them, with equal scores."""
    size = truth.ids.shape
    masks, categories = [np.zeros(size, bool)], [0]
    masks[0][10:40, 20:70] = True
    for position, category in enumerate(truth.categories):
        for _ in range(rng.integers(0, 4)):
            moved = np.roll(truth.mask(position), rng.integers(-3, 4, 2), axis=(0, 1))
            masks.append(moved)
            categories.append(category if rng.random() < 0.85 else rng.integers(0, len(CATEGORIES)))
    kept = [k for k, mask in enumerate(masks) if mask.any()]
    scores = np.sort(np.round(rng.random(len(kept)), 1)).astype(np.float32)[::-1]
    return PredictedInstances(
        np.stack([masks[k] for k in kept]), np.array([categories[k] for k in kept], np.int64), scores
    )


def pycocotools(root: Path, ids: Sequence[str], predictions: Sequence[PredictedInstances]) -> list[float]:
    """AP, AP50, AP75, APs, APm and APl in percent, from the annotation file itself; NaN where undefined."""
    results = [
        {
            "image_id": int(image_id),
            "category_id": OFFICIAL_IDS[category],
            "segmentation": encode_mask(mask),
            "score": float(score),
        }
        for image_id, found in zip(ids, predictions, strict=True)
        for mask, category, score in zip(found.masks, found.categories, found.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(root / ANNOTATIONS))
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [100 * value if value >= 0 else float("nan") for value in evaluation.stats[:6]]


def _photo(path: Path, rng: np.random.Generator, size: tuple[int, int] = _SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


def _annotation(number: int, image_id: int, crowd: int, rng: np.random.Generator) -> dict[str, Any]:
    height, width = _SIZE
    center, radius = rng.random(2) * (width, height), rng.uniform(5, 110, 8)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 8))
    points = center + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    polygon = np.clip(points, 0, (width, height)).round(2).ravel().tolist()
    code = coco_mask.merge(coco_mask.frPyObjects([polygon], height, width))
    area = float(coco_mask.area(code))
    if crowd:
        flat = coco_mask.decode(code).ravel(order="F")
        changes = np.flatnonzero(np.diff(flat)) + 1
        counts = np.diff([0, *changes, flat.size]).tolist()
        segmentation: Any = {"size": list(_SIZE), "counts": [0, *counts] if flat[0] else counts}
    else:
        segmentation = [polygon]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": int(rng.choice(OFFICIAL_IDS[:4])),
        "segmentation": segmentation,
        "area": area,
        "iscrowd": crowd,
    }


def _write(root: Path, content: dict[str, Any]) -> None:
    path = root / ANNOTATIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
