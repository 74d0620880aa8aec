"""Paths in the configuration, with environment variables expanded."""

from __future__ import annotations

import os
import re
from pathlib import Path

from vfm_fusion.errors import VfmFusionError

_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")


def expand(text: str, key: str, error: type[VfmFusionError]) -> Path:
    """Expands ``~`` and environment variables in a configured path.

    Args:
        text: the path as configured.
        key: path of the setting, for the message.
        error: class of the error to raise.

    Raises:
        VfmFusionError: (of class ``error``) a variable is not set.
    """
    for match in _VARIABLE.finditer(text):
        variable = match[1] or match[2]
        if variable not in os.environ:
            raise error(
                f"{key}: {text!r} uses the environment variable {variable}, which is not set; "
                f"run: export {variable}=/your/folder"
            )
    return Path(os.path.expandvars(text)).expanduser()
