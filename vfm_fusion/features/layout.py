"""Where every map of a store lies: arrays, shards, and the slots in a shard.

A store is a Zarr 3 group with one array ``os{stride}`` ``(image, channel, y, x)`` per native stride. A chunk
is one image, uncompressed and followed by its CRC32C; a shard is one file of so many chunks, followed by
their index. All chunks of an array have one length, so that the index is known before the first is written
and every map has a slot of its own: maps are written in any order, in place, without reading or copying their
neighbours. (Zarr itself rewrites a shard to change one chunk, and two such writers lose each other's chunks.)
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec

from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.elements import ELEMENTS, Element

CRC_BYTES = 4
_NO_CHUNK = 2**64 - 1


@dataclass(frozen=True)
class StoreLayout:
    """The shape of a store on disk.

    Where images differ in size, every map has a slot for the largest height and the largest width, lies at
    its upper left, and the rest is filled with NaN.

    Attributes:
        images: number of images.
        shapes: native output stride -> (C, h, w), the largest of each.
        dtype: name of the element type.
        shard_images: images per shard.
        sizes: (height, width) of every image as its encoder sees it, which the sides of its maps follow from;
            None where all are equal.
    """

    images: int
    shapes: dict[int, tuple[int, int, int]]
    dtype: str
    shard_images: int
    sizes: tuple[tuple[int, int], ...] | None = None

    def shape(self, index: int, stride: int) -> tuple[int, int, int]:
        """(C, h, w) of the map of the image at ``index``."""
        if self.sizes is None:
            return self.shapes[stride]
        height, width = self.sizes[index]
        return self.shapes[stride][0], height // stride, width // stride

    def slotted(self, stored: np.ndarray, stride: int) -> np.ndarray:
        """Fills a map ``(C, h, w)`` in the stored type up to the shape of its slot."""
        if stored.shape == self.shapes[stride]:
            return stored
        slot = np.full(self.shapes[stride], self.element.fill, dtype=self.element.stored)
        slot[:, : stored.shape[1], : stored.shape[2]] = stored
        return slot

    def unslotted(self, slot: np.ndarray, index: int, stride: int) -> np.ndarray:
        """Cuts the map of the image at ``index`` out of what its slot holds."""
        _, height, width = self.shape(index, stride)
        return np.ascontiguousarray(slot[:, :height, :width])

    @property
    def element(self) -> Element:
        """The element type."""
        return ELEMENTS[self.dtype]

    @property
    def shards(self) -> int:
        """Number of shards of every array."""
        return math.ceil(self.images / self.shard_images)

    def images_of(self, shard: int) -> range:
        """Positions of the images in a shard."""
        start = shard * self.shard_images
        return range(start, min(start + self.shard_images, self.images))

    def map_bytes(self, stride: int) -> int:
        """Bytes of one map."""
        return math.prod(self.shapes[stride]) * self.element.stored.itemsize

    def slot(self, index: int, stride: int) -> int:
        """Where in its shard the map of the image at ``index`` starts, in bytes."""
        return index % self.shard_images * (self.map_bytes(stride) + CRC_BYTES)

    def shard_bytes(self, shard: int, stride: int) -> int:
        """Size of a shard's file."""
        chunks = len(self.images_of(shard)) * (self.map_bytes(stride) + CRC_BYTES)
        return chunks + len(self.index_block(shard, stride))

    @cached_property
    def total_bytes(self) -> int:
        """Size of all shards of all arrays."""
        lasts = range(max(0, self.shards - 1), self.shards)
        whole = sum(self.shard_bytes(0, stride) for stride in self.shapes) * (self.shards - len(lasts))
        return whole + sum(self.shard_bytes(shard, stride) for shard in lasts for stride in self.shapes)

    def index_block(self, shard: int, stride: int) -> bytes:
        """The end of a shard's file: offset and length of every chunk, and the CRC32C of these."""
        length = self.map_bytes(stride) + CRC_BYTES
        table = np.full((self.shard_images, 2), _NO_CHUNK, dtype="<u8")
        count = len(self.images_of(shard))
        table[:count, 0] = np.arange(count, dtype=np.uint64) * np.uint64(length)
        table[:count, 1] = length
        return table.tobytes() + google_crc32c.value(table.tobytes()).to_bytes(CRC_BYTES, "little")

    def shard_path(self, store: Path, shard: int, stride: int) -> Path:
        """The file of a shard."""
        return store / f"os{stride}/c/{shard}/0/0/0"

    def write_metadata(self, store: Path, attributes: dict[str, Any]) -> None:
        """Writes the metadata of the group, with ``attributes``, and of its arrays; chunks stay.

        One job at a time may do so.
        """
        draft = store.with_name(f".{store.name}.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            group = zarr.create_group(draft, attributes=attributes)
            for stride in self.shapes:
                self._create(group, stride)
            # The group's own comes last: it is what says that the rest is there.
            for name in (*(f"os{stride}/zarr.json" for stride in self.shapes), "zarr.json"):
                (store / name).parent.mkdir(parents=True, exist_ok=True)
                (draft / name).replace(store / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def check_metadata(self, store: Path) -> None:
        """Checks that a store's arrays are laid out like this.

        Raises:
            FeatureStoreError: an array is missing or is another; names store and stride.
        """
        expected = zarr.create_group(zarr.storage.MemoryStore())
        for stride in self.shapes:
            found, wanted = _facts(_open(store, stride)), _facts(self._create(expected, stride))
            if found != wanted:
                differing = {key: (found[key], wanted[key]) for key in wanted if found[key] != wanted[key]}
                raise FeatureStoreError(
                    f"{store}, OS={stride}: the array differs from what its manifest says: "
                    f"{', '.join(f'{k} is {a}, expected {b}' for k, (a, b) in differing.items())}; "
                    f"{remedy(store)}"
                )

    def _create(self, group: zarr.Group, stride: int) -> zarr.Array:
        shape = self.shapes[stride]
        return group.create_array(
            f"os{stride}",
            shape=(self.images, *shape),
            chunks=(1, *shape),
            shards=(self.shard_images, *shape),
            dtype=self.element.stored,
            fill_value=self.element.fill,
            serializer=BytesCodec(),
            compressors=Crc32cCodec(),
            dimension_names=("image", "channel", "y", "x"),
            attributes={"element_type": self.dtype},
        )


def layout_of(sizes: Sequence[tuple[int, int]], spec: EncoderSpec, settings: FeaturesConfig) -> StoreLayout:
    """Lays out the store of an encoder's native maps.

    Args:
        sizes: (height, width) of every image, multiples of the encoder's divisor.
        spec: the encoder's strides and channels.
        settings: element type and shards.
    """
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    shapes = {s: (spec.channels[s], height // s, width // s) for s in spec.strides}
    differing = tuple(sizes) if len(set(sizes)) > 1 else None
    return StoreLayout(len(sizes), shapes, settings.dtype, settings.shard_images, differing)


def read_attributes(store: Path) -> dict[str, Any]:
    """Returns the attributes of a store's group; empty where there is no readable group."""
    try:
        return json.loads((store / "zarr.json").read_text(encoding="utf-8"))["attributes"]
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return {}


def remedy(store: Path) -> str:
    """What to do about a damaged store."""
    return f"delete {store}.manifest.json and run the workflow again to rebuild the damaged maps"


def _open(store: Path, stride: int) -> zarr.Array:
    try:
        return zarr.open_array(store / f"os{stride}", mode="r")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise FeatureStoreError(
            f"{store}, OS={stride}: no readable array ({error}); {remedy(store)}"
        ) from error


def _facts(array: zarr.Array) -> dict[str, Any]:
    """What has to agree for a map to lie in its slot."""
    codecs = [codec.to_dict() for codec in array.metadata.codecs]
    return {
        "shape": array.shape,
        "dtype": str(array.dtype),
        "chunks": array.chunks,
        "shards": array.shards,
        "codecs": json.dumps(codecs, sort_keys=True),
    }
