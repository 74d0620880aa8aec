"""The upsamplers in resources/upsamplers/ are what their cards and the experiment that trains them say."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.encoders.build import weights_digest
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.upsampled_runs import trained_weights
from vfm_fusion.study.upsamplers import shipped_pairs
from vfm_fusion.upsampling.configured import configured_upsampler
from vfm_fusion.upsampling.pretraining.card import render

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "resources" / "upsamplers"


def test_shipped_upsamplers_are_those_of_their_cards_and_recipes() -> None:
    config = resolve({"experiment": "upsamplers"}, ROOT / "experiments")
    pairs = {f"{name}.{encoder}": (name, encoder) for name, encoder in shipped_pairs(config)}
    cards = sorted(FOLDER.glob("*.json"))
    assert cards
    assert {path.name for path in FOLDER.iterdir()} == {
        f"{card.stem}.{kind}" for card in cards for kind in ("safetensors", "json", "md")
    }
    for path in cards:
        name, encoder = pairs[path.stem]
        card, weights = json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".safetensors")
        assert card["file"]["sha256"] == file_sha256(weights)
        assert card["file"]["bytes"] == weights.stat().st_size < 2_000_000
        recipe = trained_weights(config)[name].recipe.model_dump(mode="json")
        assert card["recipe"].items() <= recipe.items()
        assert card["data"]["weights"] == weights_digest(config.encoders[encoder])
        assert path.with_suffix(".md").read_text(encoding="utf-8") == render(card, card["file"])


def test_shipped_upsamplers_are_read_by_the_path_that_an_experiment_gives() -> None:
    for path in FOLDER.glob("*.json"):
        card = json.loads(path.read_text(encoding="utf-8"))
        keys = {"architecture": card["architecture"], "settings": card["settings"]}
        source = {"source": "file", "path": f"{FOLDER}/{card['upsampler']}.{{encoder}}.safetensors"}
        channels = card["maps"]["channels"]
        config = UpsamplerConfig.model_validate({**keys, "weights": source})
        upsampler = configured_upsampler(card["upsampler"], config, card["encoder"], channels, None)
        made = upsampler.up(torch.randn(1, channels, 4, 4), torch.randn(1, 3, 64, 64), (8, 8))
        assert torch.isfinite(made).all()
        assert sum(parameter.numel() for parameter in upsampler.parameters()) == card["parameters"]
