"""``predictions.h5``: all that a run predicted, so that a new measure needs no new inference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vfm_fusion.atomic import atomic_path
from vfm_fusion.errors import PredictionError
from vfm_fusion.evaluation.rle import EncodedInstances, encode_predictions
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction

_TEXT = h5py.string_dtype()
_SEGMENT = np.dtype([("id", "<i4"), ("category", "<i4"), ("isthing", "?")])
_INSTANCE = np.dtype([("score", "<f4"), ("category", "<i4"), ("area", "<i8"), ("bytes", "<i8")])


@dataclass(frozen=True)
class StoredPrediction:
    """What was predicted for one image, read back; what the run's task lacks is None.

    Attributes:
        semantic: ``(H, W)`` uint8 train ids; None for an instance run.
        panoptic: ``(H, W)`` int32 segment ids, 0 none; only of a panoptic run.
        segments: ``(n,)`` records ``id, category, isthing``; only of a panoptic run.
        instances: scored objects, most confident first; None for a semantic run.
    """

    semantic: np.ndarray | None
    panoptic: np.ndarray | None
    segments: np.ndarray | None
    instances: EncodedInstances | None


class PredictionWriter:
    """Writes images one by one.

    Layout: ``run`` is the run's description (JSON text), ``image_ids`` (text) names the images; group
    ``images/<position>`` holds what the run's task predicts: the map ``semantic`` ``(H, W)`` uint8 of train
    ids; the ``instances`` table (score, category, area, bytes) with their ``size`` [H, W] and ``codes``, the
    COCO run-length codes one after the other, uint8; the map ``panoptic`` ``(H, W)`` int32 with its
    ``segments`` table. Arrays carry checksums. No times are stored: the same predictions give the same bytes.
    """

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self._ids: list[str] = []

    def add(self, image_id: str, prediction: Prediction) -> None:
        """Writes one image."""
        group = self._file.create_group(f"images/{len(self._ids)}")
        if prediction.semantic is not None:
            _write(group, "semantic", prediction.semantic, compressed=True)
        if prediction.instances is not None:
            _write_instances(group, prediction.instances)
        if prediction.panoptic is not None:
            _write(group, "panoptic", prediction.panoptic, compressed=True)
            segments = [(segment.id, segment.category, segment.isthing) for segment in prediction.segments]
            _write(group, "segments", np.array(segments, _SEGMENT))
        self._ids.append(image_id)

    def finish(self, run: Mapping[str, Any]) -> None:
        """Writes the list of images and the run's description."""
        self._file.create_dataset("image_ids", data=self._ids, dtype=_TEXT, track_times=False)
        self._file.create_dataset("run", data=json.dumps(run, sort_keys=True), dtype=_TEXT, track_times=False)


@contextmanager
def writing_predictions(path: Path, run: Mapping[str, Any]) -> Iterator[PredictionWriter]:
    """Opens ``path`` for writing; it appears only when every image has been written.

    Args:
        path: the file.
        run: content of the run's ``run.json``.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        writer = PredictionWriter(file)
        yield writer
        writer.finish(run)


class PredictionReader:
    """An open prediction file.

    Attributes:
        ids: the images, in the order of the file.
        run: content of the run's ``run.json``.
    """

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file, self._path = file, path
        with self._checked("its list of images"):
            self.ids: tuple[str, ...] = tuple(file["image_ids"].asstr()[:].tolist())
            self.run: dict[str, Any] = json.loads(file["run"].asstr()[()])
        self._position = {image_id: position for position, image_id in enumerate(self.ids)}

    def read(self, image_id: str) -> StoredPrediction:
        """Reads one image.

        Raises:
            PredictionError: the file holds no such image, or the image is damaged.
        """
        if image_id not in self._position:
            raise PredictionError(
                f"{self._path}: no prediction for image {image_id!r} among {len(self.ids)}; predict again"
            )
        with self._checked(f"image {image_id!r}"):
            group = self._file[f"images/{self._position[image_id]}"]
            maps = {
                name: group[name][:] if name in group else None
                for name in ("semantic", "panoptic", "segments")
            }
            instances = _read_instances(group) if "instances" in group else None
            return StoredPrediction(**maps, instances=instances)

    @contextmanager
    def _checked(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise PredictionError(
                f"{self._path}: {what} cannot be read ({error}); delete the file and predict again"
            ) from error


@contextmanager
def reading_predictions(path: Path) -> Iterator[PredictionReader]:
    """Opens a prediction file.

    Raises:
        PredictionError: the file is missing, truncated, or no prediction file.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise PredictionError(
            f"{path}: not a complete prediction file ({error}); delete it and predict again"
        ) from error
    with file:
        yield PredictionReader(file, path)


def _write_instances(group: h5py.Group, instances: PredictedInstances) -> None:
    encoded = encode_predictions(instances)
    codes = [rle["counts"] for rle in encoded.rles]
    rows = zip(encoded.scores, encoded.categories, encoded.areas, map(len, codes), strict=True)
    _write(group, "instances", np.array(list(rows), _INSTANCE))
    _write(group, "size", np.array(instances.masks.shape[1:], np.int32))
    _write(group, "codes", np.frombuffer(b"".join(codes), np.uint8))


def _read_instances(group: h5py.Group) -> EncodedInstances:
    table, codes = group["instances"][:], group["codes"][:].tobytes()
    size = group["size"][:].tolist()
    ends = np.cumsum(table["bytes"])
    if len(codes) != (ends[-1] if len(ends) else 0):
        raise ValueError(
            f"{len(codes)} bytes of run-length codes, the table says {int(table['bytes'].sum())}"
        )
    rles = [
        {"size": size, "counts": codes[end - count : end]}
        for end, count in zip(ends.tolist(), table["bytes"].tolist(), strict=True)
    ]
    return EncodedInstances(
        rles,
        table["area"],
        table["category"].astype(np.int64),
        np.zeros(len(table), bool),
        table["score"],
    )


def _write(group: h5py.Group, name: str, values: np.ndarray, *, compressed: bool = False) -> None:
    """Writes an array with a checksum; HDF5 keeps none of an empty one."""
    options: dict[str, Any] = {"fletcher32": True, "chunks": values.shape} if values.size else {}
    if compressed:
        options |= {"compression": "gzip", "shuffle": values.itemsize > 1}
    group.create_dataset(name, data=values, track_times=False, **options)
