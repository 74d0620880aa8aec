"""Why a score is undefined, in words, and which setting would give it at the size of the images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfm_fusion.config.image_size import ImageSize, read_image_size
from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.datasets.fitting import fit_image, fit_size
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.structural_coherence import grid_of

Words = Callable[[str, str, int], str]
"""From the reason of an undefined score, its definition and its stride to what a footnote says of it."""

_DIVISOR = 32
"""Encoders see sides that are multiples of this, or of a part of it."""
_LARGEST = 1 << 14


def plain_words(reason: str, definition: str, stride: int) -> str:
    """Says a reason without a remedy."""
    return reason.replace("_", " ")


@dataclass(frozen=True)
class Remedies:
    """What can be done about scores that are undefined because maps are small.

    Attributes:
        definitions: the metric definitions by name.
        size: (height, width) of the smallest images as they are profiled.
        setting: key of the setting that says how large that is.
    """

    definitions: Mapping[str, MetricConfig]
    size: tuple[int, int]
    setting: str

    @classmethod
    def of(cls, summary: Path, settings: Mapping[str, Any]) -> Remedies:
        """Reads the sizes of images from the summary of their index.

        Args:
            summary: JSON with ``smallest_sides``.
            settings: ``definitions`` as pairs of a name and settings, ``image_size`` and ``setting``.
        """
        definitions = {
            name: MetricConfig.model_validate_json(json.dumps(definition))
            for name, definition in settings["definitions"]
        }
        smallest = json.loads(summary.read_text(encoding="utf-8"))["smallest_sides"]
        return cls.at(definitions, smallest, read_image_size(settings["image_size"]), settings["setting"])

    @classmethod
    def at(
        cls,
        definitions: Mapping[str, MetricConfig],
        smallest: Sequence[int],
        image_size: ImageSize | None,
        setting: str,
    ) -> Remedies:
        """Finds the size that the smallest images, (height, width), are profiled at."""
        return cls(definitions, fit_size(*fit_image(*smallest, image_size).size, _DIVISOR), setting)

    def words(self, reason: str, definition: str, stride: int) -> str:
        """Says a reason and, where the map is too small for a setting, what to set."""
        said = plain_words(reason, definition, stride)
        key = said.replace(" ", "_")
        height, width = (side // stride for side in self.size)
        if key in (reasons.TOO_FEW_PIXELS, reasons.EDGES_EVERYWHERE):
            return (
                f"{said} in a map of {height} x {width}: profile larger images ({self.setting}), or leave "
                f"{stride} out of metrics.strides"
            )
        if key not in (reasons.GRID_TOO_FINE, reasons.ONE_CELL) or definition not in self.definitions:
            return said
        config = self.definitions[definition]
        name = "grid" if config.sfc_cells == "grid" else "cell_pixels"
        fitting = self._fitting(config, name, height, width)
        changes = [f"metrics.definitions.{definition}.{name}: {fitting}"] if fitting else []
        shorter = self._shorter_side(config, stride)
        changes += [f"{self.setting}: {{short_side: {shorter}}}"] if shorter else []
        known = f" for a map of {height} x {width}" if fitting or shorter else ""
        return f"{said}{known}: set {', or '.join(changes)}" if changes else said

    def _fitting(self, config: MetricConfig, name: str, height: int, width: int) -> int | None:
        """The value nearest to the configured one that SFC is defined with on such a map."""
        smaller = range(getattr(config, name) - 1, 1, -1)
        tried = ((value, config.model_copy(update={name: value})) for value in smaller)
        return next((value for value, other in tried if _defined(other, height, width)), None)

    def _shorter_side(self, config: MetricConfig, stride: int) -> int | None:
        """The smallest shorter side that encoders see as it is and with which the map is large enough."""
        shorter = min(self.size)
        for side in range(shorter + _DIVISOR, _LARGEST, _DIVISOR):
            height, width = fit_size(*(whole * side // shorter for whole in self.size), _DIVISOR)
            if _defined(config, height // stride, width // stride):
                return side
        return None


def _defined(config: MetricConfig, height: int, width: int) -> bool:
    """Whether SFC's cells are large enough, and two or more, on a map of ``height`` x ``width``."""
    grid = grid_of(height, width, config)
    pixels, cells = grid.cell_height * grid.cell_width, grid.rows * grid.columns
    chance = config.chance_deviations is not None
    return cells > 1 and pixels >= max(config.smallest_cell, 2 if chance else 1)
