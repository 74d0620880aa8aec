"""Runs with upsamplers are planned with what they need, beside those without."""

from __future__ import annotations

import json

from working_copy import SMALL, Workflow

TRAINED = {"source": "trained", "dataset": "miniscapes", "recipe": {"steps": 2, "side": 64}}
UPSAMPLERS = {"bilinear": {"architecture": "bilinear"}, "lift": {"architecture": "lift", "weights": TRAINED}}
FUSED = {"master": "mini-swin", "auxiliary": "mini-dino", "fusion": {"stride": 4}}
RUNS = {
    "plain": FUSED,
    "smooth": {**FUSED, "upsampling": {"auxiliary": "bilinear"}},
    "lift": {**FUSED, "upsampling": {"auxiliary": "lift"}},
    "role": {"master": "auxiliary", "upsampling": {"master": "lift"}},
    **dict.fromkeys(("master", "auxiliary-frozen", "fused", "fused-reverse")),
}


def test_a_trained_upsampler_is_made_once_for_all_runs_that_use_it(fresh: Workflow) -> None:
    fresh.config = {**SMALL, "upsamplers": json.dumps(UPSAMPLERS), "runs": json.dumps(RUNS)}
    planned = fresh.planned()
    assert planned["pretrain_upsampler"] == 1
    assert [planned[name] for name in ("train", "predict", "evaluate")] == [4, 4, 4]
    assert [planned[name] for name in ("measure_cost", "table_main_results", "extract_finetuned")] == [1] * 3
