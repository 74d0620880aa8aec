"""COCO's instance task: polygons, run lengths, crowds, overlaps, and its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as reference
from tiny_coco import (
    CAR,
    DOG,
    HEIGHT,
    PERSON,
    WIDTH,
    annotation,
    box,
    instances_json,
    listed,
    photo,
    write_instances,
)

from vfm_fusion.config.augmentation import AugmentationConfig, RelativeScale
from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import VOID, Sample
from vfm_fusion.datasets.readers.coco_instance import CATEGORIES
from vfm_fusion.datasets.registry import categories, index_split, open_dataset
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError
from vfm_fusion.evaluation.rle import encode_truth
from vfm_fusion.segmentation.data import MaskDataset


def config(root: Path) -> FolderConfig:
    return FolderConfig(kind="coco_instance", root=str(root))


def sample(root: Path, position: int = 0, split: str = "val") -> Sample:
    frame = index_split(config(root), root, split, workers=4).frame
    return open_dataset(config(root), root, frame)[position]


def test_the_official_classes() -> None:
    assert categories(config(Path())) == CATEGORIES
    assert [category.id for category in CATEGORIES] == list(range(80))
    assert all(category.isthing for category in CATEGORIES)
    assert len({category.name for category in CATEGORIES}) == 80
    # ids 12, 26, 29, 30, 45, ... were never used
    assert [CATEGORIES[k].name for k in (0, 10, 11, 24, 79)] == [
        "person", "fire hydrant", "stop sign", "backpack", "toothbrush",
    ]  # fmt: skip


def test_objects_in_front_and_behind(tmp_path: Path) -> None:
    write_instances(tmp_path, "val")
    found = sample(tmp_path)
    assert found.image_id == "000000000007"
    assert found.instances.categories.tolist() == [2, 0, 16, 0]  # car, person, dog, person
    assert found.instances.crowd.tolist() == [False, True, False, False]
    assert found.instances.ids.tolist() == [
        [2, 0, 0, 0, 0, 0, 4, 2],
        [2, 1, 1, 1, 1, 1, 0, 2],
        [2, 1, 3, 3, 1, 1, 0, 2],
        [2, 1, 3, 3, 1, 1, 0, 2],
        [2, 1, 1, 1, 1, 1, 4, 2],
        [2, 0, 0, 0, 0, 0, 4, 2],
    ]
    covered = np.zeros((1, HEIGHT, WIDTH), int)
    covered[0, 2:4, 2:4] = 1
    assert found.instances.covered.tolist() == covered.tolist()
    classes = np.array([VOID, 2, 0, 16, 0])
    assert found.semantic.tolist() == classes[found.instances.ids].tolist()
    assert found.semantic.dtype == np.uint8


def test_training_and_average_precision_see_whole_objects(tmp_path: Path) -> None:
    write_instances(tmp_path, "val")
    frame = index_split(config(tmp_path), tmp_path, "val").frame
    dataset = open_dataset(config(tmp_path), tmp_path, frame)
    plain = AugmentationConfig(crop=(32, 32), scale=RelativeScale(range=(1, 1)), flip=False, color="none")
    _, targets, labels = MaskDataset(dataset, "panoptic", plain, seed=0)[0, 0]
    assert labels.tolist() == [2, 16, 0]  # the crowd is no target
    assert targets.sum(dim=(1, 2)).tolist() == [20, 4, 3]
    truth = encode_truth(dataset[0].instances)
    assert truth.areas.tolist() == [20, 12, 4, 3]
    assert truth.crowd.tolist() == [False, True, False, False]


def test_an_image_without_objects_is_kept(tmp_path: Path) -> None:
    write_instances(tmp_path, "train")
    found = sample(tmp_path, 1, "train")
    assert found.image_id == "000000000009"
    assert len(found.instances) == 0
    assert (found.semantic == VOID).all()


def test_crowds_lie_behind_and_smaller_objects_in_front(tmp_path: Path) -> None:
    content = instances_json()
    whole = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}
    content["annotations"] = [
        annotation(1, 7, DOG, [box(0, 0, 2, 2)]),
        annotation(2, 7, CAR, whole),
        annotation(3, 7, PERSON, {"size": [HEIGHT, WIDTH], "counts": [0, 6, 42]}, crowd=1),
    ]
    write_instances(tmp_path, "val", content)
    instances = sample(tmp_path).instances
    assert np.unique(instances.ids).tolist() == [1, 2]
    assert instances.covered.shape == (2, HEIGHT, WIDTH)
    assert [instances.mask(k).sum() for k in range(3)] == [4, 48, 6]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_masks_are_those_of_pycocotools(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    content, expected = instances_json(), []
    content["annotations"] = []
    for number in range(40):
        kind = ("polygon", "compressed", "lengths")[number % 3]
        if kind == "polygon":
            shape: Any = [rng.uniform(-1, 8, 2 * rng.integers(3, 9)).round(2).tolist() for _ in range(2)]
            code = reference.merge(reference.frPyObjects(shape, HEIGHT, WIDTH))
        else:
            mask = rng.random((HEIGHT, WIDTH)) < 0.4
            code = reference.encode(np.asfortranarray(mask, np.uint8))
            shape = {"size": [HEIGHT, WIDTH], "counts": code["counts"].decode()}
            if kind == "lengths":
                flat = np.concatenate([[0], mask.T.ravel(), [2]])
                ends = np.flatnonzero(np.diff(flat, prepend=0) != 0) - 1
                shape["counts"] = np.diff(ends, prepend=0).tolist()
        content["annotations"].append(annotation(number + 1, 9, PERSON, shape))
        expected.append(reference.decode(code).astype(bool))
    write_instances(tmp_path, "val", content)
    instances = sample(tmp_path, 1).instances
    for position, mask in enumerate(expected):
        np.testing.assert_array_equal(instances.mask(position), mask)


def test_a_polygon_of_two_points_beside_others_encloses_nothing(tmp_path: Path) -> None:
    content = instances_json()
    content["annotations"] = [annotation(1, 7, DOG, [[1, 1, 3, 3], box(0, 0, 2, 2)])]
    write_instances(tmp_path, "val", content)
    assert sample(tmp_path).instances.mask(0).sum() == 4


def test_an_object_may_draw_no_pixel(tmp_path: Path) -> None:
    """Annotation 918 of COCO's training images is one; it takes no pixel from others, and keeps its area."""
    content = instances_json()
    point = [box(3.65, 4.33, 3.68, 4.33)]
    content["annotations"][2] |= {"segmentation": point, "area": 0.0}
    content["annotations"].append(annotation(45, 7, DOG, [box(WIDTH, HEIGHT, WIDTH + 3, HEIGHT + 2)]))
    write_instances(tmp_path, "val", content)
    instances = sample(tmp_path).instances
    assert [instances.mask(k).sum() for k in range(5)] == [20, 12, 0, 3, 0]
    assert instances.categories.tolist() == [2, 0, 16, 0, 16]
    assert instances.areas.tolist() == [20, 12, 0, 3, 0]


@pytest.mark.parametrize(
    "shape",
    [
        None,
        [],
        [[]],
        [[1, 1, 3, 3]],
        [[1, 1], [1, 1, 3, 3]],
        [0, 0, 3, 0, 3, 3],
        [[0, 0, 3, 0, 3]],
        [box(0, 0, 2, 2), [0, 0, 3]],
        [["0", "0", "3", "0", "3", "3"]],
        [[0, 0, 3, 0, 3, None]],
        [{"x": 0, "y": 0}],
        "[[0, 0, 3, 0, 3, 3]]",
        [["a"] * 6],
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[float("nan")] * 6],
        {"size": [HEIGHT, WIDTH + 1], "counts": [54]},
        {"size": [HEIGHT, WIDTH], "counts": [3, 4]},
        {"size": [HEIGHT, WIDTH], "counts": [3, 400]},
        {"size": [HEIGHT, WIDTH], "counts": "garbage!"},
        {"size": [HEIGHT, WIDTH], "counts": [3.5, 44.5]},
        {"size": [HEIGHT, WIDTH], "counts": ["48"]},
        {"size": [HEIGHT, WIDTH], "counts": [-1, 49]},
        {"size": [HEIGHT, WIDTH], "counts": 48},
        {"size": HEIGHT, "counts": [48]},
        {"counts": [48]},
        {"size": [HEIGHT, WIDTH]},
    ],
)
def test_a_shape_that_is_no_mask_is_named(tmp_path: Path, shape: Any) -> None:
    content = instances_json()
    content["annotations"][2]["segmentation"] = shape
    write_instances(tmp_path, "val", content)
    message = r"annotations/instances_val2017.json: annotation 12 of image id 7 has no mask of 6 x 8"
    with pytest.raises(LabelError, match=message):
        sample(tmp_path)
    settings = config(tmp_path).model_copy(update={"damaged": "skip"})
    frame, (skipped,), _ = index_split(settings, tmp_path, "val")
    assert frame["image_id"].tolist() == ["000000000009"]
    assert skipped.reason.startswith(message)


@pytest.mark.parametrize("unknown", [0, 12, 92, "person", "1", True, 1.5, None])
def test_an_unknown_class_is_named(tmp_path: Path, unknown: Any) -> None:
    content = instances_json()
    content["annotations"][1]["category_id"] = unknown
    write_instances(tmp_path, "val", content)
    with pytest.raises(LabelError, match=f"annotation 31 of image id 7 has class id {unknown!r}, which COCO"):
        sample(tmp_path)


def test_an_image_of_another_size_than_listed(tmp_path: Path) -> None:
    write_instances(tmp_path, "val", {**instances_json(), "images": [listed(7), listed(9)]})
    photo(tmp_path / "val2017/000000000009.jpg", (HEIGHT + 2, WIDTH))
    with pytest.raises(CorruptImageError, match=r"labels are 6 x 8 .* image '000000000009' is 8 x 8"):
        sample(tmp_path)


def test_a_missing_folder_or_annotation_file(tmp_path: Path) -> None:
    write_instances(tmp_path, "val").unlink()
    with pytest.raises(DatasetLayoutError, match=r"instances_val2017\.json: no such file"):
        sample(tmp_path)
    with pytest.raises(DatasetLayoutError, match="train2017: no such folder"):
        sample(tmp_path, split="train")


def test_other_classes_than_cocos(tmp_path: Path) -> None:
    write_instances(tmp_path, "val", {**instances_json(), "categories": [{"id": 1, "name": "screw"}]})
    with pytest.raises(LabelError, match=r"instances_val2017\.json: lists class 1 'screw'"):
        sample(tmp_path)


def test_sizes_go_by_the_areas_in_the_file(tmp_path: Path) -> None:
    content = instances_json()
    for row, area in zip(content["annotations"], (7.5, 1000.0, 9.25, 3.0), strict=False):
        row["area"] = area
    write_instances(tmp_path, "val", content)
    instances = sample(tmp_path).instances
    assert instances.areas.tolist() == [7.5, 1000.0, 9.25, 3.0][: len(instances)]
    assert encode_truth(instances).areas.tolist() == instances.areas.tolist()
