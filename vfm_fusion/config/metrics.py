"""Settings of Structural Coherence and Edge Fidelity, and their presets."""

from __future__ import annotations

from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from vfm_fusion.config.base import Section

PresetName = Literal["paper", "reference_table5", "reference_training", "calibrated"]

_REFERENCE: dict[str, Any] = {
    "smallest_cell": 1,
    "ec_region": "core_and_near",
    "nc_norm": "total",
    "fc_radius": "linspace",
    "sp_map": "l2_highpass",
    "sp_stride": "one",
}

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "reference_table5": _REFERENCE
    | {
        "sfc_cells": "pixels",
        "l2_clip": 5.0,
        "gradient": "channels",
        "edge_quantile": 0.40,
        "feature_quantile": 0.40,
    },
    "reference_training": _REFERENCE
    | {"grid": 16, "feature_quantile": 0.10, "fc_map": "pca1", "fc_clip": 8.0},
    "calibrated": {
        "chance_deviations": 3.0,
        "antialias": True,
        "fc_map": "gradient",
        "fc_band": "resolvable",
        "sp_map": "gradient",
        "yardstick": "image",
        "ef_factors": ("ec", "fc", "sp"),
    },
}
"""Each preset as its differences from the defaults."""


class MetricConfig(Section):
    """One complete definition of SC and EF (paper, Sec. 3.2).

    A preset is a named set of these settings; any of them may be given beside it. The defaults are the preset
    ``paper``, Sec. 3.2 as written, with the constants that the paper's text lost filled from the authors'
    released code. ``reference_table5`` and ``reference_training`` are what that code computes to profile
    encoders and to choose a stage; ``calibrated`` is this project's own.
    """

    preset: PresetName = Field(
        "paper",
        description="Named definition that fills every setting not given: `paper` (Sec. 3.2 as written), "
        "`reference_table5` and `reference_training` (the released profiling and training code), "
        "`calibrated` (ours: ranks no control wrong).",
    )
    sfc_cells: Literal["grid", "pixels"] = Field(
        "grid", description="SFC (Eq. 1): cells from a grid x grid division, or of a fixed size in pixels."
    )
    grid: int = Field(8, ge=2, description="SFC with `grid` cells: cells along each side.")
    cell_pixels: int = Field(
        8, ge=2, description="SFC with `pixels` cells: side of a cell in feature pixels."
    )
    smallest_cell: int = Field(
        4,
        ge=1,
        description="SFC: with cells of fewer pixels it is undefined (with one pixel a cell it is 1 for any "
        "map); the released code has no such limit.",
    )
    l2_clip: float | None = Field(
        None,
        gt=0,
        description="SFC: the z-scored L2 map is clipped to plus/minus this many sample deviations.",
    )
    pca_dims: int = Field(32, ge=1, description="SCS (Eq. 2): principal components kept before k-means.")
    clusters: tuple[int, ...] = Field(
        (6, 8, 10),
        strict=False,
        min_length=1,
        description="SCS: numbers of clusters; the median silhouette counts.",
    )
    max_points: int = Field(
        4096, ge=8, description="SCS: pixels drawn without replacement for PCA and k-means."
    )
    silhouette_points: int = Field(
        2000, ge=8, description="SCS: stratified subsample on which the silhouette is computed."
    )
    n_init: int = Field(10, ge=1, description="SCS: k-means restarts.")
    edge_quantile: float = Field(
        0.10, gt=0, lt=1, description="EF: share of pixels with the strongest image gradient that are edges."
    )
    antialias: bool = Field(False, description="EF: antialias when the image is resized to the feature grid.")
    r_in: int = Field(
        2, ge=1, description="EC (Eq. 4): square dilation radius of the edge core, in feature pixels."
    )
    r_out: int = Field(
        4, ge=2, description="NC (Eq. 5): outer radius of the near-edge band, in feature pixels."
    )
    chance_deviations: float | None = Field(
        None,
        ge=0,
        description="SFC, EC: what a map without spatial order gets by chance is subtracted, and a share "
        "within this many standard deviations of it counts as 0; null: the shares as they are.",
    )
    gradient: Literal["pca1", "channels"] = Field(
        "pca1",
        description="EC, NC: gradient of the first principal component, or of all z-scored channels at once.",
    )
    feature_quantile: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="EC, NC: only this share of pixels with the strongest gradient counts; null: all.",
    )
    ec_region: Literal["core", "core_and_near"] = Field(
        "core", description="EC: energy within r_in of an edge, or within r_out (one minus the far share)."
    )
    nc_norm: Literal["outside_core", "total"] = Field(
        "outside_core", description="NC: divide by the energy outside the core, or by the total energy."
    )
    fc_map: Literal["l2", "pca1", "gradient"] = Field(
        "l2",
        description="FC (Eq. 6): spectrum of the L2 map, of the first principal component, or of the "
        "gradient that EC counts.",
    )
    fc_band: Literal["fixed", "resolvable"] = Field(
        "fixed",
        description="FC: frequencies from rho_low on, or only those that the window (2 cycles per shorter "
        "side) and repeated pixels (their Nyquist frequency) can resolve.",
    )
    fc_clip: float | None = Field(
        None, gt=0, description="FC: the z-scored map is clipped to plus/minus this many sample deviations."
    )
    fc_radius: Literal["fft", "linspace"] = Field(
        "fft",
        description="FC: exact FFT frequencies, or the released code's linspace(-1, 1) grid over the shifted "
        "spectrum.",
    )
    rho_low: float = Field(
        0.15, gt=0, lt=1, description="FC: normalised radial frequency above which energy counts."
    )
    sp_map: Literal["l2", "l2_highpass", "gradient"] = Field(
        "l2",
        description="SP (Eq. 7): the L2 map, the L2 map minus its zero-padded 3 x 3 mean, or the gradient "
        "that EC counts.",
    )
    sp_stride: Literal["image", "one"] = Field(
        "image", description="SP: the displacement counts in image pixels, or in feature pixels."
    )
    tau: float = Field(
        0.5, gt=0, lt=1, description="SP: correlation below which a shifted map counts as decorrelated."
    )
    max_shift: float = Field(0.6, gt=0, lt=1, description="SP: largest shift as a share of the shorter side.")
    n_radii: int = Field(16, ge=2, description="SP: number of log-spaced shift radii.")
    gamma: float = Field(1 / 64, gt=0, description="SP: decay per pixel of displacement.")
    yardstick: Literal["none", "image"] = Field(
        "none",
        description="FC, SP: as they are, or relative to the image's own gradient at the same stride, beyond "
        "which nothing is gained.",
    )
    ef_factors: tuple[Literal["ec", "nc", "fc", "sp"], ...] = Field(
        ("ec", "nc", "fc", "sp"), strict=False, min_length=1, description="EF (Eq. 8): its factors."
    )
    scale: float = Field(100.0, gt=0, description="EF (Eq. 8): factor for readability.")
    null_draws: int = Field(
        5, ge=0, description="Random permutations of the pixels behind each null score; 0 leaves nulls out."
    )
    seed: int = Field(
        0, ge=0, description="Seed of subsampling, k-means and permutations, the same for every image."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return PRESETS.get(values.get("preset", "paper"), {}) | values

    @model_validator(mode="after")
    def _band_has_width(self) -> Self:
        if self.r_in >= self.r_out:
            raise ValueError(
                f"r_in {self.r_in} is not below r_out {self.r_out}; there would be no near-edge band"
            )
        return self

    @classmethod
    def of(cls, preset: PresetName, **changes: Any) -> Self:
        """Returns a preset with some settings changed.

        Raises:
            pydantic.ValidationError: no preset has this name, or a setting is wrong.
        """
        return cls.model_validate({"preset": preset} | changes)


def _default_definitions() -> dict[str, MetricConfig]:
    return {"paper": MetricConfig.of("paper"), "calibrated": MetricConfig.of("calibrated")}


class ProfileConfig(Section):
    """How encoders are profiled."""

    definitions: dict[str, MetricConfig] = Field(
        default_factory=_default_definitions,
        min_length=1,
        description="Metric definitions to compute, by name; `paper` and `calibrated` when left out. One "
        "that is named like a preset is that preset with the given changes. `selection.definition` names the "
        "one that pairs encoders.",
    )
    strides: tuple[int, ...] = Field(
        (4, 8, 16, 32), strict=False, min_length=1, description="Output strides to profile."
    )
    interpolation: Literal["nearest", "bilinear"] = Field(
        "nearest", description="How a stride that an encoder lacks is derived from its nearest native one."
    )
    bootstrap: int = Field(
        1000, ge=100, description="Bootstrap resamples (over images) behind each 95 % interval."
    )
    seed: int = Field(0, ge=0, description="Seed of the bootstrap.")

    @model_validator(mode="before")
    @classmethod
    def _name_is_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("definitions"), dict):
            return values
        named = {
            name: {"preset": name} | definition
            if name in get_args(PresetName) and isinstance(definition, dict)
            else definition
            for name, definition in values["definitions"].items()
        }
        return values | {"definitions": named}
