"""What is said of a setting of the wrong type or with a misspelt name, for every kind of setting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from vfm_fusion.config.schema import Config
from vfm_fusion.config.words import describe
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.places import Place
from vfm_fusion.study.resolve import resolve

OVERLAYS = Path(__file__).parents[3] / "experiments"
FORMS = (
    "expected one of [480, 640] (height, width), {short_side: 512}, {long_side: 640}, {multiple: 32}, "
    "{pad: [480, 640]}, {crop: [480, 640]} and null"
)


def said(raw: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        resolve({"experiment": "quick", **raw}, OVERLAYS)
    return str(error.value)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (
            {"training": {"augmentation": {"crop": 128}}},
            "training.augmentation.crop: expected a list of 2 whole numbers such as [512, 1024]; found 128",
        ),
        (
            {"training": {"augmentation": {"crop": [128]}}},
            "training.augmentation.crop: expected a list of 2 whole numbers such as [512, 1024]; found [128]",
        ),
        (
            {"training": {"augmentation": {"crop": [128, "a"]}}},
            "training.augmentation.crop.1: expected a whole number; found 'a'",
        ),
        ({"metrics": {"strides": 4}}, "expected a list of whole numbers such as [4, 8, 16, 32]; found 4"),
        (
            {"features": {"image_size": 512}},
            f"features.image_size: {FORMS}; found 512",
        ),
        ({"features": {"image_size": {"shortside": 512}}}, FORMS),
        (
            {"features": {"image_size": {"pad": [64, 64], "crop": [64, 64]}}},
            FORMS,
        ),
        (
            {"features": {"image_size": [480, 640, 3]}},
            "features.image_size: expected a list of 2 whole numbers such as [480, 640]; found [480, 640, 3]",
        ),
        (
            {"features": {"image_size": {"pad": 64}}},
            "features.image_size.pad: expected a list of 2 whole numbers such as [480, 640]; found 64",
        ),
        (
            {"features": {"image_size": {"short_side": 512, "maxside": 1024}}},
            "features.image_size.maxside: unknown key; did you mean 'max_side'?",
        ),
        (
            {"also_profiled": {"miniscapes": {"image_size": [480]}}},
            "also_profiled.miniscapes.image_size: expected a list of 2 whole numbers such as [480, 640]",
        ),
        (
            {"features": {"image_size": [0, 640]}},
            "image_size.0: input should be greater than or equal to 32",
        ),
        (
            {"features": {"image_size": {"short_side": 300, "max_side": 200}}},
            "features.image_size: short_side 300 is larger than max_side 200",
        ),
        (
            {"runs": {"fused": {"evaluated_on": 5}}},
            "runs.fused.evaluated_on: expected text or a list of texts such as [cityscapes, acdc]; found 5",
        ),
        (
            {"runs": {"fused": {"evaluated_on": ["a", 3]}}},
            "evaluated_on.1: expected text; found 3",
        ),
        (
            {"runs": {"fused": {"fusion": {"stride": "seleced"}}}},
            "such as [selected, 4]; found 'seleced'; did you mean 'selected'?",
        ),
        (
            {"runs": {"fused": {"fusion": {"stride": [4, "x"]}}}},
            "runs.fused.fusion.stride.1: expected a whole number or 'selected'; found 'x'",
        ),
        (
            {"training": {"schedule": {"power": 1.0}}},
            "training.schedule.kind: required, but not given",
        ),
        ({"training": {"schedule": 5}}, "training.schedule: expected a section with keys of kind, power or"),
        ({"features": 5}, "features: expected a section with keys of split, max_images"),
        ({"datasets": [1]}, "datasets: expected names, each with what it stands for; found [1]"),
        (
            {"training": {"seeds": []}},
            "training.seeds: expected a list of whole numbers such as [0], at least 1 item",
        ),
        ({"compute": {"gpu": "yes"}}, "compute.gpu: expected true or false; found 'yes'"),
        (
            {"recipes": {"r": {"training": {"augmentation": {"crop": 3}}}}},
            "recipes.r.training.augmentation.crop: expected a list of 2 whole numbers such as",
        ),
    ],
)
def test_a_value_of_another_type_is_told_what_is_expected(raw: dict[str, Any], line: str) -> None:
    assert line in said(raw)
    assert "\n" not in said(raw)


@pytest.mark.parametrize(
    ("raw", "key", "meant"),
    [
        ({"datasets": {"x": {"kind": "cityscape", "root": "a"}}}, "datasets.x.kind", "cityscapes"),
        ({"training": {"schedule": {"kind": "polly"}}}, "training.schedule.kind", "poly"),
        (
            {"training": {"augmentation": {"scale": {"kind": "relativ"}}}},
            "training.augmentation.scale.kind",
            "relative",
        ),
        (
            {"encoders": {"mini-dino": {"weights": {"source": "seed"}}}},
            "encoders.mini-dino.weights.source",
            "seeded",
        ),
        ({"features": {"split": "vall"}}, "features.split", "val"),
        ({"runs": {"fused": {"fusion": {"operator": "gate"}}}}, "runs.fused.fusion.operator", "gated"),
        ({"metrics": {"definitions": {"x": {"preset": "papr"}}}}, "metrics.definitions.x.preset", "paper"),
        ({"evaluation": {"instance_protocol": "cocos"}}, "evaluation.instance_protocol", "coco"),
        ({"training": {"head": {"matcher": "hungarain"}}}, "training.head.matcher", "hungarian"),
        (
            {"encoders": {"mini-dino": {"architecture": "mini_vitt"}}},
            "encoders.mini-dino.architecture",
            "mini_vit",
        ),
        ({"experiment": "quik"}, "experiment", "quick"),
        ({"dataset": "miniscape"}, "dataset", "miniscapes"),
        ({"runs": {"fused": {"auxiliary": "mini-samm"}}}, "runs.fused.auxiliary", "mini-sam"),
        ({"runs": {"fused": {"evaluated_on": "miniscape"}}}, "runs.fused.evaluated_on", "miniscapes"),
        ({"selection": {"among": ["mini-dinno", "mini-sam"]}}, "selection.among", "mini-dino"),
        ({"selection": {"definition": "papper"}}, "selection.definition", "paper"),
        ({"reporting": {"shown": ["fussed"]}}, "reporting.shown", "fused"),
    ],
)
def test_a_misspelt_name_is_told_which_one_was_meant(raw: dict[str, Any], key: str, meant: str) -> None:
    assert said(raw).startswith(f"{key}: ")
    assert f"did you mean {meant!r}?" in said(raw)


def sections(kind: Any) -> Iterator[type[BaseModel]]:
    """Every section that may stand in a type, with those inside it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from sections(field.annotation)
    for one in get_args(kind):
        yield from sections(one)


SETTINGS = {
    f"{section.__name__}.{name}": Place((name,), field.annotation, field, chosen=False)
    for section in sections(Config)
    for name, field in section.model_fields.items()
}


def test_every_setting_that_is_a_list_shows_an_example() -> None:
    lists = {name: place for name, place in SETTINGS.items() if "a list" in describe(place.kind)}
    assert len(lists) > 20
    for name, place in lists.items():
        assert " such as [" in place.expected, name


def test_every_setting_is_described() -> None:
    for name, place in SETTINGS.items():
        assert "something else" not in place.expected or "Any" in str(place.kind), name
