"""Kind folder with objects: rasters of numbers or colours, alone or beside masks of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_layouts import save

from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.datasets.base import VOID, Dataset
from vfm_fusion.datasets.index import SplitIndex
from vfm_fusion.datasets.registry import dataset_config, index_split, open_dataset
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError
from vfm_fusion.evaluation.evaluator import read_truth
from vfm_fusion.evaluation.panoptic_quality import PanopticQuality, true_panoptic
from vfm_fusion.interactive.click_protocol import objects_of

SIZE = (6, 8)
ALONE = {"images": "photos", "objects": {"path": "objects/{}.png"}}
CLASSED = {
    **ALONE,
    "masks": "masks/{}.png",
    "classes": ["ground", "car", "bike"],
    "ignore": [255],
    "objects": {"path": "objects/{}.png", "classes": ["car", "bike"]},
}


def index(root: Path, **settings: Any) -> SplitIndex:
    config = dataset_config({"kind": "folder", "root": str(root), **settings})
    return index_split(config, root, "val")


def opened(root: Path, **settings: Any) -> Dataset:
    config = dataset_config({"kind": "folder", "root": str(root), **settings})
    return open_dataset(config, root, index(root, **settings).frame)


def of_objects(**settings: Any) -> dict[str, Any]:
    """The settings ``CLASSED``, with others of their objects."""
    return {**CLASSED, "objects": {**CLASSED["objects"], **settings}}


def numbers(dtype: type = np.uint8) -> np.ndarray:
    """Two objects, and four pixels that were not decided."""
    raster = np.zeros(SIZE, dtype)
    raster[0:2, 0:3], raster[3:6, 4:7], raster[5, 0:4] = 3, 7, 200
    return raster


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos, of which the second shows no object."""
    for key, raster in (("a", numbers()), ("deep/b", 0 * numbers())):
        save(tmp_path / f"photos/{key}.jpg", np.full((*SIZE, 3), 90, np.uint8))
        save(tmp_path / f"objects/{key}.png", raster)
        save(tmp_path / f"masks/{key}.png", np.select([raster == 3, raster == 7], [1, 2]).astype(np.uint8))
    return tmp_path


def test_objects_alone_are_of_one_class(photos: Path) -> None:
    dataset = opened(photos, **ALONE)
    assert [(c.name, c.isthing) for c in dataset.categories] == [("background", False), ("object", True)]
    first, second = dataset
    np.testing.assert_array_equal(
        first.instances.ids, np.select([numbers() == n for n in (3, 7, 200)], [1, 2, 3])
    )
    assert first.instances.ids.dtype == np.int32
    assert first.instances.categories.tolist() == [1, 1, 1]
    np.testing.assert_array_equal(first.semantic, (numbers() > 0).astype(np.uint8))
    assert (len(second.instances), second.semantic.any()) == (0, False)
    assert index(photos, **ALONE).summary()["with_instance_labels"] == 2


def test_what_was_not_decided_is_void_and_counts_nowhere(photos: Path) -> None:
    dataset = opened(photos, **{**ALONE, "objects": {**ALONE["objects"], "ignore": [200]}})
    sample = dataset[0]
    np.testing.assert_array_equal(sample.semantic == VOID, numbers() == 200)
    first, second = objects_of(sample, dataset.categories, ClickProtocolConfig())
    assert (first.area, second.area) == (6, 9)
    np.testing.assert_array_equal(first.ignored, numbers() == 200)


@pytest.mark.parametrize(
    "stored", ["one bit", "8 bits", "16 bits", "palette", "colours", "palette of colours"]
)
def test_however_objects_are_stored(photos: Path, stored: str) -> None:
    raster, path = numbers() % 200, photos / "objects/a.png"
    settings = ALONE
    if stored == "one bit":
        raster = (raster == 3).astype(np.uint8)
        Image.fromarray(raster * 255).convert("1").save(path)
    elif stored == "16 bits":
        save(path, np.where(raster == 7, 40_007, raster).astype(np.uint16))
    elif stored == "palette":  # all of its colours alike, as its indices are the numbers
        image = Image.fromarray(raster)
        image.putpalette([9, 9, 9] * 256)
        image.save(path)
    elif "colours" in stored:
        settings = {**ALONE, "objects": {**ALONE["objects"], "by": "color"}}
        image = Image.fromarray(np.array([[0, 0, 0], [9, 9, 0], [0, 9, 9]], np.uint8)[raster // 3])
        for each in (path, photos / "objects/deep/b.png"):
            image.quantize(4).save(each) if "palette" in stored else image.save(each)
    else:
        save(path, raster)
    found = opened(photos, **settings)[0].instances
    np.testing.assert_array_equal(found.ids > 0, raster > 0)
    assert len(found) == len(np.unique(raster)) - 1
    for number in range(len(found)):
        assert len(np.unique(raster[found.mask(number)])) == 1


def test_an_object_is_of_the_class_that_most_of_its_pixels_have(photos: Path) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[0:2, 0:2], mask[3:6, 4:7], mask[5] = 1, 2, 255
    save(photos / "masks/a.png", mask)
    dataset = opened(photos, **of_objects(ignore=[200]))
    assert [(c.name, c.isthing) for c in dataset.categories] == [
        *(("ground", False), ("car", True), ("bike", True))
    ]
    sample = dataset[0]
    assert sample.instances.categories.tolist() == [1, 2]
    np.testing.assert_array_equal(sample.instances.ids, np.select([numbers() == 3, numbers() == 7], [1, 2]))
    np.testing.assert_array_equal(sample.semantic, np.where(numbers() == 200, VOID, mask))


def test_an_object_on_void_pixels_is_left_out_and_counted(photos: Path) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[0:2, 0:3], mask[3:6, 4:7], mask[5, 0:4] = 255, 2, 2
    save(photos / "masks/a.png", mask)
    found = index(photos, **CLASSED)
    assert found.summary()["left_out"] == {"objects on void pixels": 1}
    sample = opened(photos, **CLASSED)[0]
    np.testing.assert_array_equal(sample.instances.ids, np.select([numbers() == 7, numbers() == 200], [1, 2]))


def test_labels_of_both_kinds_beside_their_photos(photos: Path) -> None:
    for key in ("a", "deep/b"):
        for folder, end in (("photos", ".jpg"), ("masks", ".png"), ("objects", "_objects.png")):
            old = photos / folder / f"{key}{'.jpg' if folder == 'photos' else '.png'}"
            new = photos / "all" / f"{key}{end}"
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
    settings = {**of_objects(path="all/{}_objects.png", ignore=[200]), "images": "all", "masks": "all/{}.png"}
    frame = index(photos, **settings).frame
    assert frame[["image", "semantic", "instance"]].values.tolist() == [
        [f"all/{key}.jpg", f"all/{key}.png", f"all/{key}_objects.png"] for key in ("a", "deep/b")
    ]


def test_what_is_wrong_with_objects_is_named(photos: Path) -> None:
    path = photos / "objects/a.png"
    colored = {**ALONE, "objects": {**ALONE["objects"], "by": "color"}}
    with pytest.raises(
        CorruptImageError, match=r"objects/a.png: expected colours of 8 bits, found 1 channels"
    ):
        index(photos, **colored)
    save(path, np.repeat(numbers()[..., None], 3, axis=2))
    with pytest.raises(
        CorruptImageError, match=r"a.png: expected one channel of numbers of objects, found 3 channels of 8"
    ):
        index(photos, **ALONE)
    for key in ("a", "deep/b"):
        save(photos / f"objects/{key}.tif", numbers().astype(np.int32))
    with pytest.raises(CorruptImageError, match=r"a.tif: expected 1 or 8 or 16 bits, found 32"):
        index(photos, **{**ALONE, "objects": {"path": "objects/{}.tif"}})
    save(path, numbers()[:, 1:])
    with pytest.raises(CorruptImageError, match=r"a.png: the labels are 6 x 7 .* image 'a.jpg' is 6 x 8"):
        index(photos, **ALONE)
    with pytest.raises(CorruptImageError, match=r"objects/a.png: is 6 x 7 pixels .*masks/a.png is 6 x 8"):
        index(photos, **CLASSED)
    path.unlink()
    with pytest.raises(DatasetLayoutError, match=r"objects/a.png: is missing, one of 1 such"):
        index(photos, **ALONE)


@pytest.mark.parametrize(
    ("ground", "car", "message"),
    [
        (
            4,
            2,
            r"objects/a.png: object 3 is of class 'ground' .*masks/a.png \(67 % .* Add it to objects.classes",
        ),
        (3, 3, r"objects/a.png: object 3 is of no class: .*masks/a.png is 'ground', with 50 %"),
    ],
)
def test_objects_that_contradict_the_classes_are_refused(
    photos: Path, ground: int, car: int, message: str
) -> None:
    mask = np.select([numbers() == 7, numbers() == 200], [2, 2]).astype(np.uint8)
    mask[0:2, 0:3] = np.repeat([0, 1], [ground, car]).reshape(2, 3)
    save(photos / "masks/a.png", mask)
    with pytest.raises(LabelError, match=message):
        index(photos, **CLASSED)
    assert [entry.image_id for entry in index(photos, damaged="skip", **CLASSED).skipped] == ["a.jpg"]


def test_shades_are_no_objects(photos: Path) -> None:
    rows, cols = np.mgrid[:40, :40]
    smooth = (255 * np.clip(12.3 - np.hypot(rows - 20, cols - 19.7), 0, 1)).astype(np.uint8)
    thin = np.where((rows % 2 == 0) & (cols > 0), rows // 2 + 1, 0).astype(np.uint8)
    save(photos / "photos/a.jpg", np.repeat(smooth[..., None], 3, axis=2))
    save(photos / "objects/a.png", smooth)
    with pytest.raises(LabelError, match=r"a.png: \d+ of its \d+ values lie scattered over single pixels"):
        index(photos, **ALONE)
    save(photos / "objects/a.png", thin)
    assert len(opened(photos, **ALONE)[0].instances) == 20


def test_a_perfect_panoptic_prediction_is_one(photos: Path) -> None:
    dataset = opened(photos, **of_objects(ignore=[200]))
    quality = PanopticQuality.of(dataset.categories, 0.02)
    for image_id in dataset.ids:
        truth = true_panoptic(read_truth(dataset, image_id), {1, 2})
        quality.add(truth, truth)
    assert quality.evaluate().overall["PQ"] == 100


@pytest.mark.realdata
def test_the_objects_of_real_photos(realdata: Path, tmp_path: Path) -> None:
    """GrabCut's masks as they are, and Penn-Fudan's people, numbered as in the release's PedMasks."""
    root = realdata / "images/grabcut"
    found = opened(root, images="images", objects={"path": "masks/{}.bmp"})
    config = dataset_config({"kind": "grabcut", "root": str(root)})
    benchmark = open_dataset(config, root, index_split(config, root, "val").frame)
    assert [Path(name).stem for name in found.ids] == list(benchmark.ids)
    for own, published in zip(found, benchmark, strict=True):
        np.testing.assert_array_equal(own.instances.ids, published.instances.ids)
        np.testing.assert_array_equal(own.semantic, published.semantic)
    root = realdata / "images/pennfudan"
    settings = {"kind": "coco", "root": str(root), "images": "{split}"}
    config = dataset_config({**settings, "annotations": "annotations/instances_{split}.json"})
    frame = index_split(config, root, "val").frame.head(3)
    people = list(open_dataset(config, root, frame))
    for sample in people:
        save(tmp_path / f"photos/{sample.image_id}.png", sample.image)
        save(tmp_path / f"PedMasks/{sample.image_id}_mask.png", sample.instances.ids.astype(np.uint16))
    found = opened(tmp_path, images="photos", objects={"path": "PedMasks/{}_mask.png"})
    for own, sample in zip(found, people, strict=True):
        np.testing.assert_array_equal(own.instances.ids, sample.instances.ids)
    assert sum(len(sample.instances) for sample in found) > 3
