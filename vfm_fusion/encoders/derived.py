"""Specs of timm models without an entry, found out once and kept in the user's cache.

Planning reads specs at every start of the workflow and of each of its jobs, and needs neither torch nor timm
for it: only the first question about a model imports them.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vfm_fusion.atomic import write_text
from vfm_fusion.encoders.spec import EncoderSpec

PREFIX = "timm:"
"""What the name of an architecture starts with that is timm's and has no entry."""

_SPEC = TypeAdapter(EncoderSpec)
_MAKERS = ("derived.py", "probe.py", "spec.py", "timm_models.py")


@cache
def derived_spec(architecture: str) -> EncoderSpec:
    """Returns the spec of an architecture ``timm:NAME``.

    It is kept below ``$XDG_CACHE_HOME/vfm_fusion`` (``~/.cache``), by the versions of timm and torch and the
    code that finds it out.

    Raises:
        ConfigError: see :func:`vfm_fusion.encoders.probe.probed_spec`.
    """
    name = architecture.removeprefix(PREFIX)
    file = _kept(name)
    with suppress(OSError, ValidationError):  # keeping it only saves time
        return _SPEC.validate_json(file.read_bytes())
    # by name, so that the probe is no part of the code of rules: what it finds out is in their settings
    spec: EncoderSpec = import_module("vfm_fusion.encoders.probe").probed_spec(name)
    with suppress(OSError):
        write_text(file, _SPEC.dump_json(spec, indent=2).decode())
    return spec


def _kept(name: str) -> Path:
    """The file of a spec; its name is made of the model's without what cannot be part of a file's name."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    code = "".join(Path(__file__).with_name(maker).read_text(encoding="utf-8") for maker in _MAKERS)
    made = hashlib.sha256(f"{version('timm')} {version('torch')} {name} {code}".encode()).hexdigest()[:16]
    readable = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:80]
    return folder / "vfm_fusion" / "timm" / f"{readable}-{made}.json"
