"""Where an encoder's weight file lies."""

from __future__ import annotations

from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig, FileWeights
from vfm_fusion.config.paths import expand
from vfm_fusion.errors import WeightsError


def weight_file(name: str, encoder: EncoderConfig) -> Path | None:
    """Returns the path of an encoder's weight file; None where it needs none.

    Args:
        name: the encoder's key, for the message.
        encoder: its configuration.

    Raises:
        WeightsError: an environment variable is unset or the file is missing.
    """
    if not isinstance(encoder.weights, FileWeights):
        return None
    key = f"encoders.{name}.weights.path"
    path = expand(encoder.weights.path, key, WeightsError)
    if not path.is_file():
        raise WeightsError(f"{key}: no weight file at {path}; correct the path or put the file there")
    return path
