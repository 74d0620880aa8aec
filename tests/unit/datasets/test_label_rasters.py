"""Decoding of label rasters: every bit as it is stored, or a refusal."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vfm_fusion.datasets.rasters import (
    COLOR_8,
    GREY_8,
    GREY_16,
    INDEXED_8,
    LabelFormat,
    read_channels,
    read_colors,
    read_labels,
    read_mask,
)
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError

COLOR_16 = LabelFormat((16,), ("colour",), "16-bit red, green and blue")
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6  # of the PNG specification


def _chunk(name: bytes, content: bytes) -> bytes:
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _write_png(path: Path, pixels: np.ndarray, bits: int, kind: int) -> Path:
    """Writes a PNG by the specification, with no image library: ``(H, W, C)`` of samples below 2^bits."""
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], bits, kind, 0, 0, 0)
    samples = pixels.reshape(len(pixels), -1, 1)
    every_bit = (samples >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)  # (H, W * C, bits)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in every_bit.reshape(len(pixels), -1))
    palette = _chunk(b"PLTE", bytes(range(3 * 2 ** min(bits, 6)))) if kind == _PALETTE else b""
    chunks = (_chunk(b"IHDR", header), palette, _chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def _random(bits: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**bits, (5, 7, channels))


@pytest.mark.parametrize(("stored", "dtype"), [(GREY_8, np.uint8), (GREY_16, np.int32)])
def test_every_bit_of_ids_is_kept(tmp_path: Path, stored: LabelFormat, dtype: type) -> None:
    pixels = _random(stored.bits[0], 1)
    found = read_labels(_write_png(tmp_path / "ebene – 层.png", pixels, stored.bits[0], _GREY), stored)
    assert found.dtype == dtype
    assert np.array_equal(found, pixels[..., 0])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_indices_of_a_palette_are_packed(tmp_path: Path, bits: int) -> None:
    pixels = _random(bits, 1)
    found = read_labels(_write_png(tmp_path / "a.png", pixels, bits, _PALETTE), INDEXED_8)
    assert np.array_equal(found, pixels[..., 0])


@pytest.mark.parametrize(("stored", "dtype"), [(COLOR_8, np.uint8), (COLOR_16, np.uint16)])
def test_every_bit_of_channels_is_kept(tmp_path: Path, stored: LabelFormat, dtype: type) -> None:
    pixels = _random(stored.bits[0], 3)
    found = read_channels(_write_png(tmp_path / "a.png", pixels, stored.bits[0], _COLOUR), stored)
    assert found.dtype == dtype
    assert np.array_equal(found, pixels)


OTHERS = [
    (GREY_16, 8, _GREY, "expected 16 bits, found 8"),
    (GREY_8, 16, _GREY, "expected 8 bits, found 16"),
    (GREY_8, 4, _GREY, "expected 8 bits, found 4"),  # decoders stretch it: 1 becomes 17
    (GREY_8, 2, _GREY, "expected 8 bits, found 2"),
    (GREY_8, 1, _GREY, "expected 8 bits, found 1"),
    (INDEXED_8, 4, _GREY, "expected 8 bits, found 4"),
    (GREY_8, 8, _PALETTE, r"expected one channel of ids in grey, found 1 channels of 8 bits \(palette\)"),
    (GREY_8, 8, _GREY_ALPHA, r"expected one channel of ids in grey, found 2 channels of 8 bits \(grey with"),
    (GREY_16, 16, _GREY_ALPHA, "expected one channel of ids"),
    (INDEXED_8, 8, _COLOUR, r"expected one channel of ids, found 3 channels of 8 bits \(colour\)"),
    (COLOR_8, 16, _COLOUR, "expected 8 bits, found 16"),
    (COLOR_16, 8, _COLOUR, "expected 16 bits, found 8"),
    (COLOR_8, 8, _GREY, r"expected 8-bit red, green and blue, found 1 channels of 8 bits \(grey\)"),
    (COLOR_8, 8, _PALETTE, r"expected 8-bit red, green and blue, found 1 channels of 8 bits \(palette\)"),
    (COLOR_16, 16, _COLOUR_ALPHA, "expected 16-bit red, green and blue, found 4 channels of 16 bits"),
]
CHANNELS = {_GREY: 1, _COLOUR: 3, _PALETTE: 1, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}


@pytest.mark.parametrize(("stored", "bits", "kind", "message"), OTHERS)
def test_another_way_of_storing_is_refused(
    tmp_path: Path, stored: LabelFormat, bits: int, kind: int, message: str
) -> None:
    pixels = np.ones((5, 7, CHANNELS[kind]), np.int64)
    path = _write_png(tmp_path / "labels.png", pixels, bits, kind)
    read = read_labels if stored in (GREY_8, GREY_16, INDEXED_8) else read_channels
    with pytest.raises(CorruptImageError, match=rf"{path}: {message}"):
        read(path, stored)


@pytest.mark.parametrize("suffix", ["jpg", "avif", "webp"])
def test_a_format_that_changes_values_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "labels.png"
    with path.with_suffix(f".{suffix}").open("wb") as file:
        Image.fromarray(np.full((8, 8), 7, np.uint8)).save(file)
    path.with_suffix(f".{suffix}").rename(path)
    for read in (lambda: read_labels(path, GREY_8), lambda: read_mask(path)):
        with pytest.raises(CorruptImageError, match=rf"{path}: is a \w+, which changes values"):
            read()


def test_a_label_with_an_orientation_is_refused(tmp_path: Path) -> None:
    file = Image.fromarray(np.full((4, 6), 255, np.uint8))
    exif = file.getexif()
    exif[0x0112] = 3
    for name in ("a.png", "a.tif"):
        file.save(tmp_path / name, exif=exif)
        with pytest.raises(CorruptImageError, match=rf"{name}: has EXIF orientation 3, but labels are read"):
            read_mask(tmp_path / name)


OBJECT = np.zeros((40, 60), np.uint8)
OBJECT[5:15, 20:40] = 255


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_alpha_that_is_the_same_everywhere_is_dropped(tmp_path: Path, alpha: int) -> None:
    opaque = np.full_like(OBJECT, alpha)
    for channels in ([OBJECT, opaque], [OBJECT, OBJECT, OBJECT, opaque]):
        Image.fromarray(np.dstack(channels)).save(tmp_path / "a.png")
        assert np.array_equal(read_mask(tmp_path / "a.png"), OBJECT)
    assert np.array_equal(read_channels(tmp_path / "a.png", COLOR_8), np.dstack([OBJECT] * 3))


def test_alpha_that_varies_is_refused(tmp_path: Path) -> None:
    white = np.full_like(OBJECT, 255)
    for channels in ([white, OBJECT], [white, white, white, OBJECT]):
        Image.fromarray(np.dstack(channels)).save(tmp_path / "a.png")
        with pytest.raises(CorruptImageError, match=r"a\.png: its alpha channel varies"):
            read_mask(tmp_path / "a.png")
    with pytest.raises(CorruptImageError, match=r"a\.png: its alpha channel varies"):
        read_channels(tmp_path / "a.png", COLOR_8)
    indices = Image.fromarray((OBJECT > 0).astype(np.uint8))
    indices.putpalette([255, 255, 255, 255, 255, 255])
    indices.save(tmp_path / "palette.png", transparency=0)
    for read in (read_mask, read_colors):
        with pytest.raises(CorruptImageError, match=r"palette\.png: its alpha channel varies"):
            read(tmp_path / "palette.png")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_colour_that_is_called_transparent_is_alpha(tmp_path: Path, channels: int) -> None:
    black = np.dstack([255 - OBJECT] * channels).squeeze()  # only a black object is drawn
    white = 255 if channels == 1 else (255, 255, 255)
    Image.fromarray(black).save(tmp_path / "a.png", transparency=white)
    with pytest.raises(CorruptImageError, match=r"a\.png: its alpha channel varies"):
        read_mask(tmp_path / "a.png")
    if channels == 3:
        with pytest.raises(CorruptImageError, match=r"a\.png: its alpha channel varies"):
            read_channels(tmp_path / "a.png", COLOR_8)


def _write_tiff(path: Path, rows: bytes, bits: int, meaning: int) -> None:
    """Writes a grey TIFF of 4 x 8 pixels by the specification; ``meaning`` 0: white is 0, 1: black is 0."""
    tags = {256: 8, 257: 4, 258: bits, 259: 1, 262: meaning, 273: 8, 277: 1, 278: 4, 279: len(rows)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    content = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + content)


def test_grey_that_decoders_stretch_or_turn_round_is_refused_for_ids(tmp_path: Path) -> None:
    ids = np.arange(32, dtype=np.uint8).reshape(4, 8) % 4
    _write_tiff(tmp_path / "a.tif", ids.tobytes(), 8, 1)
    (tmp_path / "a.pgm").write_bytes(b"P5 8 4 255\n" + ids.tobytes())
    (tmp_path / "plain.pgm").write_bytes(b"P2 8 4 255\n" + " ".join(map(str, ids.ravel())).encode())
    for name in ("a.tif", "a.pgm", "plain.pgm"):
        assert np.array_equal(read_labels(tmp_path / name, INDEXED_8), ids)
    (tmp_path / "a.pgm").write_bytes(b"P5 8 4 3\n" + ids.tobytes())  # 3 would become 255
    (tmp_path / "plain.pgm").write_bytes(b"P2 8 4 3\n" + " ".join(map(str, ids.ravel())).encode())
    _write_tiff(tmp_path / "four.tif", bytes(16), 4, 1)
    _write_tiff(tmp_path / "white.tif", ids.tobytes(), 8, 0)
    for name in ("a.pgm", "plain.pgm", "four.tif", "white.tif"):
        with pytest.raises(CorruptImageError, match=rf"{name}: is a (PPM|TIFF) of another depth or range"):
            read_labels(tmp_path / name, INDEXED_8)


def test_masks_in_grey_of_few_bits_and_in_palettes(tmp_path: Path) -> None:
    for bits in (1, 2, 4):
        white = (OBJECT[..., None] > 0) * (2**bits - 1)
        assert np.array_equal(read_mask(_write_png(tmp_path / "a.png", white, bits, _GREY)), OBJECT)
    indices = Image.fromarray(np.array([[0, 2]], np.uint8))
    indices.putpalette([0, 0, 0, 9, 9, 9, 10, 20, 30])
    indices.save(tmp_path / "palette.png")
    assert read_mask(tmp_path / "palette.png").tolist() == [[0, 30]]


@pytest.mark.parametrize("suffix", ["bmp", "gif", "pgm", "tif", "webp"])
def test_masks_of_other_formats(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(OBJECT).save(tmp_path / f"a.{suffix}", **options)
    assert np.array_equal(read_mask(tmp_path / f"a.{suffix}"), OBJECT)


def test_a_mask_of_16_bits_is_refused(tmp_path: Path) -> None:
    path = _write_png(tmp_path / "a.png", np.full((2, 2, 1), 200), 16, _GREY)  # nearly black
    with pytest.raises(CorruptImageError, match="expected 1 or 2 or 4 or 8 bits, found 16"):
        read_mask(path)


@pytest.mark.parametrize("stored", [COLOR_8, COLOR_16])
def test_a_truncated_file_is_named(tmp_path: Path, stored: LabelFormat) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (64, 64, 3))
    path = _write_png(tmp_path / "halb.png", pixels, stored.bits[0], _COLOUR)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(CorruptImageError, match=r"halb\.png"):
        read_channels(path, stored)


def test_other_refusals(tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"fehlt\.png: no such file"):
        read_channels(tmp_path / "fehlt.png", COLOR_8)
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(CorruptImageError, match=r"float\.tif: .*pixel type 'F'"):
        read_mask(tmp_path / "float.tif")
    (tmp_path / "text.png").write_text("<html>404</html>")
    with pytest.raises(CorruptImageError, match=r"text\.png"):
        read_labels(tmp_path / "text.png", GREY_8)
