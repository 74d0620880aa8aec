"""Scores on an accelerator against those on the CPU."""

from __future__ import annotations

import pytest
import torch

from vfm_fusion.metrics import MetricConfig, edge_fidelity, null_floor, structural_coherence

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and pytest -m gpu"),
]


@pytest.mark.parametrize("preset", ["paper", "reference_table5", "reference_training", "calibrated"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_scores_agree_with_the_cpu(scene, preset, dtype):
    features, images = scene(7, batch=3, channels=48, size=(64, 96))
    features, config = features.to(dtype), MetricConfig.of(preset)
    for score in (structural_coherence, edge_fidelity, null_floor):
        arguments = (features,) if score is structural_coherence else (features, images)
        here = score(*arguments, config=config)
        there = score(*(argument.cuda() for argument in arguments), config=config)
        for name in vars(here):
            if name in ("reasons", "cropped"):
                assert getattr(here, name) == getattr(there, name)
                continue
            torch.testing.assert_close(
                getattr(there, name), getattr(here, name), rtol=1e-3, atol=1e-3, equal_nan=True
            )
