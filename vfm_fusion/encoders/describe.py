"""How encoders are called in tables and figures."""

from __future__ import annotations

from vfm_fusion.config.encoders import EncoderConfig, FileWeights


def describe_pretraining(config: EncoderConfig) -> str:
    """Returns how tables and figures name the encoder's pre-training, such as ``untrained (seed 0)``."""
    if isinstance(config.weights, FileWeights):
        return config.weights.pretraining
    return f"untrained (seed {config.weights.seed})"
