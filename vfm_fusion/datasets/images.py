"""Decoding of images, by defined rules."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vfm_fusion.errors import CorruptImageError, DatasetLayoutError

IMAGE_SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
"""Ends of the names of images, in lower case."""

GREY16_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's names of 16-bit grey."""

TURNING = range(2, 9)
"""The EXIF orientations that move pixels."""

# Pillow opens more, and starts programs for some of them.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "AVIF")
_COLOR_MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"})
_CONVERTED = {
    **dict.fromkeys(("1", "L", *GREY16_MODES), "grey"),
    **dict.fromkeys(("LA", "La"), "grey"),
    **dict.fromkeys(("P", "PA"), "palette"),
    **dict.fromkeys(("RGBA", "RGBa", "RGBX"), "alpha"),
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
}
_ORIENTATION = 0x0112  # EXIF tag
_SWAPS_SIDES = range(5, 9)
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def read_image(path: Path, labelled: tuple[int, int] | None = None) -> np.ndarray:
    """Decodes an image to RGB.

    An EXIF orientation is applied where there are no labels, or where they have the size of the turned image;
    labels of the size as stored lie on the pixels as stored. Grey and 1-bit are repeated to three channels;
    palettes are looked up; CMYK and YCbCr are converted; an alpha channel is dropped (the colours stay as
    stored); of 16-bit samples the high byte is kept; of several frames the first is taken. Embedded colour
    profiles are not applied.

    Args:
        path: the image.
        labelled: (H, W) of its labels; None when it has none.

    Returns:
        ``(H, W, 3)`` uint8 RGB, contiguous.

    Raises:
        CorruptImageError: empty, truncated, damaged, not an image, implausibly large, or of a pixel type
            (floating point, LAB) that is not a photograph's; or the size of the labels does not tell whether
            an EXIF orientation holds for them.
        DatasetLayoutError: the file does not exist.
    """
    with decoding(path) as (file, orientation):
        if _is_turned(file, orientation, path, labelled):
            ImageOps.exif_transpose(file, in_place=True)
        elif orientation in TURNING and file.format == "TIFF":
            raise CorruptImageError(
                f"{path}: is a TIFF, turned by its EXIF orientation {orientation} as it is decoded, but its "
                "labels lie on the pixels as stored. Write the image again without the orientation."
            )
        return rgb_pixels(file, path)


def rgb_pixels(image: Image.Image, where: object) -> np.ndarray:
    """Converts a decoded image, its pixels lying as they are to be looked at; see :func:`read_image`.

    Args:
        image: the image.
        where: what it is, for the message.

    Returns:
        ``(H, W, 3)`` uint8 RGB, contiguous.

    Raises:
        CorruptImageError: it is of a pixel type that is not a photograph's.
    """
    if image.mode in GREY16_MODES:
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)  # (H, W) -> (H, W, 3)
    if image.mode in _COLOR_MODES:
        return np.ascontiguousarray(image if image.mode == "RGB" else image.convert("RGB"))
    raise CorruptImageError(
        f"{where}: pixel type {image.mode!r} is not supported. Convert the file to 8-bit RGB."
    )


def conversions(path: Path, labelled: tuple[int, int] | None = None) -> tuple[str, ...]:
    """Names what :func:`read_image` does to a file beyond decoding 8-bit RGB; reads the header only.

    Args:
        path: the image.
        labelled: (H, W) of its labels; None when it has none.

    Returns:
        Any of ``EXIF orientation``, ``EXIF orientation not applied``, ``16 bit``, ``grey``, ``CMYK``,
        ``palette``, ``alpha``, ``YCbCr``.

    Raises:
        CorruptImageError: the file is no image; or as :func:`read_image`.
        DatasetLayoutError: the file does not exist.
    """
    _check_file(path)
    turned = ""
    try:
        with Image.open(path, formats=_FORMATS) as file:
            orientation = _orientation(file)
            if orientation in TURNING:
                applied = _is_turned(file, orientation, path, labelled)
                turned = "EXIF orientation" if applied else "EXIF orientation not applied"
            deep = file.mode in GREY16_MODES or png_bits(path) == 16
            named = _CONVERTED.get(file.mode, "")
    except _DECODER_ERRORS as error:
        raise CorruptImageError(
            f"{path}: cannot be decoded ({error}). Restore it from the data set's archive."
        ) from error
    return tuple(filter(None, (turned, "16 bit" if deep else "", named)))


@contextmanager
def decoding(path: Path) -> Iterator[tuple[Image.Image, int]]:
    """Yields the decoded file, its pixels as stored (of a TIFF, as turned), and its EXIF orientation.

    Raises:
        CorruptImageError: whatever the decoder dislikes, there or in the block.
        DatasetLayoutError: the file does not exist.
    """
    _check_file(path)
    try:
        with Image.open(path, formats=_FORMATS) as file:
            file.verify()  # the checksums of a PNG, which loading ignores
        with Image.open(path, formats=_FORMATS) as file:
            tag = _orientation(file) if file.format == "TIFF" else None  # loading applies and drops it
            file.load()
            yield file, _orientation(file) if tag is None else tag
    except Image.DecompressionBombError as error:
        raise CorruptImageError(f"{path}: implausibly large ({error}). Check the file.") from error
    except _DECODER_ERRORS as error:
        raise CorruptImageError(
            f"{path}: cannot be decoded ({error}). Restore it from the data set's archive."
        ) from error


def png_bits(path: Path) -> int | None:
    """Bits per sample of a PNG (Pillow hides 16 bits of colour and 2 or 4 of grey), None for other files."""
    with path.open("rb") as file:
        head = file.read(25)
    return head[24] if head.startswith(b"\x89PNG") and len(head) == 25 else None


def _orientation(file: Image.Image) -> int:
    return file.getexif().get(_ORIENTATION, 1)


def _is_turned(file: Image.Image, orientation: int, path: Path, labelled: tuple[int, int] | None) -> bool:
    """Decides whether the EXIF orientation of an image is to be applied."""
    if orientation not in TURNING or labelled is None:
        return orientation in TURNING
    swaps = orientation in _SWAPS_SIDES
    size = (file.height, file.width)
    stored = size[::-1] if swaps and file.format == "TIFF" else size
    if labelled == stored and (not swaps or stored[0] == stored[1]):
        raise CorruptImageError(
            f"{path}: has EXIF orientation {orientation}, and the size of its labels fits the image turned "
            "and as stored. Write the image again without an orientation, its pixels lying as the labels' do."
        )
    return labelled != stored


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DatasetLayoutError(f"{path}: no such file. Restore it from the data set's archive.")
    if path.stat().st_size == 0:
        raise CorruptImageError(f"{path}: the file is empty. Restore it from the data set's archive.")
