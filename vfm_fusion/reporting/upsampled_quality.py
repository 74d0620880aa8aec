"""What upsampled maps are worth before any click, beside the clicks: SC, EF, a linear probe and cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.click_results import ClickResults
from vfm_fusion.reporting.result_files import read_keys

QUALITY_KEYS = (
    *("encoder", "upsampler", "dataset", "images", "stride", "size", "parameters", "scores"),
    *("definition", "peak_bytes", "probe"),
)
COST_KEYS = ("encoder", "upsampler", "device", "threads", "seconds")
SCORES = {"SC": "SC", "EF": "EF", "probe_mIoU": "linear probe"}
"""Scores of maps that may know which upsampler wins, in words."""
NOT_MEASURED = "upsampled maps were not measured (interactive.quality: null)"
UNDEFINED = "undefined on every image"
_MAP_TOO_SMALL = "every map is too small for it"

Quality = Mapping[str, Any]
"""One parsed ``quality.json``: the maps of an encoder, upsampled, on one data set."""
Cost = Mapping[str, Any]
"""One parsed ``cost.json``: what upsampling them took on the machine that did."""


@dataclass(frozen=True)
class Qualities:
    """What was measured of upsampled maps.

    Attributes:
        found: (encoder, upsampler) to what was measured; empty where nothing was.
        costs: the same to what it took.
    """

    found: Mapping[tuple[str, str], Quality]
    costs: Mapping[tuple[str, str], Cost]

    @property
    def facts(self) -> Quality | None:
        """What does not differ between upsamplers; None where nothing was measured."""
        return next(iter(self.found.values()), None)

    def score(self, encoder: str, upsampler: str, name: str) -> Value:
        """A score of maps with its interval over images; NaN with a reason where undefined."""
        if (encoder, upsampler) not in self.found:
            return Value.missing(NOT_MEASURED)
        quality = self.found[encoder, upsampler]
        told = quality["scores"].get(name)
        parts = told if isinstance(told, Mapping) else {"mean": told, "reason": quality["probe"]["reason"]}
        mean, low, high = (_number(parts.get(part)) for part in ("mean", "low", "high"))
        reason = (parts.get("reason") or UNDEFINED).replace("_", " ")
        return Value(mean, low=low, high=high).because(reason)

    def milliseconds(self, encoder: str, upsampler: str) -> Value:
        """What upsampling an image took, the median."""
        if (encoder, upsampler) not in self.costs:
            return Value.missing(NOT_MEASURED)
        seconds = _number(self.costs[encoder, upsampler]["seconds"])
        return Value(1e3 * seconds).because(_MAP_TOO_SMALL)

    def megabytes(self, encoder: str, upsampler: str) -> Value:
        """What upsampling the largest image needs, its result included, as predicted."""
        if (encoder, upsampler) not in self.found:
            return Value.missing(NOT_MEASURED)
        return Value(_number(self.found[encoder, upsampler]["peak_bytes"]) / 1e6).because(_MAP_TOO_SMALL)


def read_qualities(quality: Iterable[Path], costs: Iterable[Path]) -> Qualities:
    """Reads what was measured of the maps of all encoders and upsamplers.

    Raises:
        ReportingError: a file is not one, one occurs twice, or maps were not measured alike.
    """
    return Qualities(
        _by_maps(quality, QUALITY_KEYS, ("dataset", "images", "definition")),
        _by_maps(costs, COST_KEYS, ("device", "threads")),
    )


def _by_maps(
    paths: Iterable[Path], keys: Sequence[str], alike: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        told = read_keys(path, keys)
        key = (told["encoder"], told["upsampler"])
        if key in found:
            raise ReportingError(f"{path}: the maps of {key} were given twice")
        first = next(iter(found.values()), told)
        for part in alike:
            if told[part] != first[part]:
                raise ReportingError(
                    f"{path}: {part} {told[part]!r}, of others {first[part]!r}; measure all maps alike"
                )
        found[key] = told
    return found


def scored_cells(results: ClickResults, qualities: Qualities) -> pd.DataFrame:
    """Joins clicks and scores of maps, one row per cell and data set.

    Returns:
        The columns of :data:`vfm_fusion.reporting.upsampler_skill.CELL`, ``NoC`` of the leading target, each
        of :data:`SCORES` and ``parameters`` of the upsampler.
    """
    return pd.DataFrame(
        [
            {
                **key._asdict(),
                "NoC": tested.score(results.leading).mean,
                **{name: qualities.score(key.encoder, key.upsampler, name).mean for name in SCORES},
                "parameters": tested.facts["parameters"]["upsampler"],
            }
            for key, tested in results.tested.items()
        ]
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
