"""The model card of an upsampler that was trained here."""

from __future__ import annotations

import json

import pytest

from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.upsampling.pretraining.card import facts, render
from vfm_fusion.upsampling.pretraining.task import UpsamplerTraining

RECIPE = {"steps": 3, "side": 64}
ROWS = [{"step": step, "loss": loss, "grad_norm": 1.0, "lr": 1e-3} for step, loss in ((1.0, 0.5), (3.0, 0.4))]
MEASURED = {
    "untrained": {"loss": 0.6, "cosine": 0.1, "error": 1.1},
    "trained": {"loss": 0.4, "cosine": 0.9, "error": 0.6},
    "bilinear": {"cosine": 0.8, "error": 0.7},
}
FILE = {"name": "jbu-a.mini.safetensors", "sha256": "0" * 64, "bytes": 82_888}


@pytest.mark.parametrize(
    ("trained", "said"),
    [
        ({}, "It is nearer to them than bilinear interpolation by the cosine and the error."),
        ({"error": 0.8}, "It is nearer to them than bilinear interpolation by the cosine, not by the error."),
        ({"error": 0.8, "cosine": 0.7}, "It is no nearer to them than bilinear interpolation"),
    ],
)
def test_the_card_says_what_it_is_and_whether_it_beats_interpolation(
    trained: dict[str, float], said: str, encoder: Encoder, scenes: Dataset
) -> None:
    config = UpsamplerConfig.model_validate(
        {
            "architecture": "jbu",
            "weights": {"source": "trained", "dataset": "scenes", "recipe": RECIPE},
        }
    )
    task = UpsamplerTraining("jbu", config.weights.recipe, encoder, scenes, config.class_settings)
    names = {"upsampler": "jbu-a", "encoder": "mini", "dataset": "scenes"}
    data = {"images": 36, "held_out": 4, "weights": "seed-1"}
    measured = {**MEASURED, "trained": {**MEASURED["trained"], **trained}}
    card = json.loads(json.dumps(facts(names, config, task, data, ROWS, measured)))
    assert card["settings"] == {"input_norm": True}
    assert card["maps"] == {"architecture": "mini_vit", "stride": 16, "channels": 128}
    assert "log_every" not in card["recipe"]
    page = render(card, FILE)
    assert page.startswith("# FeatUp (JBU) for mini\n")
    assert f"{card['parameters']:,} parameters |" in page
    assert "| architecture | `jbu` (input_norm true), " in page
    assert "| file | `jbu-a.mini.safetensors`, float16, 0.08 MB |" in page
    assert "| bilinear |  | 0.8000 | 0.7000 |" in page
    assert said in page
