"""Settings of data in layouts of the user's own: what is refused before any file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.errors import ConfigError
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

OVERLAYS = Path(__file__).parents[3] / "experiments"
MASKS = {"kind": "folder", "root": "r", "masks": "m/{}.png", "classes": ["a", "b"]}
OBJECTS = {"kind": "folder", "root": "r", "objects": {"path": "o/{}.png"}}
BOTH = {**MASKS, "objects": {"path": "o/{}.png", "classes": ["b"]}}
COCO = {"kind": "coco", "root": "r", "annotations": "{split}.json"}
LOT = {"kind": "fraction", "val": 0.5}


def study(data: dict[str, Any], **changes: Any) -> Study:
    raw = {"experiment": "quick", "dataset": "own", "datasets": {"own": data}, **changes}
    return Study(resolve(raw, OVERLAYS))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({**MASKS, "masks": None}, "classes and ignore are of masks"),
        ({**MASKS, "masks": "m/a.png"}, r"masks: 'm/a.png' has to have one \{\}"),
        ({**MASKS, "masks": "m/{id}{}.png"}, "has braces other than"),
        ({**MASKS, "classes": []}, "classes: required with masks"),
        ({**MASKS, "classes": ["a", "a"]}, "classes: name 'a' occurs twice"),
        ({**MASKS, "ignore": [1]}, "classes: id 1 occurs twice"),
        ({**MASKS, "ignore": [[1, 2, 3]]}, r"ignore: \[1, 2, 3\] is no id"),
        ({**MASKS, "classes": ["a", {"name": "b", "color": [1, 2, 3]}]}, "classes: 'b' has no id"),
        ({**MASKS, "classes": [{"name": "b", "color": [1, 2, 256]}]}, r"own.classes.0.color.2: input should"),
        ({**MASKS, "root": "r", "images": "../r"}, "images: '../r' is not below root"),
        ({**MASKS, "split": {**LOT, "val": 1.0}}, r"datasets.own.split.val: input should be less than 1"),
        ({**MASKS, "split": {"kind": "folder"}}, r"no path has \{split\}; write it into images or masks"),
        ({**OBJECTS, "objects": {"path": "o/a.png"}}, r"objects.path: 'o/a.png' has to have one \{\}"),
        ({**OBJECTS, "objects": {"path": "../{}.png"}}, r"objects.path: '../\{\}.png' is not below root"),
        ({**OBJECTS, "ignore": [255]}, r"classes and ignore are of masks; .* objects is objects.ignore"),
        ({**OBJECTS, "objects": {"path": "{}", "ignore": [0]}}, "ignore: 0 is where there is no object"),
        (
            {**OBJECTS, "objects": {"path": "{}", "ignore": [[1, 2, 3]]}},
            r"ignore: \[1, 2, 3\] is no id; by: id",
        ),
        (
            {**OBJECTS, "objects": {"path": "{}", "by": "color", "ignore": [[0, 0, 0]]}},
            r"ignore: \[0, 0, 0\] is where",
        ),
        (
            {**OBJECTS, "objects": {"path": "{}", "classes": ["b"]}},
            "objects.classes: are among those of masks",
        ),
        ({**BOTH, "objects": {"path": "o/{}.png"}}, "objects.classes: required with masks"),
        ({**BOTH, "objects": {"path": "{}", "classes": ["c"]}}, "objects.classes: 'c' is none of classes"),
        (
            {**BOTH, "objects": {"path": "m/{}.png", "classes": ["b"]}},
            r"objects.path: 'm/\{\}.png' are the masks",
        ),
        ({**COCO, "split": LOT}, r"split.kind: fraction, but a path has \{split\} already"),
        ({**COCO, "split": {"kind": "lists"}}, "did you mean 'list'"),
        ({**COCO, "classes": ["a"], "ignore": ["a"]}, "classes: 'a' occurs twice"),
        ({**COCO, "kind": "foldr"}, "did you mean 'folder'"),
    ],
)
def test_what_cannot_be_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        study(data)


def test_runs_need_a_training_split_labels_and_objects() -> None:
    with pytest.raises(ConfigError, match=r"datasets.own.split: without it every image is for validation"):
        study(MASKS)
    with pytest.raises(ConfigError, match=r"datasets.own.masks: without them .* runs.master; say where"):
        study({"kind": "folder", "root": "r", "split": LOT})
    with pytest.raises(ConfigError, match=r"runs.master: is trained for task panoptic, but the masks"):
        study({**MASKS, "split": LOT})
    assert study({**MASKS, "split": LOT}, training={"task": "semantic"}).has_labels
    assert study({**BOTH, "split": LOT}, training={"task": "panoptic"}).has_labels
    assert study({**OBJECTS, "split": LOT}, training={"task": "instance"}).has_labels
    assert study(COCO).splits == [("own", "train"), ("own", "val")]


def test_classes_that_are_compared_beforehand_have_to_be_named() -> None:
    there = {"datasets": {"own": COCO, "there": {**COCO, "classes": ["person", "car"]}}}
    runs = {"moved": {"master": "master", "evaluated_on": "there"}}
    raw = {"experiment": "quick", "dataset": "own", **there, "runs": runs}
    with pytest.raises(ConfigError, match=r"datasets.own.classes: name those of its JSON"):
        resolve(raw, OVERLAYS)
    there["datasets"]["own"] = {**COCO, "classes": ["car", "person"]}
    with pytest.raises(ConfigError, match=r"'there' has other classes than 'own', .*another order"):
        resolve(raw, OVERLAYS)
    there["datasets"]["own"] = {**COCO, "classes": ["person", "car"]}
    assert resolve(raw, OVERLAYS).targets_of("moved") == ("there",)


def test_photos_alone_are_profiled_by_the_first_data_set_of_six_lines(tmp_path: Path) -> None:
    (tmp_path / "photos.yaml").write_text(
        "paths: {results: results/photos}\n"
        "datasets:\n"
        "  photos: {kind: folder, root: ~/photos}\n"
        "encoders:\n"
        "  a: {architecture: dinov3_vitb16, weights: {source: hub}}\n"
        "  b: {architecture: sam_vitb16, weights: {source: hub}}\n"
    )
    found = Study(resolve({"experiment": "photos"}, tmp_path))
    assert found.dataset == "photos"
    assert found.splits == [("photos", "val")]
    assert (found.has_pair, found.has_labels, found.has_runs) == (True, False, False)
    assert resolve(found.config.model_dump(mode="json"), tmp_path) == found.config
