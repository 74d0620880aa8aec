"""Paths in the configuration, with environment variables expanded and existence checked."""

from __future__ import annotations

import os
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig, FileWeights
from vfm_fusion.errors import VfmFusionError, WeightsError


def expand(text: str, key: str, error: type[VfmFusionError]) -> Path:
    """Expands environment variables in a configured path.

    Args:
        text: the path as configured.
        key: path of the setting, for the message.
        error: class of the error to raise.

    Raises:
        VfmFusionError: (of class ``error``) a variable is not set.
    """
    expanded = os.path.expandvars(text)
    unset = [part for part in expanded.split("/") if part.startswith("$")]
    if unset:
        raise error(
            f"{key}: {text!r} uses {unset[0]}, which is not set; run: export {unset[0][1:]}=/your/folder"
        )
    return Path(expanded)


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
