"""What COCO's JSON lists against what lies in the folders: what disagrees with what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_coco import (
    instances_json,
    listed,
    panoptic_json,
    photo,
    write_instances,
    write_json,
    write_panoptic,
)

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import DatasetLayoutError, LabelError

KINDS = ("coco_instance", "coco_panoptic")
JSON = {
    kind: f"annotations/{kind.removeprefix('coco_')}{'s' * (kind == KINDS[0])}_val2017.json" for kind in KINDS
}


def write(root: Path, kind: str, name: str = "000000000007.jpg") -> Path:
    """Two images, the first under a name of its own in the JSON; returns the folder of images."""
    instances = kind == "coco_instance"
    content = instances_json() if instances else panoptic_json()
    content["images"][0] = listed(7, file_name=name)
    write_json((write_instances if instances else write_panoptic)(root, "val"), content)
    return root / "val2017"


def opened(root: Path, kind: str) -> Dataset:
    config = FolderConfig(kind=kind, root=str(root))
    return open_dataset(config, root, index_split(config, root, "val").frame)


def message_of(root: Path, kind: str) -> str:
    with pytest.raises(DatasetLayoutError) as error:
        opened(root, kind)
    return str(error.value).replace(f"{root}/", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["000000000008.jpg", "000000000008.JPG"])
def test_an_image_that_is_not_listed(tmp_path: Path, kind: str, name: str) -> None:
    photo(write(tmp_path, kind) / name)
    expected = f"val2017/{name}: {JSON[kind]} does not list this image; one of 1 such in the folder"
    assert message_of(tmp_path, kind).startswith(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_listed_image_that_is_not_there(tmp_path: Path, kind: str) -> None:
    (write(tmp_path, kind) / "000000000009.jpg").unlink()
    expected = f"{JSON[kind]}: lists the image '000000000009.jpg', which val2017 does not hold; one of 1 such"
    assert message_of(tmp_path, kind).startswith(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "000000000007.JPG",
        "000000000007.png",
        "val2017/000000000007.jpg",
        "val2017\\000000000007.jpg",
        "./000000000007.jpg",
        "../val2017/000000000007.jpg",
        "/data/val2017/000000000007.jpg",
        "http://images.cocodataset.org/val2017/000000000007.jpg",
    ],
)
def test_the_image_that_was_meant_is_named(tmp_path: Path, kind: str, name: str) -> None:
    write(tmp_path, kind, name)
    expected = (
        f"{JSON[kind]}: lists the image {name!r}, which val2017 does not hold, but '000000000007.jpg'; one"
    )
    assert message_of(tmp_path, kind).startswith(expected)


def test_a_name_outside_the_folder_is_refused_though_it_is_there(tmp_path: Path) -> None:
    photo(tmp_path / "other/000000000007.jpg")
    for name in ("../other/000000000007.jpg", f"{tmp_path}/other/000000000007.jpg"):
        write(tmp_path, "coco_instance", name)
        assert "which val2017 does not hold" in message_of(tmp_path, "coco_instance")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["000000000007.JPG", "000000000007.png", "day 1/b/000000000007.jpg"])
def test_a_name_that_is_there_letter_by_letter_is_read(tmp_path: Path, kind: str, name: str) -> None:
    folder = write(tmp_path, kind, name)
    (folder / "000000000007.jpg").unlink()
    photo(folder / name)
    photo(folder / "._000000000007.jpg")
    dataset = opened(tmp_path, kind)
    assert dataset.ids == ("000000000007", "000000000009")
    assert len(dataset[0].instances) > 0
    assert dataset.path("image", 0) == folder / name


def test_two_images_of_one_id_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "coco_instance", "a/000000000009.jpg")
    photo(folder / "a/000000000009.jpg")
    (folder / "000000000007.jpg").unlink()
    assert "image id '000000000009' of split 'val' occurs twice" in message_of(tmp_path, "coco_instance")


def _of_another_png(content: dict) -> None:
    content["annotations"][1]["file_name"] = "000000000009.png"


def _of_a_number(content: dict) -> None:
    content["annotations"][1]["file_name"] = 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_of_another_png, "image id 7 is of the PNG 000000000009.png, but its image has 000000000007.png"),
        (_of_a_number, "image id 7: its file_name is 9, expected text"),
    ],
)
def test_an_annotation_of_another_png(tmp_path: Path, change: Callable[[dict], None], message: str) -> None:
    content = panoptic_json()
    change(content)
    write_json(write_panoptic(tmp_path, "val"), content)
    with pytest.raises(LabelError, match=rf"panoptic_val2017\.json: the annotation of {message}"):
        opened(tmp_path, "coco_panoptic")


def test_an_image_without_its_one_annotation_can_be_left_out(tmp_path: Path) -> None:
    content = panoptic_json()
    del content["annotations"][1]
    write_json(write_panoptic(tmp_path, "val"), content)
    config = FolderConfig(kind="coco_panoptic", root=str(tmp_path), damaged="skip")
    frame, (skipped,), _ = index_split(config, tmp_path, "val")
    assert frame["image_id"].tolist() == ["000000000009"]
    assert "panoptic_val2017.json has 0 annotations of it" in skipped.reason


def test_a_png_of_another_case(tmp_path: Path) -> None:
    write(tmp_path, "coco_panoptic")
    png = tmp_path / "annotations/panoptic_val2017/000000000007.png"
    png.rename(png.with_suffix(".PNG"))
    assert "000000000007.PNG: the layout names such files *.png" in message_of(tmp_path, "coco_panoptic")


def test_files_beside_the_pngs_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "coco_panoptic")
    (tmp_path / "annotations/panoptic_val2017/._000000000007.png").write_bytes(b"\0")
    assert len(opened(tmp_path, "coco_panoptic")) == 2
