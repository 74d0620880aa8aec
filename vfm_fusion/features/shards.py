"""Writing and reading single maps in the shards of a store."""

from __future__ import annotations

import os
from pathlib import Path

import google_crc32c
import numpy as np

from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.layout import CRC_BYTES, StoreLayout, remedy


def open_shard(store: Path, layout: StoreLayout, shard: int, stride: int) -> int:
    """Opens a shard for writing, made or mended to its full size and with its index; returns a descriptor.

    Slots that are not written yet are holes: they take no room on disk and fail their CRC32C.
    """
    path = layout.shard_path(store, shard, stride)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        size, index = layout.shard_bytes(shard, stride), layout.index_block(shard, stride)
        if os.fstat(descriptor).st_size != size:
            os.ftruncate(descriptor, size)
        if os.pread(descriptor, len(index), size - len(index)) != index:
            write_at(descriptor, index, size - len(index))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_map(descriptor: int, layout: StoreLayout, index: int, stride: int, stored: np.ndarray) -> int:
    """Writes the map ``(C, h, w)`` of the image at ``index`` into its slot and returns its CRC32C."""
    payload = stored.reshape(-1).view(np.uint8)
    checksum = google_crc32c.value(payload)
    start = layout.slot(index, stride)
    write_at(descriptor, payload.data, start)
    write_at(descriptor, checksum.to_bytes(CRC_BYTES, "little"), start + payload.nbytes)
    return checksum


def read_map(store: Path, layout: StoreLayout, index: int, stride: int, image: str) -> tuple[np.ndarray, int]:
    """Reads one map.

    Args:
        store: folder of the store.
        layout: its layout.
        index: position of the image.
        stride: native output stride.
        image: id of the image, for messages.

    Returns:
        The map ``(C, h, w)`` as stored, and its CRC32C, which agrees with the one behind it.

    Raises:
        FeatureStoreError: the chunk is missing, truncated, unreadable, or fails its CRC32C.
    """
    size = layout.map_bytes(stride)
    buffer = np.empty(size + CRC_BYTES, dtype=np.uint8)
    try:
        with layout.shard_path(store, index // layout.shard_images, stride).open("rb", buffering=0) as file:
            found = os.preadv(file.fileno(), [buffer], layout.slot(index, stride))
    except OSError as error:
        raise damaged(store, image, stride, f"the chunk cannot be read ({error.strerror})") from error
    if found != buffer.nbytes:
        raise damaged(store, image, stride, f"the chunk is cut: {found} of {buffer.nbytes} bytes are there")
    checksum = google_crc32c.value(buffer[:size])
    if checksum.to_bytes(CRC_BYTES, "little") != buffer[size:].tobytes():
        raise damaged(store, image, stride, "the chunk fails its CRC32C")
    return buffer[:size].view(layout.element.stored).reshape(layout.shapes[stride]), checksum


def has_index(store: Path, layout: StoreLayout, shard: int, stride: int) -> bool:
    """Whether a shard's file has its full size and the index that readers of Zarr need."""
    size, index = layout.shard_bytes(shard, stride), layout.index_block(shard, stride)
    try:
        with layout.shard_path(store, shard, stride).open("rb", buffering=0) as file:
            whole = os.fstat(file.fileno()).st_size == size
            return whole and os.pread(file.fileno(), len(index), size - len(index)) == index
    except OSError:
        return False


def flush(descriptor: int) -> None:
    """Waits until a file is on the disk and drops it from memory: the next read shows what is there."""
    os.fsync(descriptor)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Writes all of ``data`` at ``offset``.

    Raises:
        OSError: the disk is full or fails.
    """
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


def damaged(store: Path, image: str, stride: int, what: str) -> FeatureStoreError:
    """The error of one map."""
    return FeatureStoreError(f"{store}: image {image}, OS={stride}: {what}; {remedy(store)}")
