"""Pictures in any form give the same pixels, and what is none is told how to become one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, ShapeError
from vfm_fusion.profiling.given_images import GivenImages, given_images

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (height, 24, 3), dtype=np.uint8) for height in (16, 20)]
MASKS = [np.full(picture.shape[:2], number, np.int64) for number, picture in enumerate(PICTURES)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, picture in enumerate(PICTURES):
        (tmp_path / "photos" / "deep").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "photos" / "deep" / f"{number}.png")
        (tmp_path / "masks" / "deep").mkdir(parents=True, exist_ok=True)
        Image.fromarray(MASKS[number].astype(np.uint8)).save(tmp_path / "masks" / "deep" / f"{number}.png")
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path


def pixels(images: GivenImages) -> list[np.ndarray]:
    return [images.image(position) for position in range(len(images))]


def test_every_form_gives_the_same_pixels(folder: Path) -> None:
    files = [folder / "photos" / "deep" / f"{number}.png" for number in range(2)]
    forms = {
        "folder": folder / "photos",
        "paths": [str(file) for file in files],
        "pil": [Image.open(file) for file in files],
        "arrays": PICTURES,
        "generator": (picture for picture in PICTURES),
    }
    for images in (given_images(form) for form in forms.values()):
        assert all(np.array_equal(a, b) for a, b in zip(pixels(images), PICTURES, strict=True))
        assert [images.size_of(0), images.size_of(1)] == [(16, 24), (20, 24)]
        assert images.smallest == (16, 24)
    assert given_images(folder / "photos").ids == ("deep/0.png", "deep/1.png")
    assert given_images(forms["paths"]).ids == ("0.png", "1.png")
    assert given_images(PICTURES).ids == ("0", "1")


@pytest.mark.parametrize("form", [PICTURES[0], Image.fromarray(PICTURES[0]), "file"])
def test_one_picture_needs_no_list(folder: Path, form: object) -> None:
    images = given_images(folder / "photos" / "deep" / "0.png" if isinstance(form, str) else form)
    assert np.array_equal(images.image(0), PICTURES[0])


def test_a_pil_image_is_turned_as_its_file_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PICTURES[0]).save(tmp_path / "turned.png", exif=exif)
    turned = np.rot90(PICTURES[0], -1)
    for form in (tmp_path, Image.open(tmp_path / "turned.png")):
        assert np.array_equal(given_images(form).image(0), turned)


def test_masks_come_from_a_folder_or_a_list(folder: Path) -> None:
    for labels in (folder / "masks", MASKS, [Image.fromarray(mask.astype(np.uint8)) for mask in MASKS]):
        images = given_images(folder / "photos", labels)
        assert images.labelled
        assert [np.unique(images[n].semantic).tolist() for n in range(2)] == [[0], [1]]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (PICTURES[0].astype(np.float32) / 255, r"\(16, 24, 3\) float32; convert it, as by \(image \* 255\)"),
        ([PICTURES[0].transpose(2, 0, 1)], r"images\[0\].*channels come first: image.transpose\(1, 2, 0\)"),
        ([PICTURES[0][..., 0]], r"repeat the grey channel"),
        (PICTURES[0][..., 0], r"found ndarray \(16, 24\) uint8; repeat the grey channel"),
        (PICTURES[0].astype(int), r"bring its values to 0 \.\. 255 and convert it: image.astype\(np.uint8\)"),
        (torch.zeros(3, 8, 8), r"images\[0\]: .* found Tensor \(3, 8, 8\) float32"),
        ([np.zeros((8, 8, 4), np.uint8)], r"leave the alpha channel out"),
        ([torch.zeros(3, 8, 8)], r"found Tensor \(3, 8, 8\) float32; turn it into an array: .permute"),
        ([None], "found NoneType"),
        (5, "expected a folder, paths, PIL images or arrays"),
        ([Image.new("F", (8, 8))], r"images\[0\]: pixel type 'F' is not supported"),
    ],
)
def test_what_is_no_picture_is_told_how_to_become_one(images: object, said: str) -> None:
    with pytest.raises((ShapeError, CorruptImageError), match=said):
        given_images(images)


def test_paths_that_lead_nowhere_are_named(folder: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"nowhere: no such file or folder; correct the path"):
        given_images(folder / "nowhere")
    with pytest.raises(DatasetLayoutError, match=r"images\[1\]: .*x.png: no such file"):
        given_images([folder / "photos" / "deep" / "0.png", folder / "x.png"])
    with pytest.raises(DatasetLayoutError, match=r"images\[0\]: .*photos is a folder"):
        given_images([folder / "photos"])
    with pytest.raises(DatasetLayoutError, match=r"there are none"):
        given_images([])
    with pytest.raises(DatasetLayoutError, match=r"0.png is given 2 times"):
        given_images([folder / "photos" / "deep" / "0.png"] * 2)
    (folder / "empty").mkdir()
    with pytest.raises(DatasetLayoutError, match=r"holds no image, at any depth"):
        given_images(folder / "empty")


@pytest.mark.parametrize("form", [MASKS[0], Image.fromarray(MASKS[0].astype(np.uint8)), "file"])
def test_one_mask_needs_no_list(folder: Path, form: object) -> None:
    mask = folder / "masks" / "deep" / "0.png" if isinstance(form, str) else form
    assert np.array_equal(given_images(PICTURES[0], mask)[0].semantic, MASKS[0])


def test_masks_have_to_fit(folder: Path) -> None:
    with pytest.raises(DatasetLayoutError, match="1 masks for 2 images"):
        given_images(PICTURES, MASKS[:1])
    with pytest.raises(CorruptImageError, match=r"its mask is \(20, 24\) pixels .* the image \(16, 24\)"):
        given_images(PICTURES, MASKS[::-1])
    with pytest.raises(ShapeError, match=r"class ids 0 \.\. 254, and 255 for void; found -1 \.\. -1"):
        given_images(PICTURES, [MASKS[0] - 1, MASKS[1]])
    (folder / "masks" / "deep" / "1.png").unlink()
    with pytest.raises(DatasetLayoutError, match=r"masks/deep/1.png: is missing"):
        given_images(folder / "photos", folder / "masks")


def test_a_damaged_picture_is_refused_or_left_out(folder: Path) -> None:
    broken = folder / "photos" / "broken.jpg"
    broken.write_bytes(b"no jpeg")
    with pytest.raises(CorruptImageError, match=r"broken.jpg: cannot be decoded"):
        given_images(folder / "photos")
    images = given_images(folder / "photos", damaged="skip")
    assert len(images) == 2
    assert [one.image_id for one in images.skipped] == ["broken.jpg"]
    with pytest.raises(CorruptImageError, match="every image is damaged"):
        given_images(broken, damaged="skip")


def test_the_digest_tells_pixels_and_masks_apart() -> None:
    changed = [PICTURES[0], PICTURES[1].copy()]
    changed[1][0, 0, 0] ^= 1
    digests = {given_images(p, m).digest for p, m in ((PICTURES, None), (changed, None), (PICTURES, MASKS))}
    assert len(digests) == 3
    assert given_images(list(PICTURES)).digest in digests
