"""The table of a store's maps: image ids, sizes and the digests of every map, as Parquet in the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vfm_fusion.atomic import atomic_path
from vfm_fusion.errors import FeatureStoreError

FILE = "maps.parquet"
_IDENTITY = b"identity"
_SIZE = ("height", "width")


@dataclass(frozen=True)
class MapDigest:
    """What identifies one stored map.

    Attributes:
        crc32c: checksum of its bytes, compared on every read.
        sha256: SHA-256 of its bytes in hexadecimal, compared by ``verify`` and before a store is published.
    """

    crc32c: int
    sha256: str


def sha256_of(stored: np.ndarray) -> str:
    """SHA-256 of the bytes of a contiguous map, in hexadecimal."""
    return hashlib.sha256(stored.data).hexdigest()


class MapTable:
    """Digests of every map, in the order of the store.

    Args:
        image_ids: ids of all images.
        crc32c: stride -> checksums ``(N,)`` uint32.
        sha256: stride -> ``N`` digests in hexadecimal.
        sizes: see :class:`~vfm_fusion.features.layout.StoreLayout`.
    """

    def __init__(
        self,
        image_ids: Sequence[str],
        crc32c: Mapping[int, np.ndarray],
        sha256: Mapping[int, pa.ChunkedArray],
        sizes: tuple[tuple[int, int], ...] | None = None,
    ) -> None:
        self.image_ids = tuple(image_ids)
        self.sizes = sizes
        self._crc32c = dict(crc32c)
        self._sha256 = dict(sha256)

    @classmethod
    def of(
        cls,
        image_ids: Sequence[str],
        digests: Sequence[Mapping[int, MapDigest]],
        sizes: tuple[tuple[int, int], ...] | None = None,
    ) -> MapTable:
        """Makes a table of the digests of each image, ``{stride: digest}``."""
        strides = sorted(digests[0]) if digests else []
        crc32c = {s: np.array([of[s].crc32c for of in digests], dtype=np.uint32) for s in strides}
        sha256 = {s: pa.chunked_array([pa.array([of[s].sha256 for of in digests])]) for s in strides}
        return cls(image_ids, crc32c, sha256, sizes)

    def crc32c(self, index: int, stride: int) -> int:
        """Checksum of one map."""
        return int(self._crc32c[stride][index])

    def sha256(self, index: int, stride: int) -> str:
        """SHA-256 of one map."""
        return self._sha256[stride][index].as_py()

    def digests(self, index: int) -> dict[int, MapDigest]:
        """Digests of the maps of one image."""
        return {s: MapDigest(self.crc32c(index, s), self.sha256(index, s)) for s in self._crc32c}

    @cached_property
    def content(self) -> str:
        """SHA-256 over all ids, sizes and digests: equal for stores of the same maps of the same images."""
        named = [self.image_ids, sorted(self._crc32c), *([self.sizes] if self.sizes else [])]
        digest = hashlib.sha256(json.dumps(named).encode())
        for stride in sorted(self._crc32c):
            digest.update(self._crc32c[stride].astype("<u4").tobytes())
            digest.update("".join(self._sha256[stride].to_pylist()).encode())
        return digest.hexdigest()

    def write(self, store: Path, identity: str) -> None:
        """Writes the table, with the identity of the store, into the store, atomically."""
        columns: dict[str, object] = {"image_id": pa.array(self.image_ids, pa.string())}
        if self.sizes is not None:
            sides = zip(_SIZE, zip(*self.sizes, strict=True), strict=True)
            columns |= {name: pa.array(values, pa.int64()) for name, values in sides}
        for stride in sorted(self._crc32c):
            columns[f"os{stride}_crc32c"] = self._crc32c[stride]
            columns[f"os{stride}_sha256"] = self._sha256[stride]
        with atomic_path(store / FILE) as temporary:
            pq.write_table(pa.table(columns, metadata={_IDENTITY: identity}), temporary)

    @staticmethod
    def identity_at(store: Path) -> str | None:
        """Returns the identity that the table of a store holds; None where there is no readable table."""
        try:
            return (pq.read_schema(store / FILE).metadata or {}).get(_IDENTITY, b"").decode() or None
        except (OSError, pa.ArrowException):
            return None

    @classmethod
    def read(cls, store: Path, strides: Sequence[int]) -> MapTable:
        """Reads the table of a store.

        Raises:
            FeatureStoreError: it is missing or damaged, or the store is.
        """
        try:
            table = pq.read_table(store / FILE)
            return cls(
                table["image_id"].to_pylist(),
                {stride: table[f"os{stride}_crc32c"].to_numpy() for stride in strides},
                {stride: table[f"os{stride}_sha256"] for stride in strides},
                _sizes(table),
            )
        except FileNotFoundError:
            what = "its table of digests is missing" if store.is_dir() else "no such store"
            raise FeatureStoreError(
                f"{store}: {what} ({FILE}); delete {store}.manifest.json and run the workflow again"
            ) from None
        except (OSError, pa.ArrowException, KeyError) as error:
            raise FeatureStoreError(
                f"{store / FILE}: not a table of digests ({error}); delete {store}.manifest.json and run the "
                "workflow again"
            ) from error


def _sizes(table: pa.Table) -> tuple[tuple[int, int], ...] | None:
    if _SIZE[0] not in table.column_names:
        return None
    return tuple(zip(*(table[name].to_pylist() for name in _SIZE), strict=True))
