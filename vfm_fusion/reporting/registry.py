"""Every table, figure and text: a new one is a module with ``build`` and an entry in ``entries/``."""

from __future__ import annotations

from vfm_fusion.reporting.entries import cost, data, interactive, profiles, results, selection

_FILES = (data, profiles, selection, results, cost, interactive)

REPORTS = tuple(entry for file in _FILES for entry in file.ENTRIES)
