"""Objects that a registry names as ``module:object``; they are imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vfm_fusion.errors import ConfigError


def load(target: str) -> Any:
    """Imports a module and returns an object of it.

    Args:
        target: ``module:object``.

    Raises:
        ConfigError: the module has no such object.
    """
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise ConfigError(f"{target!r}: {module} has no {name}; correct the registry's line") from None
