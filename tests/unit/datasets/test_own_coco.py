"""Kind coco: any JSON in COCO's format with categories of its own, of instances or panoptic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as reference
from tiny_coco import HEIGHT, WIDTH, annotation, box, photo, segment_png, write_json

from vfm_fusion.config.own_data import OwnCocoConfig
from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.datasets.index import SplitIndex
from vfm_fusion.datasets.own_splits import NOT_LISTED
from vfm_fusion.datasets.registry import categories, dataset_config, index_split, open_dataset
from vfm_fusion.errors import DatasetLayoutError, LabelError

CAT, BUS, TREE = 40, 7, 300  # gaps, and not in the order of the file
CATEGORIES = [
    {"id": CAT, "name": "cat", "supercategory": "animal"},
    {"id": BUS, "name": "bus", "color": [1, 2, 3]},
    {"id": TREE, "name": "tree", "isthing": 0},
]


def config(root: Path, **settings: Any) -> OwnCocoConfig:
    return dataset_config({"kind": "coco", "root": str(root), "annotations": "all.json", **settings})


def index(root: Path, name: str = "val", /, **settings: Any) -> SplitIndex:
    return index_split(config(root, **settings), root, name)


def opened(root: Path, **settings: Any) -> Dataset:
    return open_dataset(config(root, **settings), root, index(root, **settings).frame)


def names(dataset: Dataset) -> list[str]:
    return [category.name for category in dataset.categories]


def listed(*files: str) -> list[dict[str, Any]]:
    return [{"file_name": f, "id": k, "height": HEIGHT, "width": WIDTH} for k, f in enumerate(files)]


def compressed() -> dict[str, Any]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[4:, :3] = 1
    code = reference.encode(mask)
    return {"size": code["size"], "counts": code["counts"].decode()}


def instances() -> dict[str, Any]:
    """A cat in front of a bus, a tree in run lengths, and a crowd of cats; an image without objects."""
    crowd = {"size": [HEIGHT, WIDTH], "counts": [0, 6, 42]}  # the first column
    return {
        "images": listed("a/1.png", "b/1.png"),
        "annotations": [
            annotation(1, 0, BUS, [box(1, 0, 7, 4)]),
            annotation(2, 0, CAT, [box(2, 1, 4, 3)]),
            annotation(3, 0, TREE, compressed()),
            annotation(4, 0, CAT, crowd, crowd=1),
        ],
        "categories": CATEGORIES,
    }


def panoptic() -> dict[str, Any]:
    """A bus, a tree and a crowd of cats."""
    segments = [
        {"id": 9, "category_id": BUS, "iscrowd": 0},
        {"id": 256, "category_id": TREE},
        {"id": 70_000, "category_id": CAT, "iscrowd": 1},
    ]
    return {
        "images": listed("a/1.png"),
        "annotations": [{"image_id": 0, "file_name": "one_segments.png", "segments_info": segments}],
        "categories": CATEGORIES,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/1.png", "b/1.png"):
        photo(tmp_path / name)
    write_json(tmp_path / "all.json", instances())
    return tmp_path


@pytest.fixture
def segmented(root: Path) -> Path:
    ids = np.zeros((HEIGHT, WIDTH), int)
    ids[1], ids[2], ids[3] = 9, 256, 70_000
    segment_png(root / "all/one_segments.png", ids)
    write_json(root / "all.json", panoptic())
    return root


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_instances_of_own_classes(root: Path) -> None:
    dataset = opened(root)
    assert dataset.ids == ("a/1.png", "b/1.png")
    assert [(c.name, c.isthing) for c in dataset.categories] == [("bus", True), ("cat", True), ("tree", True)]
    assert dataset.categories[0].color == (1, 2, 3)
    assert categories(config(root), root) == dataset.categories
    sample, empty = dataset
    found = sample.instances
    assert (found.categories.tolist(), found.crowd.tolist()) == ([0, 1, 2, 1], [False, False, False, True])
    assert found.mask(0)[:4, 1:7].all()
    assert found.mask(0).sum() == 24
    np.testing.assert_array_equal(found.mask(2), reference.decode(compressed()).astype(bool))
    assert sample.semantic[[0, 2, 5, 1, 5], [4, 3, 1, 0, 7]].tolist() == [0, 1, 2, 1, VOID]
    assert len(empty.instances) == 0
    assert (empty.semantic == VOID).all()


def test_classes_and_ignore(root: Path) -> None:
    dataset = opened(root, classes=["cat", "bus"])
    assert names(dataset) == ["cat", "bus"]
    assert dataset[0].instances.categories.tolist() == [1, 0, 0]
    assert dataset[0].semantic[5, 1] == VOID
    assert index(root, classes=["cat", "bus"]).left_out == {"annotations of 'tree'": 1}
    assert names(opened(root, ignore=["cat"])) == ["bus", "tree"]
    assert index(root, ignore=["cat", "tree"]).summary()["left_out"] == {
        "annotations of 'cat'": 2,
        "annotations of 'tree'": 1,
    }
    for settings, message in (
        ({"classes": ["cats"]}, "lists no class 'cats', which classes names; .*bus, cat, tree; did you mean"),
        ({"ignore": ["x"]}, "lists no class 'x', which ignore names"),
        ({"ignore": ["cat", "bus", "tree"]}, "0 classes would be evaluated, expected 1 to 255"),
    ):
        with pytest.raises(LabelError, match=message):
            index(root, **settings)


def test_panoptic_segments_of_own_classes(segmented: Path) -> None:
    dataset = opened(segmented)
    assert [(c.name, c.isthing) for c in dataset.categories] == [
        ("bus", True),
        ("cat", True),
        ("tree", False),
    ]
    sample = dataset[0]
    assert sample.semantic[:5, 0].tolist() == [VOID, 0, 2, 1, VOID]
    assert sample.instances.categories.tolist() == [0, 1]
    assert sample.instances.crowd.tolist() == [False, True]
    fewer = opened(segmented, ignore=["bus"])[0]
    assert fewer.semantic[:5, 0].tolist() == [VOID, VOID, 1, 0, VOID]
    assert len(fewer.instances) == 1
    assert index(segmented, ignore=["bus"]).left_out == {"annotations of 'bus'": 1}


def test_where_the_pngs_of_a_panoptic_json_are(segmented: Path) -> None:
    (segmented / "all").rename(segmented / "pngs")
    with pytest.raises(DatasetLayoutError, match=r"all: no such folder; set `segments` of the data set"):
        index(segmented)
    assert index(segmented, segments="pngs").frame["semantic"].tolist() == ["pngs/one_segments.png"]
    content = panoptic()
    del content["annotations"][0]["file_name"]
    write_json(segmented / "all.json", content)
    with pytest.raises(DatasetLayoutError, match=r"pngs/a/1.png: no such file, one of 1 that all.json names"):
        index(segmented, segments="pngs")


def test_one_json_is_split_by_lot_or_by_lists(root: Path) -> None:
    lot = {"split": {"kind": "fraction", "val": 0.5}}
    both = [index(root, split, **lot).frame["image_id"].tolist() for split in ("train", "val")]
    assert sorted(both[0] + both[1]) == ["a/1.png", "b/1.png"]
    assert len(both[0]) == 1
    (root / "val.txt").write_text("b/1\n")
    found = index(root, split={"kind": "list", "val": "val.txt"})
    assert (found.frame["image_id"].tolist(), found.left_out) == (["b/1.png"], {NOT_LISTED: 1})


def test_a_json_for_each_split_as_roboflow_exports_them(root: Path) -> None:
    for split in ("train", "valid"):
        photo(root / split / "1.png")
        photo(root / split / "unlisted.png")
        content = instances()
        content["images"], content["annotations"] = listed("1.png"), content["annotations"][:2]
        write_json(root / split / "_annotations.coco.json", content)
    layout = {
        "annotations": "{split}/_annotations.coco.json",
        "images": "{split}",
        "split": {"kind": "folder", "val": "valid"},
    }
    found = index(root, **layout)
    assert found.frame["image"].tolist() == ["valid/1.png"]
    assert found.left_out == {"images that _annotations.coco.json does not list": 1}
    with pytest.raises(DatasetLayoutError, match=r"lists '1.png', as .* does, one of 1 such"):
        index(root, **{**layout, "images": "train"})
    content["categories"] = CATEGORIES[:2]
    write_json(root / "valid/_annotations.coco.json", content)
    with pytest.raises(LabelError, match=r"has other classes than _annotations.coco.json \(tree\); name"):
        index(root, "train", **layout)
    assert index(root, "train", classes=["cat", "bus"], **layout).frame["image_id"].tolist() == ["1.png"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": []}, "0 classes would be evaluated"),
        ({"categories": [*CATEGORIES, {"id": 8, "name": "bus"}]}, "2 classes are called 'bus'"),
        ({"categories": [*CATEGORIES, {"id": BUS, "name": "car"}]}, r"class id 7 is that of 'bus' too"),
        ({"categories": [{"id": 1}]}, r"categories\[0\]: it has no name"),
        ({"categories": [{"id": k, "name": str(k)} for k in range(256)]}, "256 classes would be evaluated"),
        (
            {"annotations": [annotation(1, 0, 8, [box(0, 0, 2, 2)])]},
            "has class id 8, which its categories",
        ),
        ({"annotations": [annotation(1, 0, BUS, [])]}, "annotation 1 of image id 0 has no mask of 6 x 8"),
        ({"annotations": [annotation(1, 5, BUS, [])]}, "an annotation is of image id 5, which the file does"),
    ],
)
def test_what_is_broken_is_named(root: Path, change: dict[str, Any], message: str) -> None:
    write_json(root / "all.json", instances() | change)
    with pytest.raises(LabelError, match=rf"all\.json.*{message}"):
        index(root)


def test_missing_files_are_named(root: Path) -> None:
    with pytest.raises(DatasetLayoutError, match=r"no.json: no such file; set `annotations` of the data set"):
        index(root, annotations="no.json")
    with pytest.raises(DatasetLayoutError, match=r"photos: no such folder; set `images` of the data set"):
        index(root, images="photos")
    (root / "b/1.png").unlink()
    with pytest.raises(DatasetLayoutError, match=r"all.json: lists the image 'b/1.png', which"):
        index(root)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_pedestrians_of_penn_and_fudan(realdata: Path) -> None:
    root = realdata / "images/pennfudan"
    layout = {"annotations": "annotations/instances_{split}.json", "images": "{split}"}
    found = index(root, **layout)
    dataset = open_dataset(config(root, **layout), root, found.frame)
    assert (len(dataset), names(dataset), found.left_out) == (40, ["person"], {})
    content = json.loads((root / "annotations/instances_val.json").read_text())
    (image,) = [row for row in content["images"] if row["file_name"] == dataset.ids[3]]
    masks = [
        reference.decode(row["segmentation"]).astype(bool)
        for row in content["annotations"]
        if row["image_id"] == image["id"]
    ]
    sample = dataset[3]
    assert len(sample.instances) == len(masks) > 0
    for position, mask in enumerate(masks):
        np.testing.assert_array_equal(sample.instances.mask(position), mask)
    np.testing.assert_array_equal(sample.semantic == 0, np.any(masks, axis=0))
