"""Kind folder: photos at any depth, masks of ids or colours, splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_layouts import save

from vfm_fusion.config.own_folder_data import OwnFolderConfig
from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.datasets.index import SplitIndex
from vfm_fusion.datasets.own_splits import NOT_LISTED
from vfm_fusion.datasets.registry import categories, dataset_config, index_split, open_dataset
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

SIZE = (6, 8)
RED, BLUE, WHITE = [255, 0, 0], [0, 0, 255], [255, 255, 255]
IDS = {"masks": "masks/{}.png", "images": "photos", "classes": ["ground", "car"], "ignore": [255]}
COLORS = {
    **IDS,
    "classes": [{"name": "ground", "color": RED}, {"name": "car", "color": BLUE}],
    "ignore": [WHITE],
}


def config(root: Path, **settings: Any) -> OwnFolderConfig:
    return dataset_config({"kind": "folder", "root": str(root), **settings})


def index(root: Path, name: str = "val", /, **settings: Any) -> SplitIndex:
    return index_split(config(root, **settings), root, name)


def opened(root: Path, **settings: Any) -> Dataset:
    return open_dataset(config(root, **settings), root, index(root, **settings).frame)


def photo(path: Path, size: tuple[int, int] = SIZE) -> None:
    save(path, np.full((*size, 3), 90, np.uint8))


def ids() -> np.ndarray:
    raster = np.zeros(SIZE, np.uint8)
    raster[2:4], raster[5] = 1, 255
    return raster


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """Three photos in two folders, each with a mask of ids."""
    for key in ("a", "deep/er/b", "deep/c"):
        photo(tmp_path / f"photos/{key}.jpg")
        save(tmp_path / f"masks/{key}.png", ids())
    return tmp_path


def test_photos_alone_at_any_depth(tmp_path: Path) -> None:
    for name in ("one.JPG", "2023/may/one.jpg", "2023/may/one.png", "2023/two.webp"):
        photo(tmp_path / name, (6, 9) if "may" in name else SIZE)
    photo(tmp_path / ".thumbnails/one.jpg")
    for name in ("notes.txt", "2023/film.mp4", "2023/raw.HEIC", "2023/other.heic"):
        (tmp_path / name).write_text("x")
    found = index(tmp_path)
    assert found.frame["image_id"].tolist() == [
        "2023/may/one.jpg",
        "2023/may/one.png",
        "2023/two.webp",
        "one.JPG",
    ]
    assert found.frame["semantic"].isna().all()
    assert found.summary()["left_out"] == {
        "files that are read as no image (.heic)": 2,
        "files that are read as no image (.mp4)": 1,
        "files that are read as no image (.txt)": 1,
    }
    sample = open_dataset(config(tmp_path), tmp_path, found.frame)[0]
    assert (sample.image.shape, sample.semantic, sample.instances) == ((6, 9, 3), None, None)
    assert categories(config(tmp_path)) == ()


def test_a_turned_photo_without_labels_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 6)).save(tmp_path / "turned.jpg", exif=exif)
    assert index(tmp_path).frame[["height", "width", "converted"]].values.tolist() == [
        [8, 6, "EXIF orientation"]
    ]


@pytest.mark.parametrize("palette", [False, True])
def test_masks_of_ids(masked: Path, palette: bool) -> None:
    if palette:
        image = Image.fromarray(ids())
        image.putpalette([9, 9, 9] * 256)
        image.save(masked / "masks/a.png")
    dataset = opened(masked, **IDS)
    assert dataset.ids == ("a.jpg", "deep/c.jpg", "deep/er/b.jpg")
    assert [(c.name, c.isthing) for c in dataset.categories] == [("ground", False), ("car", False)]
    for sample in dataset:
        np.testing.assert_array_equal(sample.semantic, np.where(ids() == 255, VOID, ids()))
        assert sample.instances is None


def test_ids_with_gaps_and_255_as_a_class(masked: Path) -> None:
    entries = [{"name": "front", "id": 255}, {"name": "ground", "id": 0}]
    found = opened(masked, **{**IDS, "classes": entries, "ignore": [1]})[0].semantic
    np.testing.assert_array_equal(found, np.select([ids() == 255, ids() == 0], [0, 1], VOID))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_masks_of_colors(masked: Path, mode: str) -> None:
    painted = np.array([RED, BLUE, WHITE], np.uint8)[np.minimum(ids(), 2)]
    for path in (masked / "masks").rglob("*.png"):
        image = Image.fromarray(painted)
        image.quantize(4).save(path) if mode == "P" else image.convert(mode).save(path)
    dataset = opened(masked, **COLORS)
    np.testing.assert_array_equal(dataset[0].semantic, np.where(ids() == 255, VOID, ids()))
    assert [category.color for category in dataset.categories] == [tuple(RED), tuple(BLUE)]


def test_masks_beside_their_photos_are_no_photos(tmp_path: Path) -> None:
    for key in ("a", "deep/b"):
        photo(tmp_path / f"{key}.png")
        save(tmp_path / f"{key}_mask.png", ids())
    frame = index(tmp_path, **{**IDS, "images": ".", "masks": "{}_mask.png"}).frame
    assert frame[["image", "semantic"]].values.tolist() == [
        ["a.png", "a_mask.png"],
        ["deep/b.png", "deep/b_mask.png"],
    ]


def test_what_is_wrong_with_masks_is_named(masked: Path) -> None:
    with pytest.raises(LabelError, match=r"masks/a.png: id 1 is not one of the classes \(0 ground\). Add it"):
        index(masked, **{**IDS, "classes": ["ground"]})
    with pytest.raises(CorruptImageError, match=r"masks/a.png: expected colours of 8 bits, found 1 channels"):
        index(masked, **COLORS)
    painted = np.array([RED, BLUE, WHITE], np.uint8)[np.minimum(ids(), 2)]
    painted[0, :3] = [1, 2, 3]
    save(masked / "masks/a.png", painted)
    with pytest.raises(LabelError, match=r"3 pixels have other colours .* the first \[1, 2, 3\]. Add it"):
        index(masked, **COLORS)
    found = index(masked, damaged="skip", **IDS)
    assert [entry.image_id for entry in found.skipped] == ["a.jpg"]
    other = (masked / "masks/deep/c.png").rename(masked / "masks/deep/c.PNG")
    with pytest.raises(
        DatasetLayoutError,
        match=rf"masks/deep/c.png: is missing, one of 1 such .*\(there is {other}, in another",
    ):
        index(masked, **IDS)
    other.unlink()
    with pytest.raises(
        DatasetLayoutError, match=r"masks/deep/c.png: is missing, one of 1 such in this split\."
    ):
        index(masked, **IDS)
    save(masked / "masks/deep/c.png", ids())
    save(masked / "masks/odd.png", ids())
    with pytest.raises(DatasetLayoutError, match=r"masks/odd.png: has no image"):
        index(masked, **IDS)
    photo(masked / "photos/a.png")
    with pytest.raises(DatasetLayoutError, match=r"a.jpg and a.png would have one mask, masks/a.png"):
        index(masked, **IDS)


def test_a_folder_without_photos_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("x")
    with pytest.raises(DatasetLayoutError, match=r"holds no image, at any depth .*; it has 1 .*\(.mp4\)"):
        index(tmp_path)
    with pytest.raises(DatasetLayoutError, match=r"photos: no such folder; set `images`"):
        index(tmp_path, images="photos")


def test_a_split_by_lot_is_the_same_whatever_is_added(tmp_path: Path) -> None:
    for number in range(20):
        photo(tmp_path / f"{number:02}.png")
    lot = {"kind": "fraction", "val": 0.25, "seed": 3}
    train, val = (set(index(tmp_path, split, split=lot).frame["image_id"]) for split in ("train", "val"))
    assert (len(train), len(val), train & val) == (15, 5, set())
    assert val == {"06.png", "08.png", "11.png", "12.png", "15.png"}
    assert val != set(index(tmp_path, split={**lot, "seed": 4}).frame["image_id"])
    for number in range(20, 24):
        photo(tmp_path / f"{number:02}.png")
    assert len(val - set(index(tmp_path, split=lot).frame["image_id"])) <= 2


def test_a_split_by_lists(masked: Path) -> None:
    lists = {"kind": "list", "train": "train.txt", "val": "val.txt"}
    photo(masked / "photos/unlabelled.jpg")
    (masked / "train.txt").write_text("\ufeffa.jpg\n\ndeep/c\n")
    (masked / "val.txt").write_text("deep/er/b\n")
    assert index(masked, "train", split=lists, **IDS).frame["image_id"].tolist() == ["a.jpg", "deep/c.jpg"]
    found = index(masked, split=lists, **IDS)
    assert found.frame["image_id"].tolist() == ["deep/er/b.jpg"]
    assert found.left_out == {NOT_LISTED: 1}
    for text, message in (
        ("deep/er/B\n", r"val.txt, line 1: 'deep/er/B' is no image .*; did you mean 'deep/er/b'"),
        ("a\n", r"val.txt: 'a.jpg' is in train.txt too, one of 1 such"),
        ("deep/er/b\ndeep/er/b.jpg\n", r"val.txt, line 2: 'deep/er/b.jpg' is in line 1 already"),
        ("", r"split 'val' holds no image"),
    ):
        (masked / "val.txt").write_text(text)
        with pytest.raises(DatasetLayoutError, match=message):
            index(masked, split=lists, **IDS)
    (masked / "val.txt").unlink()
    with pytest.raises(DatasetLayoutError, match=r"val.txt: cannot be read as a list of images"):
        index(masked, split=lists, **IDS)


def test_a_split_by_folders(tmp_path: Path) -> None:
    for split, key in (("training", "a"), ("training", "b"), ("valid", "a")):
        photo(tmp_path / f"{split}/images/{key}.jpg")
        save(tmp_path / f"{split}/masks/{key}.png", ids())
    paths = {**IDS, "images": "{split}/images", "masks": "{split}/masks/{}.png"}
    names = {"kind": "folder", "train": "training", "val": "valid"}
    assert index(tmp_path, "train", split=names, **paths).frame["image"].tolist() == [
        "training/images/a.jpg",
        "training/images/b.jpg",
    ]
    assert opened(tmp_path, split=names, **paths)[0].semantic[2, 0] == 1
    with pytest.raises(DatasetLayoutError, match=r"val/images: no such folder"):
        index(tmp_path, **paths)


def test_without_a_split_every_image_is_for_validation(masked: Path) -> None:
    assert len(index(masked, **IDS).frame) == 3
    with pytest.raises(DatasetLayoutError, match=r"no image is for training, since .* no `split`"):
        index(masked, "train", **IDS)
