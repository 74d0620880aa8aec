"""Times every measure of segmentation on frames as large as those of Cityscapes, beside libraries.

    python benchmarks/evaluation.py                      # ten frames of 1024 x 2048, 19 classes, 30 objects
    python benchmarks/evaluation.py --size 480 640 --frames 50 --objects 7 --predictions 100      # as COCO

Prints images per second in one thread, CPU time, and the scores, which have to be the same. Encoding of the
truth, reading and decoding are in the time, as in an evaluation; each library gets what it takes for granted
(run-length codes for pycocotools, maps of class and object for torchmetrics). ``written out`` is a plain
transcription of what the authors of Boundary IoU erode, for one class after the other.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from faster_coco_eval.core import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.datasets.base import Category, Instances
from vfm_fusion.evaluation.boundary import BoundaryIoU, boundary_width
from vfm_fusion.evaluation.cityscapes_ap import CityscapesAP
from vfm_fusion.evaluation.coco_ap import CocoAP
from vfm_fusion.evaluation.evaluator import Truth
from vfm_fusion.evaluation.mean_iou import MeanIoU
from vfm_fusion.evaluation.panoptic_quality import PanopticMap, PanopticQuality, true_panoptic
from vfm_fusion.evaluation.rle import EncodedInstances, encode_mask, encode_predictions, encode_truth
from vfm_fusion.segmentation.prediction import PredictedInstances

ensure_torchvision()

from torchmetrics.classification import MulticlassJaccardIndex  # noqa: E402  (torchvision comes first)
from torchmetrics.detection import PanopticQuality as TorchPanopticQuality  # noqa: E402

CLASSES = 19
THINGS = tuple(range(11, CLASSES))
CATEGORIES = tuple(Category(k, f"class {k}", k in THINGS, (0, 0, 0)) for k in range(CLASSES))
Frame = tuple[Truth, np.ndarray, PanopticMap, EncodedInstances]
Scores = dict[str, float]


def frames(count: int, size: tuple[int, int], objects: int, predictions: int) -> list[Frame]:
    """Makes labels and predictions, which are the labels moved by a few pixels and further objects."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        bands = np.linspace(0, 11, size[0], endpoint=False).astype(np.uint8)[:, None]
        semantic = np.repeat(bands, size[1], axis=1)
        semantic[-size[0] // 10 :] = 255
        ids = np.zeros(size, np.int32)
        categories = rng.choice(THINGS, objects)
        for k, category in enumerate(categories, 1):
            mask = ellipse(rng, size)
            ids[mask], semantic[mask] = k, category
        instances = Instances(ids, categories.astype(np.int64), np.zeros(objects, bool))
        truth = Truth(f"frame {number}", semantic, instances, semantic == 255)
        made.append((truth, *predicted(rng, truth, predictions)))
    return made


def predicted(
    rng: np.random.Generator, truth: Truth, count: int
) -> tuple[np.ndarray, PanopticMap, EncodedInstances]:
    down, right = rng.integers(1, 5, 2)
    moved = np.roll(truth.semantic, (down, right), (0, 1))
    moved[moved == 255] = 0
    whole = true_panoptic(truth, THINGS)
    ids = np.roll(whole.ids, (down, right), (0, 1))
    ids[ids == 0] = len(whole.categories)  # torchmetrics leaves out objects on which nothing is predicted
    panoptic = PanopticMap(ids, whole.categories, whole.crowd)
    masks = [np.roll(truth.instances.mask(k), (down, right), (0, 1)) for k in range(len(truth.instances))]
    masks += [ellipse(rng, truth.semantic.shape) for _ in range(count - len(masks))]
    kept = [k for k in range(count) if masks[k].any()]
    others = rng.choice(THINGS, count).astype(np.int64)
    others[: len(truth.instances)] = truth.instances.categories[:count]
    scores = np.sort(rng.random(len(kept)))[::-1]
    objects = PredictedInstances(np.stack([masks[k] for k in kept]), others[kept], scores)
    return moved, panoptic, encode_predictions(objects)


def ellipse(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    centre = int(rng.integers(0, size[1])), int(rng.integers(0, size[0]))
    axes = (
        int(rng.integers(size[1] // 200 + 2, size[1] // 15)),
        int(rng.integers(size[0] // 100 + 2, size[0] // 6)),
    )
    return cv2.ellipse(np.zeros(size, np.uint8), centre, axes, float(rng.integers(0, 180)), 0, 360, 1, -1) > 0


def our_mean_iou(made: list[Frame]) -> Scores:
    measure = MeanIoU(CLASSES)
    for truth, semantic, _, _ in made:
        measure.add(truth.semantic, semantic)
    return measure.evaluate().overall


def their_mean_iou(made: list[Frame]) -> Scores:
    measure = MulticlassJaccardIndex(CLASSES, ignore_index=255)
    for truth, semantic, _, _ in made:
        measure.update(torch.from_numpy(semantic).long()[None], torch.from_numpy(truth.semantic).long()[None])
    return {"mIoU": 100 * float(measure.compute())}


def our_boundary_iou(made: list[Frame]) -> Scores:
    measure = BoundaryIoU(CLASSES, 0.005)
    for truth, semantic, _, _ in made:
        measure.add(truth.semantic, semantic)
    return measure.evaluate().overall


def written_out_boundary_iou(made: list[Frame]) -> Scores:
    shared, union = np.zeros((2, CLASSES))
    for truth, semantic, _, _ in made:
        width = boundary_width(semantic.shape, 0.005)
        void = truth.semantic == 255
        for k in range(CLASSES):
            regions = []
            for labels in (truth.semantic, semantic):
                mask = ((labels == k) & ~void).astype(np.uint8)
                padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
                regions.append(
                    mask - cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
                )
            shared[k] += np.count_nonzero(regions[0] & regions[1])
            union[k] += np.count_nonzero(regions[0] | regions[1])
    return {"boundary_mIoU": 100 * float((shared[union > 0] / union[union > 0]).mean())}


def our_panoptic(made: list[Frame]) -> Scores:
    measure = PanopticQuality(CLASSES, THINGS)
    for truth, _, panoptic, _ in made:
        measure.add(true_panoptic(truth, THINGS), panoptic)
    return measure.evaluate().overall


def their_panoptic(made: list[Frame]) -> Scores:
    measure = TorchPanopticQuality(set(THINGS), set(range(11)), allow_unknown_preds_category=True)

    def as_pairs(found: PanopticMap) -> torch.Tensor:
        categories = np.concatenate([[99], found.categories])[found.ids]
        return torch.from_numpy(np.stack([categories, found.ids], axis=-1))[None]

    for truth, _, panoptic, _ in made:
        measure.update(as_pairs(panoptic), as_pairs(true_panoptic(truth, THINGS)))
    return {"PQ": 100 * float(measure.compute())}


def our_coco(made: list[Frame]) -> Scores:
    measure = CocoAP(CATEGORIES, 0.02)
    for truth, _, _, objects in made:
        measure.add(truth, objects)
    return measure.evaluate().overall


def our_cityscapes(made: list[Frame]) -> Scores:
    measure = CityscapesAP(CATEGORIES, 0.005)
    for truth, _, _, objects in made:
        measure.add(truth, objects)
    return measure.evaluate().overall


def pycocotools(made: list[Frame], *, boundary: bool = False) -> Scores:
    """AP, or with ``boundary`` Boundary AP by pycocotools' matching and the authors' erosion."""

    def annotations(encoded: EncodedInstances, image: int, first: int) -> list[dict]:
        return [
            {
                "id": first + k,
                "image_id": image,
                "category_id": int(encoded.categories[k]),
                "segmentation": rle,
                "boundary": eroded(rle) if boundary else None,
                "area": float(encoded.areas[k]),
                "bbox": [0, 0, 1, 1],
                "iscrowd": int(encoded.crowd[k]),
                "score": float(encoded.scores[k]),
            }
            for k, rle in enumerate(encoded.rles)
        ]

    def data(parts: list[EncodedInstances]) -> COCO:
        found = COCO()
        found.dataset = {
            "images": [{"id": k, "height": 1, "width": 1} for k in range(1, len(parts) + 1)],
            "categories": [{"id": k, "name": str(k)} for k in THINGS],
            "annotations": [a for k, part in enumerate(parts, 1) for a in annotations(part, k, 1000 * k)],
        }
        found.createIndex()
        return found

    with contextlib.redirect_stdout(io.StringIO()):
        truths = data([encode_truth(truth.instances) for truth, *_ in made])
        evaluation = (BoundaryEval if boundary else COCOeval)(truths, data([p for *_, p in made]), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"boundary_AP" if boundary else "AP": 100 * float(evaluation.stats[0])}


class BoundaryEval(COCOeval):
    """The smaller of the IoU of masks and that of their boundaries."""

    def computeIoU(self, image: int, category: int) -> np.ndarray:  # noqa: N802
        masks = super().computeIoU(image, category)
        if not len(masks):
            return masks
        objects = [*self._gts[image, category], *self._dts[image, category]]
        kept = [entry["segmentation"] for entry in objects]
        for entry in objects:
            entry["segmentation"] = entry["boundary"]
        boundaries = super().computeIoU(image, category)
        for entry, segmentation in zip(objects, kept, strict=True):
            entry["segmentation"] = segmentation
        return np.minimum(masks, boundaries)


def eroded(rle: dict) -> dict:
    mask = coco_mask.decode(rle)
    width = boundary_width(mask.shape, 0.02)
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return encode_mask(mask - cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1])


ROWS: tuple[tuple[str, Callable[[list[Frame]], Scores]], ...] = (
    ("mIoU, ours", our_mean_iou),
    ("mIoU, torchmetrics", their_mean_iou),
    ("Boundary IoU, ours", our_boundary_iou),
    ("Boundary IoU, written out", written_out_boundary_iou),
    ("PQ, ours", our_panoptic),
    ("PQ, torchmetrics", their_panoptic),
    ("AP and Boundary AP, COCO, ours", our_coco),
    ("AP, pycocotools", pycocotools),
    ("Boundary AP, pycocotools and erosion", lambda made: pycocotools(made, boundary=True)),
    ("AP and Boundary AP, Cityscapes, ours", our_cityscapes),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("H", "W"))
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--objects", type=int, default=30, help="annotated objects per frame")
    parser.add_argument("--predictions", type=int, default=60, help="predicted objects per frame")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    made = frames(options.frames, tuple(options.size), options.objects, options.predictions)
    print(
        f"{options.frames} frames of {options.size[0]} x {options.size[1]}, {CLASSES} classes, "
        f"{options.objects} objects and {options.predictions} predictions each, one thread"
    )
    print(f"{'':40}{'images/s':>10}   scores")
    for name, function in ROWS:
        start = time.process_time()
        scores = function(made)
        seconds = time.process_time() - start
        shown = ", ".join(f"{key} {value:.4f}" for key, value in scores.items() if key in SHOWN)
        print(f"{name:40}{options.frames / seconds:10.2f}   {shown}", flush=True)


SHOWN = ("mIoU", "boundary_mIoU", "PQ", "AP", "boundary_AP")

if __name__ == "__main__":
    main()
