"""Decoding of images and label rasters, by defined rules."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import DTypeLike
from PIL import Image, ImageOps

from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

_COLOR_MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"})
_GREY16_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_LABEL_MODES = _GREY16_MODES | {"1", "L", "P", "I"}
_CONVERTED = {
    **dict.fromkeys(("1", "L", *_GREY16_MODES), "grey"),
    **dict.fromkeys(("LA", "La"), "grey"),
    **dict.fromkeys(("P", "PA"), "palette"),
    **dict.fromkeys(("RGBA", "RGBa", "RGBX"), "alpha"),
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
}
_ORIENTATION = 0x0112  # EXIF tag
_CHANNEL_MODES = _GREY16_MODES | {"1", "L", "LA", "P", "RGB", "RGBA"}
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def read_image(path: Path) -> np.ndarray:
    """Decodes an image to RGB.

    An EXIF orientation is applied; grey and 1-bit are repeated to three channels; palettes are looked up;
    CMYK and YCbCr are converted; an alpha channel is dropped (the colours stay as stored); of 16-bit samples
    the high byte is kept. Embedded colour profiles are not applied.

    Returns:
        ``(H, W, 3)`` uint8 RGB, contiguous.

    Raises:
        CorruptImageError: empty, truncated, damaged, not an image, implausibly large, or of a pixel type
            (floating point, LAB) that is not a photograph's.
        DatasetLayoutError: the file does not exist.
    """
    with _decoding(path) as file:
        ImageOps.exif_transpose(file, in_place=True)
        if file.mode in _GREY16_MODES:
            grey = (np.asarray(file).astype(np.uint16) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)  # (H, W) -> (H, W, 3)
        if file.mode in _COLOR_MODES:
            return np.ascontiguousarray(file if file.mode == "RGB" else file.convert("RGB"))
        mode = file.mode
    raise CorruptImageError(f"{path}: pixel type {mode!r} is not supported. Convert the file to 8-bit RGB.")


def conversions(path: Path) -> tuple[str, ...]:
    """Names what :func:`read_image` does to a file beyond decoding 8-bit RGB; reads the header only.

    Returns:
        Any of ``EXIF orientation``, ``16 bit``, ``grey``, ``CMYK``, ``palette``, ``alpha``, ``YCbCr``.

    Raises:
        CorruptImageError: the file is no image.
        DatasetLayoutError: the file does not exist.
    """
    _check_file(path)
    try:
        with Image.open(path) as file:
            turned = file.getexif().get(_ORIENTATION, 1) not in (0, 1)
            deep = file.mode in _GREY16_MODES or _png_bits(path) == 16
            named = _CONVERTED.get(file.mode, "")
    except _DECODER_ERRORS as error:
        raise CorruptImageError(
            f"{path}: cannot be decoded ({error}). Restore it from the data set's archive."
        ) from error
    return tuple(filter(None, ("EXIF orientation" if turned else "", "16 bit" if deep else "", named)))


def read_labels(path: Path, dtype: DTypeLike) -> np.ndarray:
    """Decodes a single-channel raster of ids, without any scaling; of a palette file, the indices.

    Args:
        path: the label file.
        dtype: integer type to return.

    Returns:
        ``(H, W)`` array of ``dtype``.

    Raises:
        CorruptImageError: empty, truncated, damaged, not an image, or not single-channel.
        LabelError: an id does not fit ``dtype``.
        DatasetLayoutError: the file does not exist.
    """
    with _decoding(path) as file:
        mode = file.mode
        ids = np.array(file)
    if mode not in _LABEL_MODES:
        raise CorruptImageError(
            f"{path}: expected one channel of ids, found pixel type {mode!r}. A colour rendering of the "
            "labels does not serve; use the id file of the data set."
        )
    limits = np.iinfo(dtype)
    if int(ids.min()) < limits.min or int(ids.max()) > limits.max:
        raise LabelError(
            f"{path}: ids {ids.min()}..{ids.max()} do not fit {np.dtype(dtype).name}. This is not the id "
            "file that the layout asks for."
        )
    return ids.astype(dtype)


def read_channels(path: Path) -> np.ndarray:
    """Decodes a raster of ids with all its channels, as deep as the file stores them.

    Pillow reduces 16-bit colour to 8 bits; such PNGs are decoded by OpenCV. A palette is looked up.

    Returns:
        ``(H, W, C)`` uint8 or uint16; C is 1 (grey), 3 (red, green, blue) or 4 (with alpha). Grey with alpha
        becomes 4 channels.

    Raises:
        CorruptImageError: empty, truncated, damaged, not an image, or of another pixel type.
        DatasetLayoutError: the file does not exist.
    """
    with _decoding(path) as file:
        mode, deep = file.mode, _png_bits(path) == 16
        if mode in _CHANNEL_MODES and not deep:
            channels = np.array(file.convert({"1": "L", "P": "RGB", "LA": "RGBA"}.get(mode, mode)))
    if mode not in _CHANNEL_MODES:
        raise CorruptImageError(
            f"{path}: pixel type {mode!r} is not that of a label raster. Use the label file of the data set."
        )
    if deep:
        channels = _decode_deep(path)
    return channels if channels.ndim == 3 else channels[..., None]  # (H, W) -> (H, W, 1)


def read_packed_ids(path: Path) -> np.ndarray:
    """Decodes a colour raster whose ids are red + 256 green + 65536 blue; alpha is dropped.

    Returns:
        ``(H, W)`` int32.

    Raises:
        CorruptImageError: see :func:`read_channels`; also, not 8-bit colour.
        DatasetLayoutError: the file does not exist.
    """
    channels = read_channels(path)
    if channels.dtype != np.uint8 or channels.shape[2] < 3:
        raise CorruptImageError(
            f"{path}: expected 8-bit red, green and blue, found {channels.shape[2]} channels of "
            f"{channels.dtype.itemsize * 8} bits. Use the object file of the data set."
        )
    return channels[..., :3].astype(np.int32) @ np.array([1, 256, 65_536], np.int32)


def _decode_deep(path: Path) -> np.ndarray:
    """Decodes a 16-bit PNG: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` uint16, red first."""
    channels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if channels is None:
        raise CorruptImageError(f"{path}: cannot be decoded. Restore it from the data set's archive.")
    if channels.ndim == 2:
        return channels
    to_rgb = cv2.COLOR_BGR2RGB if channels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return cv2.cvtColor(channels, to_rgb)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DatasetLayoutError(f"{path}: no such file. Restore it from the data set's archive.")
    if path.stat().st_size == 0:
        raise CorruptImageError(f"{path}: the file is empty. Restore it from the data set's archive.")


def _png_bits(path: Path) -> int | None:
    """Bits per sample of a PNG (Pillow hides 16-bit colour), None for other files."""
    with path.open("rb") as file:
        head = file.read(25)
    return head[24] if head.startswith(b"\x89PNG") and len(head) == 25 else None


@contextmanager
def _decoding(path: Path) -> Iterator[Image.Image]:
    """Yields the decoded file; whatever the decoder dislikes becomes one error that names the path."""
    _check_file(path)
    try:
        with Image.open(path) as file:
            file.verify()  # the checksums of a PNG, which loading ignores
        with Image.open(path) as file:
            file.load()
            yield file
    except Image.DecompressionBombError as error:
        raise CorruptImageError(f"{path}: implausibly large ({error}). Check the file.") from error
    except _DECODER_ERRORS as error:
        raise CorruptImageError(
            f"{path}: cannot be decoded ({error}). Restore it from the data set's archive."
        ) from error
