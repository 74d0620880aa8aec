"""Laying settings over settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHOICES = ("kind", "source")
"""Keys that say by their value which of several alternatives a mapping is."""
_FORMS = {"short_side", "long_side", "pad", "crop"}
"""Keys that say so by being there: the forms of a size."""


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merges ``over`` into ``base``: mappings key by key, everything else replaced, ``None`` removes a key.

    A mapping that chooses another alternative (another ``kind`` or ``source``, another form of a size)
    replaces the one below it, whose other keys would mean nothing to it.

    >>> deep_merge({"a": {"x": 1, "y": 2}, "b": [1]}, {"a": {"y": 3}, "b": None})
    {'a': {'x': 1, 'y': 3}}
    >>> deep_merge({"a": {"kind": "poly", "power": 0.9}}, {"a": {"kind": "constant"}})
    {'a': {'kind': 'constant'}}
    >>> deep_merge({"a": {"short_side": 512, "max_side": 1024}}, {"a": {"crop": [480, 480]}})
    {'a': {'crop': [480, 480]}}
    """
    merged = dict(base)
    for key, value in over.items():
        if value is None and isinstance(merged.get(key), Mapping | list):
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = dict(value) if _another(merged[key], value) else deep_merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _another(base: Mapping[str, Any], over: Mapping[str, Any]) -> bool:
    forms, wanted = _FORMS & base.keys(), _FORMS & over.keys()
    if forms and wanted and not forms & wanted:
        return True
    return any(key in base and key in over and base[key] != over[key] for key in _CHOICES)
