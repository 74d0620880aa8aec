"""A feature store under construction: which maps are written, and survive a kill."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.manifest import digest_of
from vfm_fusion.features.store import open_array, read_unit

_LOG = logging.getLogger(__name__)
_JOURNAL = "journal.jsonl"


class PartialStore:
    """A Zarr group with one array ``(N, C, h, w)`` per native stride and a journal of what is in it.

    A map counts as written once its digest is in the journal, which is flushed to disk after the chunk. One
    image is one chunk, guarded by CRC32C; the fill value is NaN, so a lost chunk can never pass for features.

    Args:
        path: folder of the store; what it holds of another token is removed.
        token: hash of everything that the features depend on.
        image_ids: ids of all images, in order.
    """

    def __init__(self, path: Path, token: str, image_ids: tuple[str, ...]) -> None:
        self.path = path
        self.image_ids = image_ids
        self.digests: dict[str, dict[int, str]] = {}
        self._arrays: dict[int, zarr.Array] = {}
        self._token = token
        if not self._adopt():
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
            zarr.create_group(path)
            self._append({"token": token})

    @property
    def missing(self) -> list[int]:
        """Positions of the images that are not written yet, ascending."""
        return [index for index, image in enumerate(self.image_ids) if image not in self.digests]

    @property
    def shapes(self) -> dict[int, tuple[int, int, int]]:
        """Native output stride -> (C, h, w)."""
        return {stride: tuple(array.shape[1:]) for stride, array in self._arrays.items()}

    def write(self, index: int, maps: dict[int, np.ndarray]) -> None:
        """Writes one image's maps.

        Args:
            index: position of the image.
            maps: ``{stride: (C, h, w)}`` in the stored dtype.

        Raises:
            FeatureStoreError: a map has another shape than those before it, or is not finite in this dtype.
        """
        image = self.image_ids[index]
        for stride, array in maps.items():
            if not np.isfinite(array).all():
                raise FeatureStoreError(
                    f"image {image}, OS={stride}: {int((~np.isfinite(array)).sum())} features are not "
                    f"finite as "
                    f"{array.dtype}; set features.dtype to float32, or check the weights"
                )
            if stride not in self._arrays:
                self._arrays[stride] = self._create(stride, array)
            if self._arrays[stride].shape[1:] != array.shape:
                raise FeatureStoreError(
                    f"image {image}, OS={stride}: map {array.shape}, but the images before it gave "
                    f"{self._arrays[stride].shape[1:]}; set features.image_size so that all images have "
                    f"one size"
                )
            self._arrays[stride][index] = array
        self.digests[image] = {stride: digest_of(array) for stride, array in maps.items()}
        self._append({"image": image, "digests": self.digests[image]})

    def verify(self) -> None:
        """Reads every journalled map back and forgets those that differ from their digest."""
        for index, image in enumerate(self.image_ids):
            if image in self.digests and not self._intact(index, image):
                _LOG.warning("%s: image %s is damaged; it is extracted again", self.path, image)
                del self.digests[image]

    def publish(self, target: Path) -> None:
        """Moves the complete store to ``target``, replacing a previous one."""
        old = target.with_name(f"{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.rename(target)
        shutil.rmtree(old, ignore_errors=True)

    def _create(self, stride: int, array: np.ndarray) -> zarr.Array:
        """Creates the array of a stride that no journalled image has; a killed job may have left one."""
        return zarr.create_array(
            self.path / f"os{stride}",
            shape=(len(self.image_ids), *array.shape),
            chunks=(1, *array.shape),
            dtype=array.dtype,
            fill_value=float("nan"),
            serializer=BytesCodec(),
            compressors=Crc32cCodec(),
            dimension_names=("image", "channel", "y", "x"),
            overwrite=True,
            config={"write_empty_chunks": True},
        )

    def _adopt(self) -> bool:
        """Takes over an interrupted store of the same token; returns whether there was one."""
        journal = self.path / _JOURNAL
        if not journal.is_file():
            return False
        lines = [_parse(line) for line in journal.read_text(encoding="utf-8").splitlines()]
        if not lines or lines[0].get("token") != self._token:
            _LOG.info("%s: settings, weights or code have changed; it is extracted anew", self.path)
            return False
        wanted = set(self.image_ids)
        for line in lines[1:]:
            if line.get("image") in wanted:
                self.digests[line["image"]] = {int(stride): text for stride, text in line["digests"].items()}
        strides = {stride for digests in self.digests.values() for stride in digests}
        try:
            self._arrays = {stride: open_array(self.path, stride) for stride in sorted(strides)}
        except FeatureStoreError:
            return False
        self._arrays = {s: zarr.open_array(self.path / f"os{s}", mode="r+") for s in self._arrays}
        self.verify()
        _LOG.info("%s: resumed with %d of %d images", self.path, len(self.digests), len(self.image_ids))
        return True

    def _intact(self, index: int, image: str) -> bool:
        try:
            return all(
                digest_of(read_unit(self._arrays[stride], index, self.path, image, stride)) == digest
                for stride, digest in self.digests[image].items()
            )
        except FeatureStoreError:
            return False

    def _append(self, entry: dict[str, object]) -> None:
        with (self.path / _JOURNAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _parse(line: str) -> dict:
    """Parses a journal line; the last line of a killed job may be cut and then counts as not written."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return {}
