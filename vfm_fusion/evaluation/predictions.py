"""``predictions.h5``: what a run predicted for every validation image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from vfm_fusion.atomic import atomic_path
from vfm_fusion.errors import ReportingError
from vfm_fusion.evaluation.rle import EncodedInstances
from vfm_fusion.segmentation.inference import Prediction

_TEXT = h5py.string_dtype()
_SEGMENT = np.dtype([("id", "<i4"), ("category", "<i4"), ("isthing", "?")])
_INSTANCE = np.dtype([("score", "<f4"), ("category", "<i4"), ("area", "<i8"), ("rle", _TEXT)])


@dataclass(frozen=True)
class StoredPrediction:
    """An image's maps, read back.

    Attributes:
        semantic: ``(H, W)`` uint8 train ids.
        panoptic: ``(H, W)`` int32 segment ids, 0 none; None for a semantic run.
        segments: ``(n,)`` records ``id, category, isthing``; None for a semantic run.
    """

    semantic: np.ndarray
    panoptic: np.ndarray | None
    segments: np.ndarray | None


class PredictionWriter:
    """Writes images one by one.

    Layout: ``image_ids`` (text) names the images; group ``images/<position>`` holds ``semantic`` ``(H, W)``
    uint8 train ids and, for panoptic runs, ``panoptic`` ``(H, W)`` int32 with its ``segments`` table and the
    ``instances`` table (score, category, area, COCO run-length code). No times are stored: the same
    predictions give the same bytes.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._ids: list[str] = []

    def add(self, image_id: str, prediction: Prediction, instances: EncodedInstances | None) -> None:
        """Writes one image; ``instances`` is None for a semantic run."""
        group = self._file.create_group(f"images/{len(self._ids)}")
        _write_map(group, "semantic", prediction.semantic)
        if instances is not None:
            _write_map(group, "panoptic", prediction.panoptic)
            segments = [(segment.id, segment.category, segment.isthing) for segment in prediction.segments]
            group.create_dataset("segments", data=np.array(segments, _SEGMENT), track_times=False)
            rows = [
                (score, category, area, rle["counts"])
                for score, category, area, rle in zip(
                    instances.scores, instances.categories, instances.areas, instances.rles, strict=True
                )
            ]
            group.create_dataset("instances", data=np.array(rows, _INSTANCE), track_times=False)
        self._ids.append(image_id)

    def finish(self) -> None:
        """Writes the list of images."""
        self._file.create_dataset("image_ids", data=self._ids, dtype=_TEXT, track_times=False)


@contextmanager
def writing_predictions(path: Path) -> Iterator[PredictionWriter]:
    """Opens ``path`` for writing; it appears only when every image has been written."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        writer = PredictionWriter(file)
        yield writer
        writer.finish()


def predicted_ids(path: Path) -> list[str]:
    """Returns the ids of the images in a prediction file, in its order."""
    with h5py.File(path, "r") as file:
        return file["image_ids"].asstr()[:].tolist()


def read_prediction(path: Path, image_id: str) -> StoredPrediction:
    """Reads one image's maps.

    Raises:
        ReportingError: the file holds no such image.
    """
    with h5py.File(path, "r") as file:
        ids = file["image_ids"].asstr()[:].tolist()
        if image_id not in ids:
            raise ReportingError(
                f"{path}: no prediction for image {image_id!r} among {len(ids)}; evaluate again"
            )
        group = file[f"images/{ids.index(image_id)}"]
        return StoredPrediction(
            group["semantic"][:],
            group["panoptic"][:] if "panoptic" in group else None,
            group["segments"][:] if "segments" in group else None,
        )


def _write_map(group: h5py.Group, name: str, values: np.ndarray) -> None:
    group.create_dataset(name, data=values, compression="gzip", shuffle=True, track_times=False)
