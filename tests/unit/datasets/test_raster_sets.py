"""ADE20K, COCO-Stuff, KITTI-360, Mapillary Vistas and SBD: which ids become which classes and objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from tiny_layouts import save
from tiny_rasters import DRIVE, TINY, read, write_mat

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.base import VOID, Sample
from vfm_fusion.datasets.cityscapes import CATEGORIES as CITYSCAPES
from vfm_fusion.datasets.readers import ade20k, coco_stuff, kitti360, mapillary, sbd
from vfm_fusion.datasets.readers.id_tables import voc_color
from vfm_fusion.datasets.registry import categories
from vfm_fusion.errors import CorruptImageError, DatasetLayoutError, LabelError

FILE = Path("labels.png")
CITYSCAPES_ID = {category.name: category.id for category in CITYSCAPES}


def sample(name: str, root: Path) -> Sample:
    TINY[name].write(root, "0000000001")
    return read(TINY[name].kind, root)[0]


def test_the_palette_of_voc() -> None:
    assert [voc_color(k) for k in (0, 1, 2, 3, 8, 20, 255)] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (64, 0, 0), (0, 64, 128), (224, 224, 192),
    ]  # fmt: skip
    assert len({voc_color(k) for k in range(256)}) == 256


def test_the_classes_of_coco_stuff() -> None:
    found = coco_stuff.CATEGORIES
    assert len(found) == 171
    assert [category.isthing for category in found] == [True] * 80 + [False] * 91
    assert [found[k].name for k in (0, 10, 11, 79, 80, 81, 170)] == [
        "person", "fire hydrant", "stop sign", "toothbrush", "banner", "blanket", "wood",
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["coco_stuff", "coco_stuff (SPADE)"])
def test_pixel_maps_of_coco_stuff(tmp_path: Path, layout: str) -> None:
    found = sample(layout, tmp_path)
    assert found.semantic.tolist() == [[0, 80, 170, VOID], [14, 14, 145, VOID], [79, 79, 79, 79]]
    assert coco_stuff.CATEGORIES[145].name == "sky-other"
    assert found.instances is None


def test_converted_maps_beside_those_of_coco_stuff_are_passed_over(tmp_path: Path) -> None:
    TINY["coco_stuff"].write(tmp_path, "0000000001")
    save(
        tmp_path / "stuffthingmaps_trainval2017/val2017/0000000001_labelTrainIds.png",
        np.zeros((3, 4), np.uint8),
    )
    assert read("coco_stuff", tmp_path).ids == ("0000000001",)


def test_the_classes_of_ade20k() -> None:
    found = ade20k.CATEGORIES
    assert len(found) == 150
    assert sum(category.isthing for category in found) == 100
    assert [(found[k].name, found[k].isthing) for k in (0, 2, 7, 12, 149)] == [
        ("wall", False), ("sky", False), ("bed", True), ("person", True), ("flag", True),
    ]  # fmt: skip
    assert (found[12].color, found[2].color) == ((150, 5, 61), (6, 230, 230))


def test_labels_of_ade20k(tmp_path: Path) -> None:
    found = sample("ade20k", tmp_path)
    assert found.semantic.tolist() == [[VOID, 0, 149, 7], [12, 12, 12, 7], [3, 3, 3, 3]]
    assert found.instances.categories.tolist() == [7, 12, 12, 149]
    assert found.instances.ids.tolist() == [[0, 0, 4, 1], [3, 2, 0, 1], [0, 0, 0, 0]]
    assert found.instances.crowd.tolist() == [False] * 4


def test_ade20k_without_its_instances(tmp_path: Path) -> None:
    TINY["ade20k"].write(tmp_path, "a")
    (tmp_path / "annotations_instance").rename(tmp_path / "elsewhere")
    found = read("ade20k", tmp_path)[0]
    assert found.instances is None
    assert found.semantic[0].tolist() == [VOID, 0, 149, 7]


def test_every_instance_class_of_ade20k_is_the_thing_of_its_number() -> None:
    channels = np.zeros((1, 101, 3), np.uint8)
    channels[0, :, 0] = np.arange(101)
    channels[0, 1:, 1] = 1
    found = ade20k.instances_from_channels(channels, FILE)
    things = [category.id for category in ade20k.CATEGORIES if category.isthing]
    assert found.categories.tolist() == things
    assert found.ids.tolist() == [list(range(101))]


@pytest.mark.parametrize("unknown", [0, 101, 255])
def test_an_unknown_instance_class_of_ade20k(unknown: int) -> None:
    with pytest.raises(LabelError, match=rf"labels\.png: id {unknown} is not one of the 100 classes"):
        ade20k.instances_from_channels(np.array([[[unknown, 1, 0]]], np.uint8), FILE)


def test_a_grey_instance_file_of_ade20k(tmp_path: Path) -> None:
    TINY["ade20k"].write(tmp_path, "a")
    save(tmp_path / "annotations_instance/validation/a.png", np.zeros((3, 4), np.uint8))
    with pytest.raises(CorruptImageError, match=r"a\.png: expected 8-bit red .* found 1 channels"):
        read("ade20k", tmp_path)


@pytest.mark.parametrize("kind", ["kitti360", "mapillary"])
def test_the_classes_are_those_of_cityscapes(kind: str) -> None:
    assert categories(FolderConfig(kind=kind, root=".")) == CITYSCAPES


def test_labels_of_kitti360(tmp_path: Path) -> None:
    found = sample("kitti360", tmp_path)
    # road, sidewalk, garage, gate; small pole, car, car, person; unlabeled, unknown object, car, building
    assert found.semantic.tolist() == [[0, 1, 2, 4], [5, 13, 13, 11], [VOID, VOID, 13, 2]]
    assert found.instances.categories.tolist() == [11, 13, 13, 13]
    assert found.instances.ids.tolist() == [[0, 0, 0, 0], [0, 4, 3, 1], [0, 0, 2, 0]]
    assert found.instances.crowd.tolist() == [True, True, False, False]  # number 0: the object is not known
    assert found.image_id == "2013_05_28_drive_0003_sync_image_00_0000000001"


def test_every_label_id_of_kitti360() -> None:
    own = {34: "building", 35: "fence", 37: "pole"}
    official = {7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole"}
    official |= {19: "traffic light", 20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky"}
    official |= {24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train"}
    official |= {32: "motorcycle", 33: "bicycle"} | own
    expected = [CITYSCAPES_ID[official[k]] if k in official else VOID for k in range(45)]
    raster = np.arange(45, dtype=np.uint8)[None]
    found = kitti360.train_ids(raster, kitti360._TRAIN_IDS, FILE, "")
    assert found[0].tolist() == expected


def test_plain_label_ids_in_an_instance_raster_of_kitti360_are_crowds() -> None:
    found = kitti360.instances_from_codes(np.array([[26, 26_001, 7, 0]]), FILE)
    assert found.ids.tolist() == [[1, 2, 0, 0]]
    assert found.crowd.tolist() == [True, False]


def test_an_unknown_label_id_in_an_instance_raster_of_kitti360() -> None:
    with pytest.raises(LabelError, match=r"labels\.png: id 45 is not one of KITTI-360's 0\.\.44"):
        kitti360.instances_from_codes(np.array([[26_001, 45_002]]), FILE)


@pytest.mark.parametrize(
    "line", ["a.png b.png", "x", f"data_2d_raw/{DRIVE}/data_rect/1.png", "../../etc/passwd"]
)
def test_a_line_of_kitti360s_list_that_names_no_frame(tmp_path: Path, line: str) -> None:
    TINY["kitti360"].write(tmp_path, "0000000001")
    with (tmp_path / "data_2d_semantics/train/2013_05_28_drive_val_frames.txt").open("a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(
        DatasetLayoutError, match=r"val_frames\.txt, line 3: .* is not an image and its semantic"
    ):
        read("kitti360", tmp_path)


def test_a_frame_that_is_listed_twice(tmp_path: Path) -> None:
    TINY["kitti360"].write(tmp_path, "0000000001")
    TINY["kitti360"].write(tmp_path, "0000000001")
    with pytest.raises(DatasetLayoutError, match="0000000001' of split 'val' occurs twice"):
        read("kitti360", tmp_path)


def test_labels_of_mapillary(tmp_path: Path) -> None:
    found = sample("mapillary", tmp_path)
    # road, marking, manhole, curb; two cars, bicyclist, bicycle; bird, unlabeled, pole, utility pole
    assert found.semantic.tolist() == [[0, 0, 0, 1], [13, 13, 12, 18], [VOID, VOID, 5, 5]]
    assert found.instances.categories.tolist() == [12, 18, 13, 13]
    assert found.instances.ids.tolist() == [[0, 0, 0, 0], [3, 4, 1, 2], [0, 0, 0, 0]]
    assert not found.instances.crowd.any()


def test_instances_of_mapillary_in_8_bits(tmp_path: Path) -> None:
    TINY["mapillary"].write(tmp_path, "a")
    path = tmp_path / "validation/instances/a.png"
    save(path, np.full((3, 4), 55, np.uint8))
    with pytest.raises(CorruptImageError, match=rf"{path}: expected 16 bits, found 8"):
        read("mapillary", tmp_path)


def test_mapillary_maps_25_of_its_classes() -> None:
    labels = [label for group in mapillary.LABELS.values() for label in group]
    assert len(labels) == len(set(labels)) == 25
    assert list(mapillary.LABELS) == [category.name for category in CITYSCAPES]


def test_version_2_labels_of_mapillary() -> None:
    with pytest.raises(LabelError, match=r"labels\.png: id 66 .*Use the labels of v1\.2, not of v2\.0"):
        mapillary.instances_from_codes(np.array([[66 * 256]]), FILE)


@pytest.mark.parametrize("layout", ["sbd", "sbd (release)"])
def test_labels_of_sbd(tmp_path: Path, layout: str) -> None:
    found = sample(layout, tmp_path)
    assert found.semantic.tolist() == [[255, 14, 14, 255], [255, 14, 14, 19], [255, 255, 0, 19]]
    assert found.instances.ids.tolist() == [[0, 1, 2, 0], [0, 1, 2, 3], [0, 0, 4, 3]]
    assert found.instances.categories.tolist() == [14, 14, 19, 0]
    assert not found.instances.crowd.any()


def test_the_classes_of_sbd() -> None:
    assert len(sbd.CATEGORIES) == 20
    assert all(category.isthing for category in sbd.CATEGORIES)
    assert [(sbd.CATEGORIES[k].name, sbd.CATEGORIES[k].color) for k in (0, 14, 19)] == [
        ("aeroplane", (128, 0, 0)), ("person", (192, 128, 128)), ("tvmonitor", (0, 64, 128)),
    ]  # fmt: skip


def test_one_object_and_no_object_in_sbd(tmp_path: Path) -> None:
    TINY["sbd"].write(tmp_path, "a")
    write_mat(tmp_path / "cls/a.mat", "GTcls", np.full((3, 4), 7, np.uint8))
    write_mat(tmp_path / "inst/a.mat", "GTinst", np.ones((3, 4), np.uint8), Categories=np.uint8(7))
    assert read("sbd", tmp_path)[0].instances.categories.tolist() == [6]
    write_mat(tmp_path / "inst/a.mat", "GTinst", np.zeros((3, 4), np.uint8), Categories=np.zeros((0, 1)))
    assert len(read("sbd", tmp_path)[0].instances) == 0


@pytest.mark.parametrize(
    ("objects", "classes", "message"),
    [
        (2, [7], "has object 2, but the classes of 1 objects"),
        (1, [21], "class 21 is not one of VOC's 1..20"),
        (1, [0], "class 0 is not one of VOC's 1..20"),
    ],
)
def test_objects_of_sbd_without_a_class(
    tmp_path: Path, objects: int, classes: list[int], message: str
) -> None:
    TINY["sbd"].write(tmp_path, "a")
    raster = np.full((3, 4), objects, np.uint8)
    write_mat(tmp_path / "inst/a.mat", "GTinst", raster, Categories=np.array(classes, np.uint8))
    with pytest.raises(LabelError, match=rf"a\.mat: {message}"):
        read("sbd", tmp_path)


@pytest.mark.parametrize("content", ["GTother", "Segmentation", "number"])
def test_another_matlab_file_in_sbd(tmp_path: Path, content: str) -> None:
    TINY["sbd"].write(tmp_path, "a")
    if content == "GTother":
        write_mat(tmp_path / "cls/a.mat", "GTother", np.zeros((3, 4), np.uint8))
        message = "not a MATLAB file with GTcls"
    elif content == "number":
        savemat(tmp_path / "cls/a.mat", {"GTcls": 5})
        message = "not a MATLAB file with GTcls"
    else:
        write_mat(tmp_path / "cls/a.mat", "GTcls", np.zeros((3, 4, 2)))
        message = "its Segmentation is not a raster"
    with pytest.raises(CorruptImageError, match=rf"a\.mat: {message}"):
        read("sbd", tmp_path)


def test_images_of_sbd_that_the_list_does_not_name_are_left_out(tmp_path: Path) -> None:
    for key in ("a", "b"):
        TINY["sbd"].write(tmp_path, key)
    (tmp_path / "val.txt").write_text("b\n\n")
    assert read("sbd", tmp_path).ids == ("b",)
