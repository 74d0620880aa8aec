"""What upsampled maps are worth before any click, beside the clicks: SC, EF, a linear probe and cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
    *("definition", "seconds", "peak_bytes"),
)
SCORES = {"SC": "SC", "EF": "EF", "probe_mIoU": "linear probe"}
"""Scores of maps that may know which upsampler wins, in words."""
NOT_MEASURED = "upsampled maps were not measured (interactive.quality: null)"
_REASONS = {
    **dict.fromkeys(("SC", "EF", "EF_null"), "undefined on every image"),
    "probe_mIoU": "no probe was fitted",
}

Quality = Mapping[str, Any]
"""One parsed ``quality.json``: the maps of an encoder, upsampled, on one data set."""


@dataclass(frozen=True)
class Qualities:
    """What was measured of upsampled maps.

    Attributes:
        found: (encoder, upsampler) to what was measured; empty where nothing was.
    """

    found: Mapping[tuple[str, str], Quality]

    @property
    def facts(self) -> Quality | None:
        """What does not differ between upsamplers; None where nothing was measured."""
        return next(iter(self.found.values()), None)

    def score(self, encoder: str, upsampler: str, name: str) -> Value:
        """A score of maps with its interval over images; NaN with a reason where undefined."""
        if (encoder, upsampler) not in self.found:
            return Value.missing(NOT_MEASURED)
        told = self.found[encoder, upsampler]["scores"].get(name)
        parts = told if isinstance(told, Mapping) else {"mean": told}
        mean, low, high = (_number(parts.get(part)) for part in ("mean", "low", "high"))
        return Value(mean, low=low, high=high).because(_REASONS[name])

    def cost(self, encoder: str, upsampler: str, name: str) -> Value:
        """``seconds`` of an image or ``peak_bytes``."""
        if (encoder, upsampler) not in self.found:
            return Value.missing(NOT_MEASURED)
        return Value(_number(self.found[encoder, upsampler][name])).because("not measured on this machine")


def read_qualities(paths: Iterable[Path]) -> Qualities:
    """Reads what was measured of the maps of all encoders and upsamplers.

    Raises:
        ReportingError: a file is not one, one occurs twice, or maps were not measured alike.
    """
    found: dict[tuple[str, str], Quality] = {}
    for path in paths:
        quality = read_keys(path, QUALITY_KEYS)
        key = (quality["encoder"], quality["upsampler"])
        if key in found:
            raise ReportingError(f"{path}: the maps of {key} were given twice")
        first = next(iter(found.values()), quality)
        for part in ("dataset", "images", "definition"):
            if quality[part] != first[part]:
                raise ReportingError(
                    f"{path}: {part} {quality[part]!r}, of others {first[part]!r}; measure all maps alike"
                )
        found[key] = quality
    return Qualities(found)


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
