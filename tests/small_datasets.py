"""Small data sets in official layouts, with images of many sizes where theirs have many: for whole stages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vfm_fusion.datasets.readers.coco_labels import PANOPTIC

Size = tuple[int, int]
DRIVE = "2013_05_28_drive_0003_sync"
FRAMES = [(64, 128)] * 3
DRIVES = [(48, 176)] * 3
MIXED = [(48, 64), (72, 48), (40, 80)]
"""Heights and widths of images, the last for data sets that have many."""


def scene(size: Size, classes: Sequence[int], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A photo ``(H, W, 3)``, the index in ``classes`` of every pixel and its object, 0 for the first two.

    The first two classes are above and below the horizon; each other one has a rectangle.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    places, objects = np.zeros(size, int), np.zeros(size, int)
    places[height // 2 :] = 1
    for index in range(2, len(classes)):
        top, left = rng.integers(0, (height - 12, width - 12))
        box = np.s_[top : top + rng.integers(8, 13), left : left + rng.integers(8, 13)]
        places[box], objects[box] = index, index - 1
    colors = rng.integers(30, 226, (len(classes), 3))
    return (colors[places] + rng.integers(-20, 21, (*size, 3))).astype(np.uint8), places, objects


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_cityscapes(root: Path, split: str, sizes: Sequence[Size]) -> None:
    """Sky, road, two cars, a person, a bus."""
    ids = np.array([23, 7, 26, 26, 24, 28])
    for number, size in enumerate(sizes):
        photo, places, objects = scene(size, ids, number)
        path = f"{split}/ulm/ulm_{number:06}_000019"
        save(root / f"leftImg8bit/{path}_leftImg8bit.png", photo)
        labels, things = ids[places], np.where(objects > 0, ids[places] * 1000 + objects, ids[places])
        save(root / f"gtFine/{path}_gtFine_labelIds.png", labels.astype(np.uint8))
        save(root / f"gtFine/{path}_gtFine_instanceIds.png", things.astype(np.uint16))


def write_kitti360(root: Path, split: str, sizes: Sequence[Size]) -> None:
    """The same scenes."""
    ids = np.array([23, 7, 26, 26, 24, 28])
    semantics = "data_2d_semantics/train"
    lines = []
    for number, size in enumerate(sizes):
        photo, places, objects = scene(size, ids, number)
        image = f"data_2d_raw/{DRIVE}/image_00/data_rect/{number:010}.png"
        label = f"{semantics}/{DRIVE}/image_00/semantic/{number:010}.png"
        save(root / image, photo)
        save(root / label, ids[places].astype(np.uint8))
        save(root / label.replace("semantic/", "instance/"), (ids[places] * 1000 + objects).astype(np.uint16))
        lines.append(f"{image} {label}\n")
    (root / semantics / f"2013_05_28_drive_{split}_frames.txt").write_text("".join(lines))


def write_ade20k(root: Path, split: str, sizes: Sequence[Size]) -> None:
    """Sixteen of the 150 classes in every image, others in the next."""
    folder = {"train": "training", "val": "validation"}[split]
    for number, size in enumerate(sizes):
        ids = 1 + (np.arange(16) * 9 + number * 5) % 150
        photo, places, _ = scene(size, ids, number)
        save(root / f"images/{folder}/ADE_{split}_{number:08}.jpg", photo)
        save(root / f"annotations/{folder}/ADE_{split}_{number:08}.png", ids[places].astype(np.uint8))


def write_coco(root: Path, split: str, sizes: Sequence[Size]) -> None:
    """Sky, grass, two people, a dog and a car, for the instance task and for the panoptic one."""
    ids = np.array([187, 193, 1, 1, 18, 3])
    images, annotations, segments = [], [], []
    folder = root / f"annotations/panoptic_{split}2017"
    for number, size in enumerate(sizes, start=1):
        photo, places, objects = scene(size, ids, number)
        name = f"{number:012}"
        save(root / f"{split}2017/{name}.jpg", photo)
        images.append({"id": number, "file_name": f"{name}.jpg", "height": size[0], "width": size[1]})
        save(folder / f"{name}.png", np.stack([1 + places, 0 * places, 0 * places], axis=-1).astype(np.uint8))
        here = [{"id": 1 + int(i), "category_id": int(ids[i]), "iscrowd": 0} for i in np.unique(places)]
        segments.append({"image_id": number, "file_name": f"{name}.png", "segments_info": here})
        for thing in np.unique(objects[objects > 0]):
            rows, columns = np.nonzero(objects == thing)
            left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            outline = [float(v) for v in (left, top, right, top, right, bottom, left, bottom)]
            category = {"image_id": number, "category_id": int(ids[thing + 1]), "iscrowd": 0}
            annotations.append({"id": len(annotations) + 1, "segmentation": [outline], **category})
    categories = [{"id": row[0], "name": row[1], "isthing": int(row[2])} for row in PANOPTIC]
    things = [row for row in categories if row["isthing"]]
    content = {"images": images, "annotations": annotations, "categories": things}
    (folder.parent / f"instances_{split}2017.json").write_text(json.dumps(content))
    content = {"images": images, "annotations": segments, "categories": categories}
    folder.with_suffix(".json").write_text(json.dumps(content))


WRITERS: dict[str, tuple[Callable[[Path, str, Sequence[Size]], None], list[Size]]] = {
    "cityscapes": (write_cityscapes, FRAMES),
    "kitti360": (write_kitti360, DRIVES),
    "ade20k": (write_ade20k, MIXED),
    "coco": (write_coco, MIXED),
}
"""Folder of a data set to its writer and the sizes of its images."""
