"""HQSeg-44K: its parts, what its masks mean, and photos without a usable mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_interactive import mask, photo, read
from tiny_layouts import litter

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.registry import index_split
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

SMOOTH = np.array([[0, 100, 128, 129], [0, 0, 255, 255], [0, 0, 0, 0]], np.uint8)
VAL = {
    "DIS-VD": ("DIS5K/DIS-VD/im", "DIS5K/DIS-VD/gt"),
    "COIFT": ("thin_object_detection/COIFT/images", "thin_object_detection/COIFT/masks"),
    "HRSOD": ("thin_object_detection/HRSOD/images", "thin_object_detection/HRSOD/masks_max255"),
    "ThinObject5K-TE": (
        "thin_object_detection/ThinObject5K/images_test",
        "thin_object_detection/ThinObject5K/masks_test",
    ),
}
TRAIN = {
    "DIS-TR": ("DIS5K/DIS-TR/im", "DIS5K/DIS-TR/gt"),
    "ThinObject5K-TR": (
        "thin_object_detection/ThinObject5K/images_train",
        "thin_object_detection/ThinObject5K/masks_train",
    ),
    "FSS": ("cascade_psp/fss_all", "cascade_psp/fss_all"),
    "DUTS-TR": ("cascade_psp/DUTS-TR", "cascade_psp/DUTS-TR"),
    "DUTS-TE": ("cascade_psp/DUTS-TE", "cascade_psp/DUTS-TE"),
    "ECSSD": ("cascade_psp/ecssd", "cascade_psp/ecssd"),
    "MSRA": ("cascade_psp/MSRA_10K", "cascade_psp/MSRA_10K"),
}


def _write(root: Path, parts: dict[str, tuple[str, str]] = VAL, stem: str = "a") -> None:
    for photos, masks in parts.values():
        photo(root / photos / f"{stem}.jpg")
        mask(root / masks / f"{stem}.png", SMOOTH)


@pytest.mark.parametrize(
    ("split", "parts", "base"), [("val", VAL, ""), ("val", VAL, "data/"), ("train", TRAIN, "data/")]
)
def test_the_parts_of_a_split(
    tmp_path: Path, split: str, parts: dict[str, tuple[str, str]], base: str
) -> None:
    _write(tmp_path / base, parts)
    litter(tmp_path)
    config = FolderConfig(kind="hqseg44k", root=str(tmp_path))
    index = index_split(config, tmp_path, split)
    rows = index.frame.set_index("image_id")[["image", "semantic", "instance"]]
    assert rows.to_dict("index") == {
        f"{part}_a": {
            "image": f"{base}{photos}/a.jpg",
            "semantic": f"{base}{masks}/a.png",
            "instance": f"{base}{masks}/a.png",
        }
        for part, (photos, masks) in parts.items()
    }
    whole = {"val": 1537, "train": 44320}[split]
    assert index.left_out == {f"of the benchmark's {whole} photos, not there": whole - len(parts)}


def test_the_lighter_half_of_greys_is_the_object(tmp_path: Path) -> None:
    _write(tmp_path)
    for sample in read("hqseg44k", tmp_path):
        assert sample.semantic.tolist() == [[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]]
        assert sample.instances.ids.tolist() == sample.semantic.tolist()


def test_unlabelled_and_mislabelled_photos_are_refused_or_listed(tmp_path: Path) -> None:
    _write(tmp_path)
    photo(tmp_path / VAL["COIFT"][0] / "b.jpg")
    with pytest.raises(LabelError, match=r"COIFT/masks/b\.png: no such mask, so its photo is unlabelled"):
        read("hqseg44k", tmp_path)
    mask(tmp_path / VAL["HRSOD"][1] / "a.png", np.zeros_like(SMOOTH))
    mask(tmp_path / VAL["DIS-VD"][1] / "a.png", SMOOTH[:2])
    config = FolderConfig(kind="hqseg44k", root=str(tmp_path), damaged="skip")
    found = index_split(config, tmp_path, "val")
    assert found.frame["image_id"].tolist() == ["COIFT_a", "ThinObject5K-TE_a"]
    reasons = {entry.image_id: entry.reason for entry in found.skipped}
    assert set(reasons) == {"COIFT_b", "DIS-VD_a", "HRSOD_a"}
    assert "no such mask" in reasons["COIFT_b"]
    assert "has no object" in reasons["HRSOD_a"]
    assert "2 x 4" in reasons["DIS-VD_a"]


def test_all_photos_may_be_unlabelled(tmp_path: Path) -> None:
    _write(tmp_path)
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    config = FolderConfig(kind="hqseg44k", root=str(tmp_path), damaged="skip")
    with pytest.raises(CorruptImageError, match=r"every image is damaged; the first: .*no such mask"):
        index_split(config, tmp_path, "val")


def test_a_missing_part_and_names_of_another_case(tmp_path: Path) -> None:
    _write(tmp_path, {part: folders for part, folders in VAL.items() if part != "HRSOD"})
    with pytest.raises(DatasetLayoutError, match=r"HRSOD/images: no such folder"):
        read("hqseg44k", tmp_path)
    _write(tmp_path)
    (tmp_path / VAL["COIFT"][0] / "a.jpg").rename(tmp_path / VAL["COIFT"][0] / "a.JPG")
    with pytest.raises(DatasetLayoutError, match=r"COIFT/images/a\.JPG: the layout names such files \*\.jpg"):
        read("hqseg44k", tmp_path)
