"""A data set as people have it: files of every pixel type, and some that are broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tiny_interactive import mask
from tiny_layouts import save

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.index import SplitIndex, read_index, write_index
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError, VfmFusionError

HEIGHT, WIDTH = 16, 24
SIZES = {"alpha": (16, 24), "cmyk": (16, 24), "deep colour": (16, 24), "deep grey": (16, 24)}
SIZES |= {"gedreht – 回転": (24, 16), "grey": (16, 24), "one pixel": (1, 1), "palette": (16, 24)}
SIZES |= {"plain": (16, 24)}
DAMAGED = ("empty", "text", "truncated")


def _picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def _write_photos(folder: Path) -> None:
    folder.mkdir(parents=True)
    colour = Image.fromarray(_picture())
    colour.save(folder / "plain.png")
    colour.convert("L").save(folder / "grey.png")
    colour.convert("P").save(folder / "palette.png")
    colour.convert("RGBA").save(folder / "alpha.png")
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    colour.crop((0, 0, 1, 1)).save(folder / "one pixel.png")
    assert cv2.imwrite(str(folder / "deep colour.png"), _picture().astype(np.uint16) * 257)
    assert cv2.imwrite(str(folder / "deep grey.png"), _picture()[..., 0].astype(np.uint16) * 257)
    exif = colour.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    colour.save(folder / "gedreht – 回転.jpg", exif=exif)


def _write_damaged(folder: Path) -> None:
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("<html>404 not found</html>")
    content = (folder / "plain.png").read_bytes()
    (folder / "truncated.png").write_bytes(content[: len(content) // 2])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Nine photos that can be read and three that cannot, with masks of the upright size."""
    root = tmp_path / "meine bilder – 写真"
    _write_photos(root / "images")
    _write_damaged(root / "images")
    for stem in (*SIZES, *DAMAGED):
        mask(root / f"masks/{stem}.png", np.full(SIZES.get(stem, (HEIGHT, WIDTH)), 255, np.uint8))
    return root


def _index(root: Path, damaged: str, workers: int = 1, kind: str = "grabcut") -> SplitIndex:
    config = FolderConfig(kind=kind, root=str(root), damaged=damaged)
    return index_split(config, root, "train" if kind == "camvid" else "val", workers=workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_damaged_image_is_named(root: Path, workers: int) -> None:
    with pytest.raises(CorruptImageError, match=r"images/empty\.png: the file is empty"):
        _index(root, "refuse", workers)
    (root / "images/empty.png").unlink()
    (root / "masks/empty.png").unlink()
    with pytest.raises(CorruptImageError, match=r"images/text\.png: cannot be decoded"):
        _index(root, "refuse", workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_rest_is_kept(root: Path, workers: int) -> None:
    frame, skipped, _ = _index(root, "skip", workers)
    assert frame["image_id"].tolist() == sorted(SIZES)
    found = zip(frame["height"], frame["width"], strict=True)
    assert dict(zip(frame["image_id"], found, strict=True)) == SIZES
    assert [entry.image_id for entry in skipped] == sorted(DAMAGED)


def test_what_is_kept_can_be_read(root: Path, tmp_path: Path) -> None:
    write_index(_index(root, "skip").frame, tmp_path / "val.parquet")
    frame = read_index(tmp_path / "val.parquet")
    dataset = open_dataset(FolderConfig(kind="grabcut", root=str(root)), root, frame)
    for position, image_id in enumerate(dataset.ids):
        sample = dataset[position]
        assert sample.image.shape == (*SIZES[image_id], 3)
        assert sample.instances.ids.all()
    exact = {image_id: dataset.image(dataset.ids.index(image_id)) for image_id in ("plain", "alpha")}
    assert all(np.array_equal(image, _picture()) for image in exact.values())
    assert np.array_equal(dataset.image(dataset.ids.index("deep colour")), _picture()[..., ::-1])


def test_the_summary_counts_and_lists(root: Path) -> None:
    summary = _index(root, "skip").summary()
    assert summary["images"] == summary["with_semantic_labels"] == summary["with_instance_labels"] == 9
    assert summary["smallest_sides"] == [1, 1]
    assert summary["largest_sides"] == [24, 24]
    assert summary["converted"] == {
        "16 bit": 2, "CMYK": 1, "EXIF orientation": 1, "alpha": 1, "grey": 2, "palette": 1,
    }  # fmt: skip
    reasons = {entry["image_id"]: entry["reason"] for entry in summary["skipped"]}
    assert reasons["empty"].startswith("images/empty.png: the file is empty")
    assert reasons["text"].startswith("images/text.png: cannot be decoded")
    assert reasons["truncated"].startswith("images/truncated.png: cannot be decoded")
    assert str(root) not in json.dumps(summary, ensure_ascii=False)


def test_nothing_is_left(root: Path) -> None:
    for stem in SIZES:
        next((root / "images").glob(f"{stem}.*")).write_bytes(b"")
    with pytest.raises(CorruptImageError, match=r"every image is damaged; the first: images/"):
        _index(root, "skip")


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("break_label", "error", "message"),
    [
        (_truncate, CorruptImageError, "masks/grey.png: cannot be decoded"),
        (
            lambda path: mask(path, np.full((3, 5), 255, np.uint8)),
            CorruptImageError,
            "masks/grey.png: the labels are 3 x 5 pixels",
        ),
        (
            lambda path: mask(path, np.zeros((HEIGHT, WIDTH), np.uint8)),
            LabelError,
            "masks/grey.png: the mask has no object",
        ),
    ],
)
def test_a_damaged_label_counts_as_damaged(
    root: Path, break_label: Callable[[Path], None], error: type[VfmFusionError], message: str
) -> None:
    break_label(root / "masks/grey.png")
    frame, skipped, _ = _index(root, "skip")
    assert "grey" not in frame["image_id"].tolist()
    assert next(entry.reason for entry in skipped if entry.image_id == "grey").startswith(message)
    for stem in DAMAGED:
        (root / f"images/{stem}.png").unlink()
        (root / f"masks/{stem}.png").unlink()
    with pytest.raises(error, match=message):
        _index(root, "refuse")


def test_an_unknown_class_counts_as_damaged(camvid_root: Path) -> None:
    save(camvid_root / "trainannot/frame 1.png", np.full((6, 8), 31, np.uint8))
    with pytest.raises(LabelError, match=r"trainannot/frame 1\.png: id 31"):
        _index(camvid_root, "refuse", kind="camvid")
    frame, skipped, _ = _index(camvid_root, "skip", kind="camvid")
    assert frame["image_id"].tolist() == ["frame 0", "frame 2"]
    assert skipped[0].reason.startswith("trainannot/frame 1.png: id 31")


def _lose_mask(root: Path) -> None:
    (root / "masks/grey.png").unlink()


def _double_photo(root: Path) -> None:
    Image.fromarray(_picture()).save(root / "images/grey.bmp")


@pytest.mark.parametrize("damaged", ["refuse", "skip"])
@pytest.mark.parametrize(
    ("break_layout", "message"),
    [(_lose_mask, r"masks/grey\.\*: is missing"), (_double_photo, r"grey\.png: grey\.bmp beside it")],
)
def test_a_broken_layout_is_never_skipped(
    root: Path, damaged: str, break_layout: Callable[[Path], None], message: str
) -> None:
    break_layout(root)
    with pytest.raises(DatasetLayoutError, match=message):
        _index(root, damaged)


@pytest.mark.parametrize("damaged", ["refuse", "skip"])
def test_an_id_that_occurs_twice_is_never_skipped(cityscapes_root: Path, damaged: str) -> None:
    for part in ("leftImg8bit", "gtFine"):
        copy = cityscapes_root / part / "train/bonn"
        copy.mkdir()
        for path in (cityscapes_root / part / "train/aachen").iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
    config = FolderConfig(kind="cityscapes", root=str(cityscapes_root), damaged=damaged)
    with pytest.raises(DatasetLayoutError, match=r"'aachen_000000_000019'.*occurs twice"):
        index_split(config, cityscapes_root, "train")


def test_a_file_that_vanishes_is_never_skipped(root: Path) -> None:
    frame = _index(root, "skip").frame
    (root / "images/grey.png").unlink()
    dataset = open_dataset(FolderConfig(kind="grabcut", root=str(root)), root, frame)
    with pytest.raises(VfmFusionError, match=r"images/grey\.png: no such file"):
        dataset[frame["image_id"].tolist().index("grey")]
