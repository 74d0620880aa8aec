"""Settings of augmentation that cannot be, and what is said of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale, ShortSideScale
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.resolve import resolve

OVERLAYS = Path(__file__).parents[3] / "experiments"


@pytest.mark.parametrize(
    ("augmentation", "parts"),
    [
        ({"crop": [512, 1000]}, ["crop [512, 1000]", "multiples of 32"]),
        ({"crop": [0, 64]}, ["crop [0, 64]", "positive"]),
        ({"scale": {"kind": "relative", "range": [1.2, 0.8]}}, ["scale.range: [1.2, 0.8]", "in order"]),
        ({"scale": {"kind": "relative", "range": [0, 1]}}, ["scale.range: [0.0, 1.0]", "positive"]),
        ({"scale": {"kind": "jitter", "range": [-1, 1]}}, ["scale.range: [-1.0, 1.0]", "positive"]),
        (
            {"scale": {"kind": "short_side", "max_side": 2000}},
            ["max_side 2000", "2048 pixels that factor 2 asks for", "raise max_side"],
        ),
        ({"scale": {"kind": "short_side", "factors": [0, 1]}}, ["scale.factors.0", "greater than 0"]),
        ({"scale": {"kind": "short_side", "factors": [math.inf]}}, ["scale.factors.0", "finite"]),
        ({"scale": {"kind": "jitter", "range": [1, math.inf]}}, ["scale.range: [1.0, inf]", "finite"]),
        (
            {"scale": {"kind": "short_side", "pixels": 8, "factors": [0.1]}},
            ["factor 0.1 times 8", "no length"],
        ),
        ({"scale": {"kind": "short_side", "factors": []}}, ["scale.factors", "at least 1 item"]),
        ({"scale": {"kind": "jiter"}}, ["scale", "'jiter'", "'short_side', 'relative', 'jitter'"]),
        ({"scale": {"kind": "jitter", "pixels": 640}}, ["scale.pixels: unknown key", "allowed: kind, range"]),
        ({"scales": [0.5, 2]}, ["scales: unknown key", "did you mean 'scale'"]),
        ({"single_category_max_area": 0}, ["single_category_max_area", "greater than 0"]),
        ({"single_category_max_area": 75}, ["single_category_max_area", "less than or equal to 1"]),
        ({"color": True}, ["color", "'none', 'simple' or 'ssd'"]),
    ],
)
def test_an_impossible_setting_is_refused_by_name(augmentation: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        resolve({"experiment": "quick", "training": {"augmentation": augmentation}}, OVERLAYS)
    for part in ["training.augmentation", *parts]:
        assert part in str(error.value)


def test_the_rule_of_the_single_category_needs_classes() -> None:
    ruled = {"augmentation": {"single_category_max_area": 0.75}}
    assert TrainingConfig.model_validate({"task": "semantic", **ruled})
    with pytest.raises(ValueError, match=r"max_area: 0\.75 limits the classes of all pixels"):
        TrainingConfig.model_validate({"task": "instance", **ruled})


def test_the_default_is_the_recipe_of_cityscapes() -> None:
    config = AugmentationConfig()
    assert config.crop == (512, 1024)
    assert config.scale == ShortSideScale(pixels=1024, max_side=4096)
    assert (config.flip, config.color, config.single_category_max_area) == (True, "ssd", 1)


def test_another_kind_of_scale_replaces_that_of_the_experiment() -> None:
    given = {"training": {"augmentation": {"scale": {"kind": "jitter"}}}}
    assert resolve({"experiment": "quick", **given}, OVERLAYS).training.augmentation.scale == JitterScale()
