"""Settings of Structural Coherence and Edge Fidelity, and their presets."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from vfm_fusion.config.base import Section


class MetricConfig(Section):
    """One complete definition of SC and EF (paper, Sec. 3.2).

    The defaults are the preset ``paper``. Constants that the paper's text lost are filled from the authors'
    released code.
    """

    grid: int = Field(
        8, ge=2, description="SFC (Eq. 1): the map is cut into grid x grid equal cells of at least 4 pixels."
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
    nc_norm: Literal["outside_core", "total"] = Field(
        "outside_core", description="NC: divide by the energy outside the core, or by the total energy."
    )
    rho_low: float = Field(
        0.15, gt=0, lt=1, description="FC (Eq. 6): normalised radial frequency above which energy counts."
    )
    tau: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="SP (Eq. 7): correlation below which a shifted map counts as decorrelated.",
    )
    max_shift: float = Field(0.6, gt=0, lt=1, description="SP: largest shift as a share of the shorter side.")
    n_radii: int = Field(16, ge=2, description="SP: number of log-spaced shift radii.")
    gamma: float = Field(1 / 64, gt=0, description="SP: decay per image pixel of displacement.")
    scale: float = Field(100.0, gt=0, description="EF (Eq. 8): factor for readability.")
    seed: int = Field(0, ge=0, description="Seed of subsampling and k-means, the same for every image.")

    @classmethod
    def preset(cls, name: str) -> Self:
        """Returns the settings called ``name``.

        Args:
            name: ``"paper"`` (Sec. 3.2 as written).

        Raises:
            KeyError: no preset has this name.
        """
        presets: dict[str, dict[str, object]] = {"paper": {}}
        if name not in presets:
            raise KeyError(f"unknown metric preset {name!r}; there are: {', '.join(sorted(presets))}")
        return cls(**presets[name])


class ProfileConfig(Section):
    """How encoders are profiled."""

    definition: MetricConfig = Field(
        default_factory=MetricConfig, description="The metric definition; defaults to the paper's."
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
