"""Decoding of label rasters: ids as they are stored, in the depth and the channels of a layout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vfm_fusion.datasets.images import GREY16_MODES, TURNING, decoding, png_bits
from vfm_fusion.errors import CorruptImageError


@dataclass(frozen=True)
class LabelFormat:
    """How a layout stores a raster of labels.

    Attributes:
        bits: of a sample; decoders stretch grey of fewer than 8, and cut colour of 16.
        pixels: any of ``grey``, ``grey with alpha``, ``palette``, ``colour``, ``colour with alpha``.
        meaning: names both, for messages.
    """

    bits: tuple[int, ...]
    pixels: tuple[str, ...]
    meaning: str


GREY_8 = LabelFormat((8,), ("grey",), "one channel of ids in grey")
"""Ids below 256."""

GREY_16 = LabelFormat((16,), ("grey",), "one channel of ids in grey")
"""Codes of a class and a number."""

INDEXED_8 = LabelFormat((8,), ("palette", "grey"), "one channel of ids")
"""Ids below 256 as the indices of a palette, or the same without their palette."""

NUMBERS = LabelFormat((1, 8, 16), ("palette", "grey"), "one channel of numbers of objects")
"""Numbers of objects, of a palette file the indices. Only equal or not matters, so one bit serves too."""

COLOR_8 = LabelFormat((8,), ("colour", "colour with alpha"), "8-bit red, green and blue")
"""Ids in several channels."""

_COLORS = LabelFormat((8,), ("palette", "colour", "colour with alpha"), "colours of 8 bits")
_MASK = LabelFormat(
    (1, 2, 4, 8), ("grey", "grey with alpha", "palette", "colour", "colour with alpha"), "grey or colours"
)
_MODES = {
    "1": ("grey", 1),
    "L": ("grey", 8),
    **dict.fromkeys(GREY16_MODES, ("grey", 16)),
    "I": ("grey", 32),
    "LA": ("grey with alpha", 8),
    "P": ("palette", 8),
    "RGB": ("colour", 8),
    "RGBA": ("colour with alpha", 8),
}  # Pillow's mode: pixels, and bits unless the file is a PNG that says otherwise
_TIFF_BITS, _TIFF_MEANING, _WHITE_IS_0 = 258, 262, 0
_LOSSY = frozenset({"JPEG", "MPO", "AVIF"})


def read_labels(path: Path, stored: LabelFormat) -> np.ndarray:
    """Decodes a single-channel raster of ids, without any scaling; of a palette file, the indices.

    Args:
        path: the label file.
        stored: how the layout stores it.

    Returns:
        ``(H, W)`` uint8 for 8 bits, int32 where there may be 16.

    Raises:
        CorruptImageError: empty, truncated, damaged, not an image, or stored in another way.
        DatasetLayoutError: the file does not exist.
    """
    with _opened(path, stored) as file:
        if _is_stretched(file, path):
            raise CorruptImageError(
                f"{path}: is a {file.format} of another depth or range than 0..255 with black as 0, so "
                "decoding it changes its ids. Write it again as a PNG of 8 bits."
            )
        return np.array(file).astype(np.int32 if 16 in stored.bits else np.uint8)


def read_channels(path: Path, stored: LabelFormat) -> np.ndarray:
    """Decodes a raster of ids in the channels of colours; alpha that is the same everywhere is dropped.

    Pillow reduces 16-bit colour to 8 bits; OpenCV decodes that.

    Args:
        path: the label file.
        stored: how the layout stores it.

    Returns:
        ``(H, W, 3)`` uint8 or uint16: red, green, blue.

    Raises:
        CorruptImageError: as :func:`read_labels`; also, an alpha channel that varies.
        DatasetLayoutError: the file does not exist.
    """
    with _opened(path, stored) as file:
        if stored.bits != (16,):
            return _without_alpha(file, path)
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise CorruptImageError(f"{path}: cannot be decoded. Restore it from the data set's archive.")
    return np.ascontiguousarray(pixels[..., 2::-1])  # blue, green, red -> red, green, blue


def read_packed_ids(path: Path) -> np.ndarray:
    """Decodes an 8-bit colour raster whose ids are red + 256 green + 65536 blue.

    Returns:
        ``(H, W)`` int32.

    Raises:
        CorruptImageError: see :func:`read_channels`.
        DatasetLayoutError: the file does not exist.
    """
    return packed(read_channels(path, COLOR_8))


def packed(colors: np.ndarray) -> np.ndarray:
    """Makes one number of each colour, ``(..., 3)`` uint8: ``(...)`` int32, red + 256 green + 65536 blue."""
    return colors.astype(np.int32) @ np.array([1, 256, 65_536], np.int32)


def unpacked(number: int) -> list[int]:
    """Undoes :func:`packed`: red, green and blue of one colour."""
    return [number >> shift & 255 for shift in (0, 8, 16)]


def read_colors(path: Path) -> np.ndarray:
    """Decodes a raster of labels in colours, palettes looked up; alpha as in :func:`read_channels`.

    Returns:
        ``(H, W, 3)`` uint8: red, green, blue.

    Raises:
        CorruptImageError: see :func:`read_channels`.
        DatasetLayoutError: the file does not exist.
    """
    with _opened(path, _COLORS) as file:
        return _without_alpha(file, path)


def read_mask(path: Path) -> np.ndarray:
    """Decodes a mask that was painted in grey or in colours, palettes looked up and white being 255.

    Returns:
        ``(H, W)`` uint8, the lightest channel of each pixel's colour.

    Raises:
        CorruptImageError: see :func:`read_channels`.
        DatasetLayoutError: the file does not exist.
    """
    with _opened(path, _MASK) as file:
        return _without_alpha(file, path).max(axis=2)  # (H, W, C) -> (H, W)


@contextmanager
def _opened(path: Path, stored: LabelFormat) -> Iterator[Image.Image]:
    """Yields the decoded file after checking that it is stored as the layout does."""
    with decoding(path) as (file, orientation):
        pixels, bits = _MODES.get(file.mode, (f"pixel type {file.mode!r}", 8))
        if pixels != "palette":
            bits = png_bits(path) or bits
        if _is_lossy(file, path):
            raise CorruptImageError(
                f"{path}: is a {file.format}, which changes values to save space. Labels need a format that "
                "keeps them, such as PNG; use the label file of the data set."
            )
        if pixels not in stored.pixels:
            raise CorruptImageError(
                f"{path}: expected {stored.meaning}, found {len(file.getbands())} channels of {bits} bits "
                f"({pixels}). A rendering of the labels in colours does not serve; use the label file of the "
                "data set."
            )
        if bits not in stored.bits:
            raise CorruptImageError(
                f"{path}: expected {' or '.join(map(str, stored.bits))} bits, found {bits}. A program that "
                "saved it in another depth may have cut its ids; use the label file of the data set."
            )
        if orientation in TURNING:
            raise CorruptImageError(
                f"{path}: has EXIF orientation {orientation}, but labels are read as stored. Write it again "
                "without an orientation, its pixels lying as those of the image do."
            )
        yield file


def _is_lossy(file: Image.Image, path: Path) -> bool:
    if file.format == "WEBP":
        return b"VP8L" not in path.read_bytes()  # the chunk of pixels that are compressed without loss
    return file.format in _LOSSY


def _is_stretched(file: Image.Image, path: Path) -> bool:
    """Whether decoding a TIFF or PGM changes grey values, to fill 0..255 or to make white of 0."""
    if file.mode != "L":
        return False
    if file.format == "TIFF":
        return file.tag_v2.get(_TIFF_BITS, (1,))[0] != 8 or file.tag_v2.get(_TIFF_MEANING) == _WHITE_IS_0
    with Image.open(path) as unread:  # its tiles are dropped by decoding
        return unread.format == "PPM" and unread.tile[0].args not in ("L", ("L", 255))


def _without_alpha(file: Image.Image, path: Path) -> np.ndarray:
    """Looks palettes up and drops alpha: ``(H, W, 1 or 3)`` uint8.

    Alpha may be a channel, or one colour that the file calls transparent.
    """
    mode = {"1": "L", "P": "RGB"}.get(file.mode, file.mode)
    if "transparency" in file.info:
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    pixels = np.array(file.convert(mode))
    if pixels.ndim == 2:
        return pixels[..., None]
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., -1]
    if alpha.min() != alpha.max():
        raise CorruptImageError(
            f"{path}: its alpha channel varies, so labels may lie in the colours or in their transparency. "
            "Write it again without alpha."
        )
    return pixels[..., :-1]
