"""Decoding by defined rules, and refusal of what cannot be decoded."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vfm_fusion.datasets.images import read_image
from vfm_fusion.datasets.rasters import GREY_8, read_labels
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError


def _picture(height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_rgb_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "zwei wörter – 图像.png"
    Image.fromarray(_picture()).save(path)
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"]
    assert np.array_equal(image, _picture())


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    file = Image.fromarray(_picture())
    exif = file.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    file.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(_picture(), -1))


def test_grey_and_binary_are_repeated(tmp_path: Path) -> None:
    grey = _picture()[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey > 128).save(tmp_path / "binary.png")
    assert np.array_equal(read_image(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, axis=2))
    expected = np.where(grey > 128, 255, 0)
    assert np.array_equal(read_image(tmp_path / "binary.png"), np.repeat(expected[..., None], 3, axis=2))


def test_palette_is_looked_up(tmp_path: Path) -> None:
    indices = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode="P")
    indices.putpalette([10, 20, 30, 200, 100, 50])
    indices.save(tmp_path / "a.png")
    expected = [[[10, 20, 30], [200, 100, 50]], [[200, 100, 50], [10, 20, 30]]]
    assert read_image(tmp_path / "a.png").tolist() == expected


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack([_picture(), np.zeros((5, 7), np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), _picture())


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (16, 16, 3)
    assert np.allclose(image.mean(axis=(0, 1)), (255, 0, 0), atol=3)


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_keeps_the_high_byte(tmp_path: Path, channels: int) -> None:
    values = np.array([[0, 255, 256, 0x80FF], [0x1234, 0xFF00, 0xFFFF, 0x7FFF]], np.uint16)
    deep = np.repeat(values[..., None], channels, axis=2).squeeze()
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    expected = np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2)
    assert np.array_equal(read_image(tmp_path / "a.png"), expected)


def test_one_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[1, 2, 3]]]


def _broken(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind} bild.png"
    Image.fromarray(_picture(64, 64)).save(path)
    content = path.read_bytes()
    path.write_bytes(
        {
            "truncated": content[: len(content) // 2],
            "cut at the end": content[:-20],
            "empty": b"",
            "zeros": bytes(len(content)),
            "zeroed middle": content[:200] + bytes(400) + content[600:],
            "one bit flipped": content[:5000] + bytes([content[5000] ^ 4]) + content[5001:],
            "text": b"<html>404 not found</html>",
            "header only": content[:8],
        }[kind]
    )
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "truncated",
        "cut at the end",
        "empty",
        "zeros",
        "zeroed middle",
        "one bit flipped",
        "text",
        "header only",
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, kind: str) -> None:
    path = _broken(tmp_path, kind)
    for read in (read_image, lambda p: read_labels(p, GREY_8)):
        with pytest.raises(CorruptImageError, match=r"bild\.png"):
            read(path)


def test_a_truncated_jpeg_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(_picture(64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(CorruptImageError, match=r"a\.jpg"):
        read_image(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"fehlt\.png"):
        read_image(tmp_path / "fehlt.png")


def test_a_huge_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(_picture(64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(CorruptImageError, match="implausibly large"):
        read_image(tmp_path / "a.png")


def test_floating_point_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(CorruptImageError, match="'F'"):
        read_image(tmp_path / "a.tif")
