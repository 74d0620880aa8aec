"""How runs and their encoders are named."""

from __future__ import annotations

import reporting_results as results

from vfm_fusion.reporting.labels import pretrainings, run_encoders, run_models

ALONE = results.evaluation("sam_fz", 0, 27.0)
FUSED = results.evaluation("fused", 0, 33.0)


def test_models_and_encoders_say_what_a_run_is_made_of() -> None:
    assert run_models(ALONE, results.LABELS) == "SAM mini FZ"
    twice = FUSED | {"strides": [4, 16]}
    assert run_models(twice, results.LABELS) == "DINO mini FT + SAM mini FZ at OS 4, 16"
    dino, sam = (results.LABELS[name]["pretraining"] for name in ("mini_dino", "mini_sam"))
    long = f"DINO mini FT · {dino} + SAM mini FZ · {sam}, injected at OS 16"
    assert run_encoders(FUSED, results.LABELS) == long


def test_an_upsampler_is_named_after_what_it_upsamples() -> None:
    injected = FUSED["auxiliary"] | {"upsampler": "lift"}
    assert run_models(FUSED | {"auxiliary": injected}, results.LABELS) == (
        "DINO mini FT + SAM mini FZ upsampled by lift at OS 16"
    )


def test_every_pretraining_is_named_once() -> None:
    assert pretrainings([ALONE, FUSED, ALONE], results.LABELS) == [
        "SAM mini: promptable masks, 240 images",
        "DINO mini: self-distilled, 240 images",
    ]
