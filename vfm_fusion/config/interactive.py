"""The experiment of interactive segmentation: which upsamplers, click models and data sets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, product
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.clicks import (
    ClickModelConfig,
    ClickProtocolConfig,
    ClickTrainingConfig,
    RobustnessConfig,
)
from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.systems import SystemConfig
from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.errors import ConfigError

if TYPE_CHECKING:
    from vfm_fusion.config.schema import Config


@dataclass(frozen=True, order=True)
class Cell:
    """A click model that is trained and tested: what it is made of, by name."""

    encoder: str
    upsampler: str
    clicks: str


class GridConfig(Section):
    """Cells: every combination of encoders, upsamplers and click models."""

    encoders: tuple[str, ...] = Field(
        strict=False, min_length=1, examples=[["dinov2"]], description="Names of encoders."
    )
    upsamplers: tuple[str, ...] = Field(
        strict=False,
        min_length=1,
        examples=[["bilinear", "loftup"]],
        description="Names of the experiment's `upsamplers`.",
    )
    clicks: tuple[str, ...] = Field(
        strict=False, min_length=1, examples=[["early", "late"]], description="Names of `click_models`."
    )


class QualityConfig(Section):
    """What upsampled maps are worth before any click: SC, EF, a linear probe, time and memory."""

    dataset: str | None = Field(
        None, description="The data set, its validation split; null: the first of `tested_on`."
    )
    images: int = Field(32, ge=1, description="Most images.")
    stride: int = Field(4, ge=1, description="Stride that maps are upsampled to.")
    probe_images: int = Field(16, ge=1, description="Training images that the linear probe is fitted on.")


class InteractiveConfig(SystemConfig):
    """Feature upsamplers, probed with interactive segmentation."""

    trained_on: str = Field(description="The data set whose training split click models learn from.")
    tested_on: tuple[str, ...] = Field(
        strict=False,
        min_length=1,
        examples=[["grabcut", "davis"]],
        description="Data sets whose validation split is clicked, in order.",
    )
    max_images: int | None = Field(
        None, ge=1, description="Most images of each that are clicked; null: all. Tables say how many."
    )
    click_models: dict[str, ClickModelConfig] = Field(min_length=1, description="Click models by name.")
    grid: tuple[GridConfig, ...] = Field(
        strict=False,
        min_length=1,
        examples=[[{"encoders": ["dinov2"], "upsamplers": ["bilinear"], "clicks": ["late"]}]],
        description="What is trained: the cells of all these grids, each once.",
    )
    seeds: tuple[int, ...] = Field(
        (0,), strict=False, min_length=1, examples=[[0, 1, 2]], description="Seeds of every cell."
    )
    training: ClickTrainingConfig = Field(
        default_factory=ClickTrainingConfig, description="How click models are trained."
    )
    protocol: ClickProtocolConfig = Field(
        default_factory=ClickProtocolConfig, description="How click models are scored."
    )
    robustness: RobustnessConfig | None = Field(
        None, description="Also click beside the best place (tables then have a column for it); null: not."
    )
    quality: QualityConfig | None = Field(
        default_factory=QualityConfig,
        description="Also score the upsampled maps themselves, for the question whether label-free scores "
        "know which upsampler wins; null: not.",
    )
    shown_images: int = Field(2, ge=1, description="Images of each data set in figures of maps and masks.")

    @model_validator(mode="after")
    def _names_each_once_and_has_curves_to_score(self) -> InteractiveConfig:
        for key, values in (("tested_on", self.tested_on), ("seeds", self.seeds)):
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{key}: {value!r} occurs {values.count(value)} times; name each once")
        if self.robustness is not None and self.protocol.max_clicks == 1:
            raise ValueError(
                "robustness: it scores curves of IoU against clicks, but protocol.max_clicks is 1; allow "
                "more clicks, or leave it out"
            )
        return self

    @property
    def cells(self) -> list[Cell]:
        """Every cell, each once, in the order of the grids."""
        named = (product(grid.encoders, grid.upsamplers, grid.clicks) for grid in self.grid)
        return [Cell(*names) for names in dict.fromkeys(chain.from_iterable(named))]

    @property
    def measured_on(self) -> str | None:
        """The data set that upsampled maps are scored on; None where they are not."""
        if self.quality is None:
            return None
        return self.quality.dataset or self.tested_on[0]

    def check(self, config: Config) -> None:
        """See :meth:`SystemConfig.check`."""
        named = [
            ("trained_on", (self.trained_on,), config.datasets),
            ("tested_on", self.tested_on, config.datasets),
        ]
        if self.measured_on is not None:
            named.append(("quality.dataset", (self.measured_on,), config.datasets))
        if self.robustness is not None and self.robustness.datasets is not None:
            named.append(("robustness.datasets", self.robustness.datasets, self.tested_on))
        for number, grid in enumerate(self.grid):
            named += [
                (f"grid[{number}].encoders", grid.encoders, config.encoders),
                (f"grid[{number}].upsamplers", grid.upsamplers, config.upsamplers),
                (f"grid[{number}].clicks", grid.clicks, self.click_models),
            ]
        for key, names, known in named:
            for name in names:
                if name not in known:
                    raise ConfigError(
                        f"interactive.{key}: {name!r} is not defined; there are: {', '.join(known) or 'none'}"
                        f"{did_you_mean(name, known)}"
                    )
        self._check_upsamplers(config)

    def _check_upsamplers(self, config: Config) -> None:
        """Files, tables and figures can tell the upsamplers apart."""
        labelled: dict[str, str] = {}
        for name in dict.fromkeys(cell.upsampler for cell in self.cells):
            is_other = name == TITLES["none"] and config.upsamplers[name].architecture != "none"
            if is_other or name == "image":
                meaning = "the encoder's own map" if is_other else "the image"
                raise ConfigError(
                    f"upsamplers.{name}: that is what files of upsampled maps call {meaning}; call the "
                    "upsampler something else"
                )
            label = config.upsamplers[name].title
            if label in labelled:
                raise ConfigError(
                    f"upsamplers.{name}: is called {label!r} in print, as {labelled[label]} is; tables could "
                    "not tell them apart: give it a label"
                )
            labelled[label] = name

    def splits(self, config: Config) -> list[tuple[str, str]]:
        """See :meth:`SystemConfig.splits`."""
        measured = [] if self.measured_on is None else [self.measured_on]
        return [(self.trained_on, "train"), *((name, "val") for name in (*self.tested_on, *measured))]
