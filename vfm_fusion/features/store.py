"""Reading a feature store, never trusting it further than its manifest.

Every read compares the CRC32C of the map with the one in the table of digests, which the manifest guards: a
map that is missing, cut, altered, or of another store or image is refused, at a small part of the cost of the
read. The SHA-256, which also tells a map that was altered to have the same CRC32C, is compared by
:meth:`FeatureStore.verify` and before a store is published.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.digests import sha256_of
from vfm_fusion.features.layout import remedy
from vfm_fusion.features.manifest import Manifest, read_maps, store_path
from vfm_fusion.features.shards import damaged, has_index, read_map

_CHECKING_THREADS = 4


class FeatureStore:
    """Native feature maps of one encoder on one set of images.

    Attributes:
        manifest: what the store holds.
        image_ids: ids of its images, in order.
        layout: where their maps lie.
        path: its folder.
    """

    def __init__(self, manifest_path: Path) -> None:
        """Opens the store that a manifest guards.

        Raises:
            FeatureStoreError: the manifest or the store is missing, or they do not belong together.
        """
        self.manifest = Manifest.read(manifest_path)
        self.path = store_path(manifest_path)
        self._maps = read_maps(self.path, self.manifest)
        self.image_ids = self._maps.image_ids
        self.layout = replace(self.manifest.layout, sizes=self._maps.sizes)
        self.layout.check_metadata(self.path)

    def __len__(self) -> int:
        """Number of images."""
        return self.manifest.images

    def read(self, index: int, strides: Collection[int] | None = None) -> dict[int, np.ndarray]:
        """Reads one image's maps and checks them.

        Args:
            index: position of the image in ``image_ids``.
            strides: native strides wanted; all when left out.

        Returns:
            ``{stride: (C, h, w)}`` float32.

        Raises:
            FeatureStoreError: a chunk is missing, cut or altered; names store, image and stride.
        """
        decode = self.layout.element.decode
        return {stride: decode(stored) for stride, stored in self.read_stored(index, strides).items()}

    def read_stored(self, index: int, strides: Collection[int] | None = None) -> dict[int, np.ndarray]:
        """Reads and checks one image's maps ``{stride: (C, h, w)}`` as they are stored.

        Raises:
            FeatureStoreError: see :meth:`read`.
        """
        wanted = [stride for stride in self.manifest.shapes if strides is None or stride in strides]
        slots = {stride: self._read(index, stride) for stride in wanted}
        return {stride: self.layout.unslotted(slot, index, stride) for stride, slot in slots.items()}

    def verify(self) -> None:
        """Reads and checks every map by its SHA-256, and what other readers of Zarr rely on.

        Raises:
            FeatureStoreError: see :meth:`read`; also a shard without its index, or metadata of the group that
                contradicts the arrays.
        """
        for error in self.damage():
            raise error

    def damage(self) -> Iterator[FeatureStoreError]:
        """Yields everything that :meth:`verify` objects to."""
        with ThreadPoolExecutor(_CHECKING_THREADS) as pool:
            for errors in pool.map(self._damage_of, range(len(self))):
                yield from errors
        yield from self._lost_indexes()
        yield from self._stale_metadata()

    def _read(self, index: int, stride: int) -> np.ndarray:
        """Reads and checks what one slot holds."""
        image = self.image_ids[index]
        stored, checksum = read_map(self.path, self.layout, index, stride, image)
        if checksum != self._maps.crc32c(index, stride):
            raise damaged(self.path, image, stride, "the stored map is not the one that was extracted")
        return stored

    def _damage_of(self, index: int) -> list[FeatureStoreError]:
        errors = []
        for stride in self.manifest.shapes:
            try:
                stored = self._read(index, stride)
            except FeatureStoreError as error:
                errors.append(error)
                continue
            if sha256_of(stored) != self._maps.sha256(index, stride):
                image = self.image_ids[index]
                errors.append(damaged(self.path, image, stride, "the stored map fails its SHA-256"))
        return errors

    def _lost_indexes(self) -> Iterator[FeatureStoreError]:
        layout = self.layout
        for shard in range(layout.shards):
            for stride in layout.shapes:
                if not has_index(self.path, layout, shard, stride):
                    images = layout.images_of(shard)
                    yield FeatureStoreError(
                        f"{self.path}, OS={stride}: the shard of the images {self.image_ids[images[0]]} to "
                        f"{self.image_ids[images[-1]]} is missing, cut, or has lost its index; "
                        f"{remedy(self.path)}"
                    )

    def _stale_metadata(self) -> Iterator[FeatureStoreError]:
        """Consolidated metadata, which this project neither writes nor reads, may belong to another store."""
        try:
            group = json.loads((self.path / "zarr.json").read_text(encoding="utf-8"))
            consolidated = (group.get("consolidated_metadata") or {}).get("metadata", {})
            for stride in self.manifest.shapes if consolidated else ():
                own = json.loads((self.path / f"os{stride}" / "zarr.json").read_text(encoding="utf-8"))
                if consolidated.get(f"os{stride}") != own:
                    yield FeatureStoreError(
                        f"{self.path}, OS={stride}: the consolidated metadata of the group contradict the "
                        f"array; {remedy(self.path)}"
                    )
        except (OSError, ValueError, AttributeError) as error:
            yield FeatureStoreError(
                f"{self.path}: the metadata of the group cannot be read ({error}); {remedy(self.path)}"
            )
