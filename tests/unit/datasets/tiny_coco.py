"""Tiny data sets in COCO's layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tiny_layouts import save

from vfm_fusion.datasets.readers.coco_labels import PANOPTIC

HEIGHT, WIDTH = 6, 8

PERSON, CAR, DOG, GRASS, TREE = 1, 3, 18, 193, 184  # official ids


def photo(path: Path, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    save(path, np.full((*size, 3), 90, np.uint8))


def box(left: float, top: float, right: float, bottom: float) -> list[float]:
    """A rectangle as a polygon."""
    return [left, top, right, top, right, bottom, left, bottom]


def listed(image_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "file_name": f"{image_id:012}.jpg",
        "id": image_id,
        "height": HEIGHT,
        "width": WIDTH,
        **changes,
    }


def annotation(number: int, image_id: int, category_id: int, segmentation: Any, crowd: int = 0) -> dict:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": segmentation,
        "iscrowd": crowd,
    }


def instances_json() -> dict[str, Any]:
    """Image 7: a dog in front of a car, a person in two parts, and a crowd of people; image 9: nothing."""
    crowd = {"size": [HEIGHT, WIDTH], "counts": [0, 6, 36, 6]}  # the first and the last column
    return {
        "info": {"description": "prüfung", "url": "https://x.org/[1]{2}"},
        "licenses": [],
        "images": [listed(7), listed(9)],
        "annotations": [
            annotation(30, 7, CAR, [box(1, 1, 6, 5)]),
            annotation(31, 7, PERSON, crowd, crowd=1),
            annotation(12, 7, DOG, [box(2, 2, 4, 4)]),
            annotation(44, 7, PERSON, [box(6, 0, 7, 1), box(6, 4, 7, 6)]),
        ],
        "categories": [{"id": row[0], "name": row[1]} for row in PANOPTIC if row[2]],
    }


def panoptic_json() -> dict[str, Any]:
    """Image 7: grass, a person, a crowd of people and a tree; image 9: grass alone."""
    segments = [
        {"id": 2 + 256 * 3 + 65536 * 4, "category_id": GRASS, "iscrowd": 0},
        {"id": 70_000, "category_id": PERSON, "iscrowd": 0},
        {"id": 5, "category_id": PERSON, "iscrowd": 1},
        {"id": 256, "category_id": TREE, "iscrowd": 0},
    ]
    return {
        "images": [listed(7), listed(9)],
        "annotations": [
            {"image_id": 9, "file_name": "000000000009.png", "segments_info": [segments[0]]},
            {"image_id": 7, "file_name": "000000000007.png", "segments_info": segments},
        ],
        "categories": [{"id": row[0], "name": row[1], "isthing": int(row[2])} for row in PANOPTIC],
    }


def segment_raster() -> np.ndarray:
    """The segment ids of image 7."""
    ids = np.full((HEIGHT, WIDTH), 2 + 256 * 3 + 65536 * 4)
    ids[:2] = 256
    ids[1:4, 1:3] = 70_000
    ids[4:, 5:] = 5
    ids[0, 0] = 0
    return ids


def segment_png(path: Path, ids: np.ndarray) -> None:
    save(path, np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8))


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def write_instances(root: Path, split: str, content: dict[str, Any] | None = None) -> Path:
    """Writes a split of the instance task; returns its annotation file."""
    for number in (7, 9):
        photo(root / f"{split}2017/{number:012}.jpg")
    path = root / f"annotations/instances_{split}2017.json"
    write_json(path, content or instances_json())
    return path


def write_panoptic(root: Path, split: str) -> Path:
    """Writes a split of the panoptic task; returns its JSON."""
    for number in (7, 9):
        photo(root / f"{split}2017/{number:012}.jpg")
    folder = root / f"annotations/panoptic_{split}2017"
    segment_png(folder / "000000000007.png", segment_raster())
    segment_png(folder / "000000000009.png", np.full((HEIGHT, WIDTH), 2 + 256 * 3 + 65536 * 4))
    write_json(folder.with_suffix(".json"), panoptic_json())
    return folder.with_suffix(".json")
