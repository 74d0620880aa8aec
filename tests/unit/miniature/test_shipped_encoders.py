"""The mini encoders in resources/encoders: what their cards say is so, and they are what a user gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.pretraining import PretrainedConfig, PretrainingConfig
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.miniature.pretraining.card import render
from vfm_fusion.study.resolve import resolve

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "resources" / "encoders"
MODELS = PretrainingConfig().models


def card(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_they_are_small() -> None:
    weights = sorted(FOLDER.glob("*.safetensors"))
    assert [path.stem for path in weights] == sorted(MODELS)
    assert sum(path.stat().st_size for path in weights) <= 16e6


@pytest.mark.parametrize("name", MODELS)
def test_a_card_describes_the_file_beside_it(name: str) -> None:
    facts, weights = card(name), FOLDER / f"{name}.safetensors"
    assert facts["sha256"] == file_sha256(weights)
    assert 0.3e6 <= facts["parameters"] <= 2e6
    assert facts["licence"] == "Apache-2.0"
    expected = render(facts, facts["sha256"], weights.stat().st_size)
    assert (FOLDER / f"{name}.md").read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("name", MODELS)
def test_a_card_tells_the_recipe_that_the_target_trains_by(name: str) -> None:
    facts = card(name)
    recipe = PretrainedConfig.model_validate_json(json.dumps(facts["recipe"]))
    assert recipe == MODELS[name]
    assert facts["data"] == PretrainingConfig().scenes.model_dump(mode="json")


@pytest.mark.parametrize("name", MODELS)
def test_training_has_taught_something(name: str) -> None:
    facts = card(name)
    before, after = facts["measured"]["untrained"], facts["measured"]["trained"]
    assert before.keys() == after.keys()
    worse = [measure for measure in before if after[measure] <= before[measure]]
    assert worse == []
    assert facts["losses"]["last"]["loss"] < facts["losses"]["first"]["loss"]


@pytest.mark.parametrize("experiment", ["miniature", "quick", "study"])
def test_the_default_experiments_use_them(experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    encoders = resolve({"experiment": experiment}, ROOT / "experiments").encoders
    assert list(encoders) == list(MODELS)
    for name, config in encoders.items():
        assert config.weights.path == f"resources/encoders/{name}.safetensors"
        encoder = build_encoder(config)
        with torch.inference_mode():
            maps = encoder(torch.rand(1, 3, 64, 96))
        assert all(bool(torch.isfinite(found).all()) for found in maps.values())
