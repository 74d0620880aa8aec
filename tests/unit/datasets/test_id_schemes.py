"""Rasters that hold the ids of another scheme, which the other raster of the image contradicts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_rasters
import tiny_streets
from scipy.io import savemat
from tiny_layouts import save

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import LabelError

HEIGHT, WIDTH = 40, 60
TRAIN_IDS = {label_id: train_id for train_id, label_id in enumerate(LABEL_IDS.values())}
ROAD, POLE, SKY, CAR = LABEL_IDS["road"], LABEL_IDS["pole"], LABEL_IDS["sky"], LABEL_IDS["car"]


def _scene(ground: int, above: int, thing: int | None = None) -> np.ndarray:
    """Two regions, and perhaps a small one before them."""
    ids = np.full((HEIGHT, WIDTH), ground)
    ids[:20] = above
    if thing is not None:
        ids[10:20, 10:20] = thing
    return ids


def _as_train_ids(label_ids: np.ndarray) -> np.ndarray:
    table = np.full(256, 255)
    table[list(TRAIN_IDS)] = list(TRAIN_IDS.values())
    return table[label_ids]


def _image(path: Path) -> None:
    save(path, np.zeros((HEIGHT, WIDTH, 3), np.uint8))


def _cityscapes(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    _image(root / "leftImg8bit/val/aachen/aachen_1_leftImg8bit.png")
    files = [root / f"gtFine/val/aachen/aachen_1_gtFine_{kind}.png" for kind in ("labelIds", "instanceIds")]
    save(files[0], semantic.astype(np.uint8))
    save(files[1], instance.astype(np.uint16))
    return files[0], files[1]


def _kitti360(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    tiny_rasters.TINY["kitti360"].write(root, "1")
    _image(root / f"data_2d_raw/{tiny_rasters.DRIVE}/data_rect/1.png")
    files = [
        root / f"data_2d_semantics/train/{tiny_rasters.DRIVE}/{kind}/1.png"
        for kind in ("semantic", "instance")
    ]
    save(files[0], semantic.astype(np.uint8))
    save(files[1], np.where(instance < 1000, instance * 1000, instance).astype(np.uint16))
    return files[0], files[1]


def _acdc(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    for condition in ("fog", "night", "rain", "snow"):
        part = f"{condition}/val/a/1"
        _image(root / f"rgb_anon/{part}_rgb_anon.png")
        save(root / f"gt/{part}_gt_labelTrainIds.png", semantic.astype(np.uint8))
        save(root / f"gt_panoptic/{part}_gt_panoptic.png", tiny_streets.packed(instance))
    return root / "gt/fog/val/a/1_gt_labelTrainIds.png", root / "gt_panoptic/fog/val/a/1_gt_panoptic.png"


def _mapillary(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    _image(root / "validation/images/1.jpg")
    files = [root / f"validation/{kind}/1.png" for kind in ("labels", "instances")]
    save(files[0], semantic.astype(np.uint8))
    save(files[1], (instance * 256).astype(np.uint16))
    return files[0], files[1]


def _ade20k(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    """Where ``instance`` is not 0, it is a class of the instance benchmark."""
    _image(root / "images/validation/1.jpg")
    files = [root / f"{kind}/validation/1.png" for kind in ("annotations", "annotations_instance")]
    save(files[0], semantic.astype(np.uint8))
    save(files[1], np.stack([instance, instance > 0, instance * 0], axis=2).astype(np.uint8))
    return files[0], files[1]


def _sbd(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    """``instance`` holds classes, each of one object."""
    _image(root / "img/1.jpg")
    (root / "val.txt").write_text("1\n")
    classes, objects = np.unique(instance, return_inverse=True)
    for folder in ("cls", "inst"):
        (root / folder).mkdir()
    savemat(root / "cls/1.mat", {"GTcls": {"Segmentation": semantic.astype(np.uint8)}})
    segmentation = objects.reshape(instance.shape).astype(np.uint8)
    savemat(root / "inst/1.mat", {"GTinst": {"Segmentation": segmentation, "Categories": classes[1:]}})
    return root / "cls/1.mat", root / "inst/1.mat"


def _synscapes(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    _image(root / "img/rgb/1.png")
    files = [root / f"img/{kind}/1.png" for kind in ("class", "instance")]
    save(files[0], semantic.astype(np.uint8))
    save(files[1], tiny_streets.packed(instance))
    return files[0], files[1]


def _urbansyn(root: Path, semantic: np.ndarray, instance: np.ndarray) -> tuple[Path, Path]:
    _image(root / "rgb/rgb_1.png")
    files = [root / f"{kind}_1.png" for kind in ("ss/ss", "panoptic/panoptic")]
    save(files[0], semantic.astype(np.uint8))
    save(files[1], tiny_streets.packed(instance))
    return files[0], files[1]


def _gta5(root: Path, semantic: np.ndarray, _: np.ndarray) -> tuple[Path, Path]:
    _image(root / "images/1.png")
    save(root / "labels/1.png", semantic.astype(np.uint8))
    return root / "labels/1.png", root / "labels/1.png"


Writer = Callable[[Path, np.ndarray, np.ndarray], tuple[Path, Path]]
LABELS, CODES = _scene(ROAD, SKY, CAR), _scene(ROAD, SKY, CAR * 1000 + 1)
EMPTY = _scene(ROAD, SKY)
NUMBERS = np.where(LABELS == CAR, 300, 0)
ADE_WALL, ADE_SKY, ADE_PERSON = 1, 3, 13

SCHEMES: dict[str, tuple[str, Writer, np.ndarray, np.ndarray, np.ndarray]] = {
    # kind, writer, classes of the right scheme and of another, objects
    "cityscapes": ("cityscapes", _cityscapes, LABELS, _as_train_ids(LABELS), CODES),
    "cityscapes, no object": ("cityscapes", _cityscapes, EMPTY, _as_train_ids(EMPTY), EMPTY),
    "kitti360": ("kitti360", _kitti360, LABELS, _as_train_ids(LABELS), CODES),
    "kitti360, no object": ("kitti360", _kitti360, EMPTY, _as_train_ids(EMPTY), EMPTY),
    "acdc": ("acdc", _acdc, _as_train_ids(_scene(ROAD, POLE)), _scene(ROAD, POLE), _scene(ROAD, POLE)),
    "mapillary": ("mapillary", _mapillary, _scene(13, 27, 55), _scene(0, 10, 13), _scene(13, 27, 55)),
    "ade20k": (
        "ade20k",
        _ade20k,
        _scene(ADE_WALL, ADE_SKY, ADE_PERSON),
        _scene(ADE_WALL, ADE_SKY, ADE_PERSON) - 1,
        _scene(0, 0, 4),
    ),
    "sbd": ("sbd", _sbd, _scene(0, 0, 15), _scene(0, 0, 14), _scene(0, 0, 15)),
    "synscapes": ("synscapes", _synscapes, LABELS, _as_train_ids(LABELS), NUMBERS),
    "urbansyn": ("urbansyn", _urbansyn, _as_train_ids(LABELS), _scene(0, 10), NUMBERS),
}


def _index(kind: str, root: Path) -> None:
    split = "train" if kind in ("synscapes", "urbansyn", "gta5") else "val"
    index_split(FolderConfig(kind=kind, root=str(root)), root, split)


@pytest.mark.parametrize("name", SCHEMES)
def test_classes_of_another_scheme(tmp_path: Path, name: str) -> None:
    kind, write, right, other, objects = SCHEMES[name]
    write(tmp_path / "right", right, objects)
    _index(kind, tmp_path / "right")
    semantic, instance = write(tmp_path / "other", other, objects)
    with pytest.raises(LabelError) as caught:
        _index(kind, tmp_path / "other")
    assert str(caught.value).startswith(f"{semantic}: ")
    assert str(instance) in str(caught.value)


def test_objects_of_another_scheme(tmp_path: Path) -> None:
    # instanceTrainIds beside labelIds, then beside train ids, which it does not contradict
    for name, labels in (("labels", LABELS), ("train ids", _as_train_ids(LABELS))):
        _, instance = _cityscapes(tmp_path / name, labels, _as_train_ids(LABELS) + 13_000 * (LABELS == CAR))
        with pytest.raises(LabelError, match=rf"{instance}: id 13\d+ is an object of label id 13, a"):
            _index("cityscapes", tmp_path / name)


CODED: dict[str, tuple[Writer, np.ndarray, np.ndarray]] = {
    # classes, and objects that are only numbered, or whose codes were cut to the number
    "cityscapes": (_cityscapes, LABELS, NUMBERS // 100),
    "kitti360": (_kitti360, LABELS, NUMBERS // 100),
    "acdc": (_acdc, _as_train_ids(LABELS), NUMBERS // 100),
    "mapillary": (_mapillary, _scene(13, 27, 55), EMPTY * 0),
}


@pytest.mark.parametrize("kind", CODED)
def test_objects_without_the_classes_that_their_codes_should_have(tmp_path: Path, kind: str) -> None:
    write, semantic, instance = CODED[kind]
    paths = write(tmp_path, semantic, instance)
    with pytest.raises(LabelError, match=rf"{paths[0]}: contradicts {paths[1]} in the class of 2400 of 2400"):
        _index(kind, tmp_path)


@pytest.mark.parametrize(("kind", "write"), [("gta5", _gta5), ("synscapes", _synscapes)])
def test_train_ids_tell_by_their_void(tmp_path: Path, kind: str, write: Writer) -> None:
    labels = _scene(ROAD, 0, CAR)
    path, _ = write(tmp_path, _as_train_ids(labels), np.zeros_like(labels))
    with pytest.raises(LabelError, match=rf"{path}: has 255 and no other id above 13, as only rasters of"):
        _index(kind, tmp_path)
    write(tmp_path, labels, np.zeros_like(labels))
    _index(kind, tmp_path)


def test_outlines_that_differ_a_little(tmp_path: Path) -> None:
    moved = np.roll(LABELS, 3, axis=1)
    _cityscapes(tmp_path, moved, CODES)
    config = FolderConfig(kind="cityscapes", root=str(tmp_path))
    dataset = open_dataset(config, tmp_path, index_split(config, tmp_path, "val").frame)
    assert (dataset[0].semantic == 13).sum() == 100
