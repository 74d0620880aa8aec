"""Labels and imperfect predictions of them, from a seed, on which our measures meet the field's tools."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.cityscapes import instances_from_instance_ids, official_void, semantic_from_label_ids
from vfm_fusion.datasets.cityscapes_labels import EVALUATED, INSTANCE_FACTOR, INSTANCE_SUFFIX, LABEL_SUFFIX
from vfm_fusion.datasets.rasters import GREY_8, GREY_16, read_labels
from vfm_fusion.evaluation.evaluator import Truth
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.rle import encode_predictions
from vfm_fusion.miniature.scenes.render import render
from vfm_fusion.segmentation.prediction import PredictedInstances

THINGS = [train_id for train_id, (_, _, isthing, _) in enumerate(EVALUATED) if isthing]
_CARAVAN = 29
_SEGMENT = np.dtype([("id", "<i4"), ("category", "<i4"), ("isthing", "?")])


@dataclass(frozen=True)
class Frame:
    """Official rasters of an image, and what is predicted for it.

    Attributes:
        name: of the image.
        label_ids: ``(H, W)`` uint8.
        instance_ids: ``(H, W)`` int32.
        masks: ``(n, H, W)`` bool, predicted objects.
        categories: ``(n,)`` train ids.
        scores: ``(n,)`` confidences of two decimals, so that some are equal.
        semantic: ``(H, W)`` uint8 predicted train ids.
        panoptic: ``(H, W)`` int32 predicted segments, 0 none.
        segments: ``(m,)`` their train ids.
    """

    name: str
    label_ids: np.ndarray
    instance_ids: np.ndarray
    masks: np.ndarray
    categories: np.ndarray
    scores: np.ndarray
    semantic: np.ndarray
    panoptic: np.ndarray
    segments: np.ndarray

    def truth(self) -> Truth:
        semantic = semantic_from_label_ids(self.label_ids, self.name)
        instances = instances_from_instance_ids(self.instance_ids, self.name)
        return Truth(self.name, semantic, instances, official_void(semantic, self.instance_ids))

    def predicted(self) -> StoredPrediction:
        objects = PredictedInstances(self.masks, self.categories, self.scores)
        rows = [(number, category, category in THINGS) for number, category in enumerate(self.segments, 1)]
        return StoredPrediction(
            self.semantic, self.panoptic, np.array(rows, _SEGMENT), encode_predictions(objects)
        )


def generated_frames(count: int, seed: int, size: tuple[int, int] = (256, 512)) -> list[Frame]:
    """Perturbed predictions of generated street scenes with groups and objects of an unevaluated class."""
    config = MiniscapesConfig(kind="miniscapes", height=size[0], width=size[1], seed=seed)
    frames = []
    for number in range(count):
        labels = render(config, "val", number).annotation
        rng = np.random.default_rng([seed, number])
        label_ids, instance_ids = labels.label_ids.copy(), labels.instance_ids.astype(np.int32)
        _regroup(label_ids, instance_ids, rng)
        frames.append(perturbed(f"city_{number:06d}_000019", label_ids, instance_ids, rng))
    return frames


def perturbed(name: str, label_ids: np.ndarray, instance_ids: np.ndarray, rng: np.random.Generator) -> Frame:
    """Predicts an image from its labels, with the errors that segmenters make."""
    masks, categories, scores = _objects(instance_ids, rng)
    semantic = _shifted(semantic_from_label_ids(label_ids, name), rng)
    semantic = np.where(semantic == 255, rng.integers(0, len(EVALUATED)), semantic).astype(np.uint8)
    noise = cv2.resize(rng.random((12, 24)), semantic.shape[::-1], interpolation=cv2.INTER_NEAREST) < 0.08
    semantic[noise] = rng.integers(0, len(EVALUATED))
    panoptic, segments = _panoptic(semantic, masks, categories, scores)
    return Frame(
        name, label_ids, instance_ids, masks, categories, scores, semantic, panoptic, np.array(segments)
    )


def digest(frames: list[Frame]) -> str:
    """Hashes everything that is compared."""
    sha = hashlib.sha256()
    for frame in frames:
        for array in (frame.label_ids, frame.instance_ids, frame.masks, frame.categories, frame.scores):
            sha.update(np.ascontiguousarray(array).tobytes())
        for array in (frame.semantic, frame.panoptic, frame.segments):
            sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _regroup(label_ids: np.ndarray, instance_ids: np.ndarray, rng: np.random.Generator) -> None:
    """Turns a tenth of the objects into groups and a twentieth into caravans, in place."""
    for number in _annotated(instance_ids):
        draw = rng.random()
        where = instance_ids == number
        if draw < 0.1:
            instance_ids[where] = number // INSTANCE_FACTOR
        elif draw < 0.15:
            instance_ids[where] = _CARAVAN * INSTANCE_FACTOR + number % INSTANCE_FACTOR
            label_ids[where] = _CARAVAN


def _annotated(instance_ids: np.ndarray) -> list[int]:
    """Ids of the objects of evaluated classes."""
    known = {label_id for label_id, _, isthing, _ in EVALUATED if isthing}
    found = np.unique(instance_ids).tolist()
    return [n for n in found if n >= INSTANCE_FACTOR and n // INSTANCE_FACTOR in known]


def _objects(instance_ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shifted, eroded, grown, merged, mislabelled, missing, doubled and invented objects."""
    train_ids = {label_id: train_id for train_id, (label_id, *_) in enumerate(EVALUATED)}
    masks: list[np.ndarray] = []
    categories: list[int] = []
    for number in _annotated(instance_ids):
        mask = instance_ids == number
        for _ in range(rng.choice(3, p=(0.15, 0.7, 0.15))):  # missing, found, found twice
            masks.append(_CHANGES[rng.integers(len(_CHANGES))](mask, rng))
            right = rng.random() < 0.9
            categories.append(train_ids[number // INSTANCE_FACTOR] if right else int(rng.choice(THINGS)))
    for _ in range(4):
        masks.append(_blob(instance_ids.shape, rng))
        categories.append(int(rng.choice(THINGS)))
    for group in [n for n in np.unique(instance_ids).tolist() if n < 34 and n in train_ids]:
        if train_ids[group] in THINGS:
            masks.append(_shifted(instance_ids == group, rng))
            categories.append(train_ids[group])
    if len(masks) > 6:  # two objects in one
        masks[0] = masks[0] | masks[1]
    kept = [position for position, mask in enumerate(masks) if mask.any()]
    scores = np.round(rng.beta(3, 1.5, len(kept)), 2)
    order = np.argsort(-scores, kind="stable")
    return (
        np.stack([masks[kept[k]] for k in order]),
        np.array([categories[kept[k]] for k in order], np.int64),
        scores[order],
    )


def _shifted(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moves an image by a few pixels; what comes in repeats the edge."""
    down, right = rng.integers(-3, 4, 2)
    height, width = values.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return values[np.ix_(rows, columns)]


def _eroded(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = int(rng.integers(2, 6))
    return cv2.erode(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _grown(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = int(rng.integers(2, 8))
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _exact(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return mask


_CHANGES: tuple[Callable[[np.ndarray, np.random.Generator], np.ndarray], ...] = (
    _shifted,
    _eroded,
    _grown,
    _exact,
)


def _blob(size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(size, bool)
    height, width = rng.integers(6, 50, 2)
    top, left = rng.integers(0, size[0] - 5), rng.integers(0, size[1] - 5)
    mask[top : top + height, left : left + width] = True
    return mask


def _panoptic(
    semantic: np.ndarray, masks: np.ndarray, categories: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, list[int]]:
    """Objects of more than .4 over the stuff of the semantic map; the rest is no segment."""
    panoptic = np.zeros(semantic.shape, np.int32)
    segments: list[int] = []
    for mask, category, score in zip(masks, categories.tolist(), scores, strict=True):
        free = mask & (panoptic == 0)
        if score > 0.4 and free.any():
            segments.append(category)
            panoptic[free] = len(segments)
    for category in np.unique(semantic).tolist():
        free = (semantic == category) & (panoptic == 0)
        if category not in THINGS and free.any():
            segments.append(category)
            panoptic[free] = len(segments)
    return panoptic, segments


def sets(realdata: Path | None) -> dict[str, list[Frame]]:
    """What ``tests/golden/evaluation/scores.json`` holds scores of; the real frames only where they are."""
    made = {"small": generated_frames(8, 7), "large": generated_frames(3, 8, (512, 1024))}
    return made if realdata is None else {**made, "cityscapes": real_frames(realdata)}


def real_frames(realdata: Path) -> list[Frame]:
    """Perturbed predictions of the official frames in the folder of real data."""
    rasters = sorted((realdata / "images" / "cityscapes" / "gtFine").glob(f"*/*/*{INSTANCE_SUFFIX}"))
    frames = []
    for number, path in enumerate(rasters):
        name = path.name.removesuffix(INSTANCE_SUFFIX)
        label_ids = read_labels(path.with_name(name + LABEL_SUFFIX), GREY_8)
        rng = np.random.default_rng([11, number])
        frames.append(perturbed(name, label_ids, read_labels(path, GREY_16), rng))
    return frames


def save_all(folder: str) -> None:
    """Writes every set for ``tests/golden/evaluation/references.py``, one ``.npz`` per frame."""
    realdata = Path(os.environ["VFM_REALDATA"]) if "VFM_REALDATA" in os.environ else None
    for name, frames in sets(realdata).items():
        target = Path(folder, name)
        target.mkdir(parents=True)
        (target / "digest").write_text(digest(frames), encoding="ascii")
        for frame in frames:
            np.savez(target / f"{frame.name}.npz", **vars(frame))
