"""A field of COCO's JSON that is of another type is named, with its entry and its file, at indexing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_coco import instances_json, panoptic_json, write_instances, write_json, write_panoptic

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import Sample
from vfm_fusion.datasets.index import SplitIndex
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import LabelError

PLACES = {  # where each field of image 7 stands
    "image": ("images", 0),
    "category": ("categories", 0),
    "annotation": ("annotations", 0),
    "segment": ("annotations", 1, "segments_info", 1),
}


def change(content: dict[str, Any], place: str, field: str, value: Any) -> None:
    part: Any = content
    for step in PLACES[place]:
        part = part[step]
    part[field] = value
    if value is ...:
        del part[field]


def write(root: Path, kind: str, place: str, field: str, value: Any) -> None:
    instances = kind == "coco_instance"
    content = instances_json() if instances else panoptic_json()
    path = (write_instances if instances else write_panoptic)(root, "val")
    change(content, place, field, value)
    write_json(path, content)


def index(root: Path, kind: str, damaged: str = "refuse") -> SplitIndex:
    return index_split(FolderConfig(kind=kind, root=str(root), damaged=damaged), root, "val")


def first(root: Path, kind: str) -> Sample:
    return open_dataset(FolderConfig(kind=kind, root=str(root)), root, index(root, kind).frame)[0]


AREA = "instances_val2017.json: annotation 30 of image id 7: its area is "
CROWD = AREA.replace("area", "iscrowd")
SEGMENT = "000000000007.png: in panoptic_val2017.json, segments_info[1]: its "
IMAGE = "_val2017.json: image 000000000007.jpg: its "
INSTANCE, PANOPTIC = "coco_instance", "coco_panoptic"


@pytest.mark.parametrize(
    ("kind", "place", "field", "value", "message"),
    [
        (INSTANCE, "annotation", "area", [2500.0], f"{AREA}[2500.0], expected a number of at least 0"),
        (INSTANCE, "annotation", "area", "2500", f"{AREA}'2500'"),
        (INSTANCE, "annotation", "area", None, f"{AREA}None"),
        (INSTANCE, "annotation", "area", True, f"{AREA}True"),
        (INSTANCE, "annotation", "area", float("nan"), f"{AREA}nan"),
        (INSTANCE, "annotation", "area", -1, f"{AREA}-1"),
        (INSTANCE, "annotation", "area", 10**400, f"{AREA}10000"),
        (INSTANCE, "annotation", "iscrowd", "0", f"{CROWD}'0', expected 0 or 1"),
        (INSTANCE, "annotation", "iscrowd", [0], f"{CROWD}[0]"),
        (INSTANCE, "annotation", "iscrowd", 2, f"{CROWD}2"),
        (INSTANCE, "annotation", "iscrowd", None, f"{CROWD}None"),
        (INSTANCE, "annotation", "id", "a1", "annotation a1 of image id 7: its id is 'a1', expected a whole"),
        (INSTANCE, "annotation", "id", 30.5, "annotation 30.5 of image id 7: its id is 30.5"),
        (INSTANCE, "annotation", "id", [30], "annotation [30] of image id 7: its id is [30]"),
        (INSTANCE, "image", "height", "6", f"{IMAGE}height is '6', expected a whole number of at least 1"),
        (INSTANCE, "image", "width", 0, f"{IMAGE}width is 0"),
        (INSTANCE, "image", "width", [8], f"{IMAGE}width is [8]"),
        (INSTANCE, "image", "width", ..., f"{IMAGE}width is None"),
        (
            PANOPTIC,
            "segment",
            "id",
            "70000",
            f"{SEGMENT}id is '70000', expected a whole number of at",
        ),
        (PANOPTIC, "segment", "id", 70000.5, f"{SEGMENT}id is 70000.5"),
        (PANOPTIC, "segment", "category_id", "1", f"{SEGMENT}category_id is '1', expected a whole number"),
        (PANOPTIC, "segment", "category_id", True, f"{SEGMENT}category_id is True"),
        (PANOPTIC, "segment", "category_id", [1], f"{SEGMENT}category_id is [1]"),
        (PANOPTIC, "segment", "iscrowd", "0", f"{SEGMENT}iscrowd is '0', expected 0 or 1"),
    ],
)
def test_what_concerns_one_image_is_named_or_left_out(
    tmp_path: Path, kind: str, place: str, field: str, value: Any, message: str
) -> None:
    write(tmp_path, kind, place, field, value)
    with pytest.raises(LabelError) as error:
        index(tmp_path, kind)
    assert message in str(error.value)
    frame, (skipped,), _ = index(tmp_path, kind, "skip")
    assert frame["image_id"].tolist() == ["000000000009"]
    assert message in skipped.reason


FILE = "/annotations/instances_val2017.json: "


@pytest.mark.parametrize("damaged", ["refuse", "skip"])
@pytest.mark.parametrize(
    ("place", "field", "value", "message"),
    [
        ("image", "id", "7", "image 000000000007.jpg: its id is '7', expected a whole number"),
        ("image", "id", 7.5, "image 000000000007.jpg: its id is 7.5"),
        ("image", "id", True, "image 000000000007.jpg: its id is True"),
        ("image", "id", 2**63, "image 000000000007.jpg: its id is 9223372036854775808"),
        ("image", "id", ..., "image 000000000007.jpg: it has no id, expected a whole number"),
        ("image", "file_name", 7, "images[0]: its file_name is 7, expected text"),
        ("image", "file_name", "", "images[0]: its file_name is ''"),
        ("image", "file_name", ..., "images[0]: it has no file_name"),
        ("annotation", "image_id", "7", "annotation 30: its image_id is '7', expected a whole number"),
        ("annotation", "image_id", 7.5, "annotation 30: its image_id is 7.5"),
        ("annotation", "image_id", [7], "annotation 30: its image_id is [7]"),
        ("annotation", "image_id", ..., "annotation 30: it has no image_id"),
        ("category", "id", "1", "categories[0]: its id is '1', expected a whole number"),
        ("category", "name", 1, "categories[0]: its name is 1, expected text"),
        ("category", "name", ..., "categories[0]: it has no name"),
    ],
)
def test_what_concerns_the_whole_file_is_always_named(
    tmp_path: Path, damaged: str, place: str, field: str, value: Any, message: str
) -> None:
    write(tmp_path, "coco_instance", place, field, value)
    with pytest.raises(LabelError) as error:
        index(tmp_path, "coco_instance", damaged)
    assert f"{FILE}{message}" in str(error.value)


@pytest.mark.parametrize("section", ["images", "annotations", "categories"])
def test_an_element_that_is_no_object_is_named(tmp_path: Path, section: str) -> None:
    content = instances_json()
    content[section][1] = 4
    write_instances(tmp_path, "val", content)
    with pytest.raises(LabelError) as error:
        index(tmp_path, "coco_instance")
    assert f"{FILE}{section}[1]: is 4, expected an object" in str(error.value)


def test_a_segment_that_is_no_object_is_named(tmp_path: Path) -> None:
    content = panoptic_json()
    content["annotations"][1]["segments_info"][2] = 4
    write_json(write_panoptic(tmp_path, "val"), content)
    with pytest.raises(LabelError, match=r"in panoptic_val2017\.json, segments_info\[2\]: is 4"):
        index(tmp_path, "coco_panoptic")


def as_floats(value: Any) -> Any:
    """Every whole number of a JSON as tables export it that have gaps."""
    if isinstance(value, dict):
        return {key: as_floats(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_floats(entry) for entry in value]
    return float(value) if isinstance(value, int) else value


@pytest.mark.parametrize("kind", ["coco_instance", "coco_panoptic"])
def test_whole_numbers_may_be_written_as_floats(tmp_path: Path, kind: str) -> None:
    instances = kind == "coco_instance"
    path = (write_instances if instances else write_panoptic)(tmp_path, "val")
    expected = first(tmp_path, kind)
    write_json(path, as_floats(instances_json() if instances else panoptic_json()))
    found = first(tmp_path, kind)
    np.testing.assert_array_equal(found.semantic, expected.semantic)
    for name, values in vars(expected.instances).items():
        np.testing.assert_array_equal(getattr(found.instances, name), values)


def test_a_crowd_may_be_written_as_true(tmp_path: Path) -> None:
    content = instances_json()
    for row in content["annotations"]:
        row["iscrowd"] = bool(row["iscrowd"])
    write_instances(tmp_path, "val", content)
    assert first(tmp_path, "coco_instance").instances.crowd.tolist() == [False, True, False, False]
