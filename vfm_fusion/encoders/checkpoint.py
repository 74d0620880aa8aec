"""The encoder that a training run has fine-tuned, in the run's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vfm_fusion.errors import WeightsError

MODEL_FILE = "model.safetensors"
_RUN_FILE = "run.json"


def checkpoint_file(key: str, folder: Path, architecture: str) -> Path:
    """Returns the weight file of a finished run whose fine-tuned master has ``architecture``.

    Args:
        key: path of the setting, for the message.
        folder: the run's folder.
        architecture: what the master must be.

    Raises:
        WeightsError: a file is missing or damaged, the run kept its master frozen, or trained another
            architecture.
    """
    path = folder / MODEL_FILE
    for file in (path, folder / _RUN_FILE):
        if not file.is_file():
            raise WeightsError(f"{key}: no {file.name} in {folder}; give the folder of a finished run")
    settings, encoders = _description(folder / _RUN_FILE)
    found = encoders[settings["master"]]["architecture"]
    if found != architecture:
        raise WeightsError(
            f"{key}: the run in {folder} trained {found}, not {architecture}; "
            "correct the path or the architecture"
        )
    if not settings["train_master"]:
        raise WeightsError(
            f"{key}: the run in {folder} kept {settings['master']!r} frozen, so it holds no encoder; use the "
            "encoder's own weights"
        )
    return path


def _description(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        settings, encoders = description["settings"], description["encoders"]
        encoders[settings["master"]]["architecture"], settings["train_master"]  # all that is read from it
    except (ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"{path}: not the description of a run ({error}); train the run again") from error
    return settings, encoders
