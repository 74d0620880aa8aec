"""What must exist before anything is queued: data roots and weight files."""

from __future__ import annotations

import os
from pathlib import Path

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.encoders import EncoderConfig, FileWeights
from vfm_fusion.config.schema import Config
from vfm_fusion.errors import DatasetLayoutError, WeightsError


def data_root_of(config: Config) -> Path | None:
    """Returns the folder of the data set in use; None for a generated one, which the workflow makes itself.

    Raises:
        DatasetLayoutError: an environment variable is unset or the folder is missing.
    """
    dataset = config.datasets[config.dataset]
    if isinstance(dataset, MiniscapesConfig):
        return None
    key = f"datasets.{config.dataset}.root"
    root = Path(_expand(dataset.root, key, DatasetLayoutError))
    if not root.is_dir():
        raise DatasetLayoutError(f"{key}: no folder at {root}; correct the path or put the data set there")
    return root


def weight_file_of(name: str, encoder: EncoderConfig) -> str | None:
    """Returns the path of an encoder's weight file; None where it needs none.

    Raises:
        WeightsError: an environment variable is unset or the file is missing.
    """
    if not isinstance(encoder.weights, FileWeights):
        return None
    key = f"encoders.{name}.weights.path"
    path = Path(_expand(encoder.weights.path, key, WeightsError))
    if not path.is_file():
        raise WeightsError(f"{key}: no weight file at {path}; correct the path or put the file there")
    return str(path)


def _expand(text: str, key: str, error: type[Exception]) -> str:
    expanded = os.path.expandvars(text)
    unset = [part for part in expanded.split("/") if part.startswith("$")]
    if unset:
        raise error(f"{key}: {text!r} uses {unset[0]}, which is not set; run: export {unset[0][1:]}=/your/folder")
    return expanded
