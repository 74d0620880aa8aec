"""Decoding of label rasters with several channels, without loss."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vfm_fusion.datasets.images import read_channels
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError

_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}  # of the PNG specification


def _chunk(name: bytes, content: bytes) -> bytes:
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    """Writes a PNG by the specification, with no image library: ``(H, W, C)`` uint8 or uint16."""
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", width, height, bits, _COLOUR_TYPE[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_bit_is_kept(tmp_path: Path, dtype: type, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7, channels), dtype, endpoint=True)
    _write_png(tmp_path / "ebenen – 层.png", pixels)
    found = read_channels(tmp_path / "ebenen – 层.png")
    assert found.dtype == dtype
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_with_alpha_becomes_four_channels(tmp_path: Path, dtype: type) -> None:
    _write_png(tmp_path / "a.png", np.array([[[7, 100], [9, 2]]], dtype))
    assert read_channels(tmp_path / "a.png").tolist() == [[[7, 7, 7, 100], [9, 9, 9, 2]]]


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    indices = Image.fromarray(np.array([[0, 2]], np.uint8))
    indices.putpalette([0, 0, 0, 9, 9, 9, 10, 20, 30])
    indices.save(tmp_path / "a.png")
    assert read_channels(tmp_path / "a.png").tolist() == [[[0, 0, 0], [10, 20, 30]]]


def test_other_formats(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255], [128, 0]], np.uint8)).save(tmp_path / "a.bmp")
    assert read_channels(tmp_path / "a.bmp").tolist() == [[[0], [255]], [[128], [0]]]


def test_bits_become_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read_channels(tmp_path / "a.png").tolist() == [[[255], [0]]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_truncated_file_is_named(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "halb.png"
    _write_png(path, np.random.default_rng(0).integers(0, 200, (64, 64, 3)).astype(dtype))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(CorruptImageError, match=r"halb\.png"):
        read_channels(path)


def test_other_refusals(tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"fehlt\.png: no such file"):
        read_channels(tmp_path / "fehlt.png")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(CorruptImageError, match=r"float\.tif: pixel type 'F'"):
        read_channels(tmp_path / "float.tif")
    (tmp_path / "text.png").write_text("<html>404</html>")
    with pytest.raises(CorruptImageError, match=r"text\.png"):
        read_channels(tmp_path / "text.png")
