"""What a caller passes besides encoders and pictures, checked as the settings of an experiment are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vfm_fusion.errors import ConfigError
from vfm_fusion.study.messages import explain


def validated(key: str, section: type, **values: Any) -> Any:
    """Validates settings as those of an experiment's section ``key``.

    Raises:
        ConfigError: a value is impossible; says what was expected.
    """
    try:
        return section.model_validate(values)
    except ValidationError as error:
        placed = [{**one, "loc": (key, *one["loc"])} for one in error.errors()]
        raise ConfigError("\n".join(explain(placed))) from None


def results_folder(path: str | Path, key: str) -> Path:
    """Returns the folder that the option ``key`` names, there or still to be made.

    Raises:
        ConfigError: it is a file, or there is no right to write.
    """
    folder = Path(path).expanduser()
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        problem = "is no folder" if not there.is_dir() else "cannot be written to"
        raise ConfigError(f"{key}: {there} {problem}; name another folder")
    return folder
