"""COCO's panoptic task: segment ids, crowds, void, and its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_coco import (
    GRASS,
    HEIGHT,
    PERSON,
    WIDTH,
    panoptic_json,
    segment_png,
    segment_raster,
    write_json,
    write_panoptic,
)
from tiny_layouts import save

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import VOID, Sample
from vfm_fusion.datasets.readers import coco_instance
from vfm_fusion.datasets.readers.coco_panoptic import CATEGORIES, labels_from_segments
from vfm_fusion.datasets.registry import categories, index_split, open_dataset
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

PNG = "annotations/panoptic_val2017/000000000007.png"


def config(root: Path) -> FolderConfig:
    return FolderConfig(kind="coco_panoptic", root=str(root))


def samples(root: Path, split: str = "val") -> list[Sample]:
    frame = index_split(config(root), root, split, workers=4).frame
    dataset = open_dataset(config(root), root, frame)
    return [dataset[position] for position in range(len(dataset))]


def test_the_official_classes() -> None:
    assert categories(config(Path())) == CATEGORIES
    assert [category.id for category in CATEGORIES] == list(range(133))
    assert [category.isthing for category in CATEGORIES] == [True] * 80 + [False] * 53
    assert CATEGORIES[:80] == coco_instance.CATEGORIES
    assert [CATEGORIES[k].name for k in (80, 132)] == ["banner", "rug-merged"]
    assert len({category.color for category in CATEGORIES}) == 133


def test_segments_become_classes_and_objects(tmp_path: Path) -> None:
    write_panoptic(tmp_path, "val")
    found, lawn = samples(tmp_path)
    tree, grass = 116, 125
    semantic = np.full((HEIGHT, WIDTH), grass)
    semantic[:2] = tree
    semantic[1:4, 1:3], semantic[4:, 5:], semantic[0, 0] = 0, 0, VOID
    assert found.semantic.tolist() == semantic.tolist()
    ids = np.zeros((HEIGHT, WIDTH), int)
    ids[1:4, 1:3], ids[4:, 5:] = 1, 2
    assert found.instances.ids.tolist() == ids.tolist()
    assert found.instances.categories.tolist() == [0, 0]
    assert found.instances.crowd.tolist() == [False, True]
    assert found.instances.covered is None
    assert CATEGORIES[tree].name == "tree-merged"
    assert (lawn.semantic == grass).all()
    assert len(lawn.instances) == 0


def test_the_index_points_at_the_pngs(tmp_path: Path) -> None:
    write_panoptic(tmp_path, "train")
    frame = index_split(config(tmp_path), tmp_path, "train").frame
    assert frame["image_id"].tolist() == ["000000000007", "000000000009"]
    assert frame["semantic"].equals(frame["instance"])
    assert frame["semantic"].iloc[0] == "annotations/panoptic_train2017/000000000007.png"


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([{"id": 5, "category_id": PERSON}], "segment 6 is in the PNG but not in the JSON"),
        (
            [{"id": k, "category_id": PERSON} for k in (5, 6, 7)],
            "segment 7 is in the JSON but not in the PNG",
        ),
        ([{"id": k, "category_id": PERSON} for k in (5, 6, 6)], "segment 6 occurs twice"),
        ([{"id": 5, "category_id": PERSON}, {"id": 6, "category_id": 183}], "segment 6 has class id 183"),
        ([{"id": 5}], r"segments_info\[0\]: it has no category_id, expected a whole number"),
        (None, "segments_info in the JSON is no list"),
    ],
)
def test_contradicting_segments_are_named(segments: list[dict] | None, message: str) -> None:
    with pytest.raises(LabelError, match=rf"x\.png: .*{message}"):
        labels_from_segments(np.array([[0, 5], [6, 6]]), segments, Path("x.png"))


def test_a_png_of_other_channels(tmp_path: Path) -> None:
    write_panoptic(tmp_path, "val")
    save(tmp_path / PNG, np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(
        CorruptImageError, match=r"000000000007\.png: expected 8-bit red, green and blue, found 1 "
    ):
        samples(tmp_path)


def test_a_png_of_another_size(tmp_path: Path) -> None:
    write_panoptic(tmp_path, "val")
    segment_png(tmp_path / PNG, segment_raster()[:, :7])
    with pytest.raises(CorruptImageError, match=r"000000000007\.png: the labels are 6 x 7 .* is 6 x 8"):
        samples(tmp_path)


def test_a_truncated_png(tmp_path: Path) -> None:
    write_panoptic(tmp_path, "val")
    (tmp_path / PNG).write_bytes((tmp_path / PNG).read_bytes()[:-20])
    with pytest.raises(CorruptImageError, match=r"000000000007\.png: cannot be decoded"):
        samples(tmp_path)


def test_a_missing_png(tmp_path: Path) -> None:
    write_panoptic(tmp_path, "val")
    (tmp_path / PNG).unlink()
    with pytest.raises(DatasetLayoutError, match=r"000000000007\.png: is missing"):
        samples(tmp_path)


@pytest.mark.parametrize("kept", [[0], [0, 1, 1]])
def test_every_image_has_one_annotation(tmp_path: Path, kept: list[int]) -> None:
    content = panoptic_json()
    content["annotations"] = [content["annotations"][k] for k in kept]
    write_json(write_panoptic(tmp_path, "val"), content)
    with pytest.raises(LabelError, match=rf"000000000007\.png: .*has {len(kept) - 1} annotations of it"):
        samples(tmp_path)


def test_an_unpacked_half(tmp_path: Path) -> None:
    write_panoptic(tmp_path, "val").unlink()
    with pytest.raises(DatasetLayoutError, match=r"panoptic_val2017\.json: no such file"):
        samples(tmp_path)
    with pytest.raises(DatasetLayoutError, match="train2017: no such folder"):
        samples(tmp_path, "train")


def test_a_class_that_is_no_thing_is_no_object() -> None:
    _, instances = labels_from_segments(np.ones((2, 2), int), [{"id": 1, "category_id": GRASS}], Path("x"))
    assert len(instances) == 0
    assert not instances.ids.any()
