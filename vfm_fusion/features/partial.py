"""A feature store under construction: which maps are written, and survive a kill."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.digests import MapDigest, MapTable, sha256_of
from vfm_fusion.features.journal import Journal, journal_path, read_journals, remove_journals
from vfm_fusion.features.layout import StoreLayout, read_attributes
from vfm_fusion.features.locks import StoreLock
from vfm_fusion.features.shards import flush, has_index, open_shard, read_map, write_map

_LOG = logging.getLogger(__name__)
_CHECKING_THREADS = min(4, os.cpu_count() or 1)


def prepare_store(
    building: Path, final: Path, layout: StoreLayout, identity: str, shards: range, lock: StoreLock
) -> None:
    """Puts a store of this identity at ``building``: one under construction, the published one, or a new one.

    A store under construction of another identity is removed. A published one stays where it is until its
    successor takes its place.

    Args:
        building: where the store is built.
        final: where it will be published.
        layout: its layout.
        identity: see :func:`identity_of`.
        shards: those that this job will write; they are claimed.
        lock: the lock of the store, with nothing claimed.

    Raises:
        FeatureStoreError: another job is writing one of the shards, or a store that would have to be removed.
    """
    with lock.preparing():
        if building.exists() and read_attributes(building).get("identity") != identity:
            lock.claim()
            _LOG.warning("%s: settings, weights, images or code have changed; extracted anew", building)
            shutil.rmtree(building)
            lock.release()  # of the shards, whose number may be another now
        published = read_attributes(final).get("identity") or MapTable.identity_at(final)
        if not building.exists() and published == identity:
            _LOG.info("%s: taken over to be checked and mended", final)
            final.rename(building)
        lock.claim(shards)
        layout.write_metadata(building, {"identity": identity, "element_type": layout.dtype})


def identity_of(token: str, image_ids: Iterable[str], layout: StoreLayout) -> str:
    """Hashes all that two jobs must share to write one store.

    Args:
        token: stands for everything that the features depend on.
        image_ids: ids of all images, in order.
        layout: the layout of the store.
    """
    shapes = sorted(layout.shapes.items())
    what = [token, list(image_ids), layout.images, shapes, layout.dtype, layout.shard_images, layout.sizes]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]


class PartialStore:
    """The shards of a prepared store that one job writes, and what is in them.

    A map counts as written once its digests are in the journal.

    Args:
        path: folder of the store, as :func:`prepare_store` leaves it.
        layout: its layout.
        image_ids: ids of all images, in order.
        shards: the shards that this job may write.
        part: name of the part that these are; None for the whole store.
    """

    def __init__(
        self,
        path: Path,
        layout: StoreLayout,
        image_ids: tuple[str, ...],
        shards: range,
        part: str | None = None,
    ) -> None:
        self.path = path
        self.image_ids = image_ids
        self._layout = layout
        self._shards = shards
        self._maps: dict[int, dict[int, MapDigest]] = {}
        self._checked: set[int] = set()
        self._open: dict[tuple[int, int], int] = {}
        self._adopt()
        self._journal = Journal(journal_path(path, part))

    @property
    def missing(self) -> list[int]:
        """Positions of the images of this job that are not written yet, ascending."""
        return [index for index in self._positions() if index not in self._maps]

    def write(self, index: int, maps: Mapping[int, np.ndarray]) -> None:
        """Writes one image's maps; with the last image of a shard, the shard is read back.

        Args:
            index: position of the image.
            maps: ``{stride: (C, h, w)}`` in the stored type, of the image's own size.

        Raises:
            FeatureStoreError: a map has not the shape of the layout, or is not finite in the stored type.
            OSError: the disk is full or fails.
        """
        image = self.image_ids[index]
        if maps.keys() != self._layout.shapes.keys():
            raise FeatureStoreError(
                f"image {image}: the encoder gave maps at OS {sorted(maps)}, its registry entry promises "
                f"{sorted(self._layout.shapes)}; correct the entry"
            )
        digests = {}
        for stride, stored in sorted(maps.items()):
            self._check(index, stride, stored)
            slot = self._layout.slotted(stored, stride)
            checksum = write_map(self._shard(index, stride), self._layout, index, stride, slot)
            digests[stride] = MapDigest(checksum, sha256_of(slot))
        self._maps[index] = digests
        self._journal.wrote(image, digests)
        shard = index // self._layout.shard_images
        if all(position in self._maps for position in self._layout.images_of(shard)):
            self._finish(shard)

    def verify(self) -> None:
        """Reads back what this job has not read back yet, and forgets the images whose maps differ."""
        self._mend_indexes()
        unchecked = [index for index in self._positions() if index in self._maps.keys() - self._checked]

        def check(index: int) -> bool:
            return self._intact(index, by_sha256=True)

        with ThreadPoolExecutor(_CHECKING_THREADS) as pool:
            for index, intact in zip(unchecked, pool.map(check, unchecked), strict=True):
                self._settle(index, intact)

    def checked(self) -> None:
        """Notes, for the job that publishes, that all of this job is written and read back."""
        self._journal.checked()

    def close(self) -> None:
        """Closes the files; may be called twice."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
        self._journal.close()

    def publish(self, target: Path) -> MapTable:
        """Moves the complete store to ``target``, replacing a previous one; returns its table of digests."""
        digests = [self._maps[index] for index in range(len(self.image_ids))]
        table = MapTable.of(self.image_ids, digests, self._layout.sizes)
        table.write(self.path, read_attributes(self.path)["identity"])
        self.close()
        remove_journals(self.path)
        old = target.with_name(f"{target.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if target.exists():
            target.rename(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.rename(target)
        shutil.rmtree(old, ignore_errors=True)
        return table

    def _positions(self) -> Iterable[int]:
        return (index for shard in self._shards for index in self._layout.images_of(shard))

    def _adopt(self) -> None:
        """Takes over what earlier jobs have written: the table of a published store, then the journals."""
        try:
            table = MapTable.read(self.path, list(self._layout.shapes))
            known = {image: table.digests(index) for index, image in enumerate(table.image_ids)}
        except FeatureStoreError:
            known = {}
        checked: dict[str, bool] = {}
        for image, maps, was_checked in read_journals(self.path):
            known[image] = maps
            checked[image] = was_checked
        for index in self._positions():
            image = self.image_ids[index]
            if known.get(image, {}).keys() == self._layout.shapes.keys():
                self._maps[index] = known[image]
                if checked.get(image):
                    self._checked.add(index)
        if self._maps:
            _LOG.info("%s: %d images are there, %d to go", self.path, len(self._maps), len(self.missing))

    def _check(self, index: int, stride: int, stored: np.ndarray) -> None:
        image, shape = self.image_ids[index], self._layout.shape(index, stride)
        if stored.shape != shape:
            raise FeatureStoreError(
                f"image {image}, OS={stride}: the encoder gave a map {stored.shape}, its registry entry "
                f"promises {shape}; correct the entry"
            )
        count = self._layout.element.non_finite(stored)
        if count:
            raise FeatureStoreError(
                f"image {image}, OS={stride}: {count} features are not finite as {self._layout.dtype}; "
                "set features.dtype to float32, or check the weights"
            )

    def _shard(self, index: int, stride: int) -> int:
        key = index // self._layout.shard_images, stride
        if key not in self._open:
            self._open[key] = open_shard(self.path, self._layout, *key)
        return self._open[key]

    def _finish(self, shard: int) -> None:
        """Brings a complete shard to the disk and reads back what the disk holds."""
        for stride in self._layout.shapes:
            descriptor = self._open.pop((shard, stride), None)
            if descriptor is not None:
                flush(descriptor)
                os.close(descriptor)
        for index in self._layout.images_of(shard):
            if index not in self._checked:
                self._settle(index, self._intact(index, by_sha256=False))  # this job's own bytes

    def _settle(self, index: int, intact: bool) -> None:
        if intact:
            self._checked.add(index)
        else:
            _LOG.warning("%s: image %s is damaged; it is extracted again", self.path, self.image_ids[index])
            del self._maps[index]

    def _intact(self, index: int, *, by_sha256: bool) -> bool:
        """Whether the maps of an image are on the disk as the journal says."""
        try:
            for stride, digest in self._maps[index].items():
                stored, checksum = read_map(self.path, self._layout, index, stride, self.image_ids[index])
                if checksum != digest.crc32c or (by_sha256 and sha256_of(stored) != digest.sha256):
                    return False
        except FeatureStoreError:
            return False
        return True

    def _mend_indexes(self) -> None:
        """Writes the index of every shard that has lost it; the maps themselves are checked one by one."""
        for shard in self._shards:
            for stride in self._layout.shapes:
                if not has_index(self.path, self._layout, shard, stride):
                    _LOG.warning("%s, OS=%d: shard %d has lost its index", self.path, stride, shard)
                    os.close(open_shard(self.path, self._layout, shard, stride))
