"""Which settings of a metric definition are varied to see how far SC and EF depend on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError, field_validator

from vfm_fusion.config.base import Section
from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.words import expected_of

Factor = Literal["sfc", "scs", "concentration", "fc", "sp"]

REGION_SETTINGS = ("edge_quantile", "antialias", "r_in", "r_out")
"""Settings that decide where an image has its edges."""

GRADIENT_SETTINGS = ("gradient", "feature_quantile")
"""Settings that decide what the gradient of a feature map is."""

FACTOR_SETTINGS: dict[Factor, tuple[str, ...]] = {
    "sfc": ("sfc_cells", "grid", "cell_pixels", "smallest_cell", "l2_clip", "chance_deviations"),
    "scs": ("pca_dims", "clusters", "max_points", "silhouette_points", "n_init", "seed"),
    "concentration": (*GRADIENT_SETTINGS, "ec_region", "nc_norm", "chance_deviations", *REGION_SETTINGS),
    "fc": (
        *("fc_map", "fc_clip", "fc_radius", "fc_band", "rho_low"),
        *("yardstick", "antialias", *GRADIENT_SETTINGS),
    ),
    "sp": (
        *("sp_map", "sp_stride", "tau", "max_shift", "n_radii", "gamma"),
        *("yardstick", "antialias", *GRADIENT_SETTINGS),
    ),
}
"""The settings that each factor of SC and EF depends on; ``concentration`` is EC and NC together."""

FACTORS: dict[Literal["sc", "ef"], tuple[Factor, ...]] = {
    "sc": ("sfc", "scs"),
    "ef": ("concentration", "fc", "sp"),
}
"""What each score is a product of."""

JOINT = "+"
"""Joins the names of settings that are varied together."""


class Variant(NamedTuple):
    """A definition that differs from the baseline in one setting.

    Attributes:
        setting: its name, or several joined by ``+``.
        value: its value as JSON; a list of values where there are several settings.
        baseline: whether that is the baseline's value.
        definition: the definition.
    """

    setting: str
    value: str
    baseline: bool
    definition: MetricConfig


def factors_of(setting: str) -> tuple[Factor, ...]:
    """Returns the factors that depend on a setting, or on one of several joined by ``+``.

    Raises:
        ValueError: no factor depends on it.
    """
    names = settings_of(setting)
    return tuple(factor for factor, settings in FACTOR_SETTINGS.items() if not names.isdisjoint(settings))


def scores_of(setting: str) -> tuple[Literal["sc", "ef"], ...]:
    """Returns the scores that depend on a setting; see :func:`factors_of`."""
    factors = factors_of(setting)
    return tuple(score for score, parts in FACTORS.items() if not set(parts).isdisjoint(factors))


def settings_of(setting: str) -> set[str]:
    """Splits a setting's name at ``+``.

    Raises:
        ValueError: no factor depends on one of the names.
    """
    known = list(dict.fromkeys(name for settings in FACTOR_SETTINGS.values() for name in settings))
    names = setting.split(JOINT)
    for name in names:
        if name not in known:
            raise ValueError(
                f"no factor of SC or EF has a setting {name!r}{did_you_mean(name, known)} "
                f"(there are: {', '.join(known)})"
            )
    return set(names)


def _default_sweeps() -> dict[str, list[Any]]:
    return {
        "grid": [2, 4, 8, 16],
        "pca_dims": [16, 32, 64],
        "clusters": [[4, 6, 8], [6, 8, 10], [8, 10, 12]],
        "seed": [0, 1, 2],
        "edge_quantile": [0.05, 0.1, 0.2, 0.4],
        "antialias": [False, True],
        "r_in+r_out": [[1, 2], [1, 4], [2, 4], [2, 8], [4, 8]],
        "nc_norm": ["outside_core", "total"],
        "rho_low": [0.05, 0.1, 0.15, 0.2, 0.3],
        "tau": [0.3, 0.4, 0.5, 0.6, 0.7],
        "gamma": [1 / 256, 1 / 128, 1 / 64, 1 / 32, 1 / 16],
    }


class SensitivityConfig(Section):
    """Which settings of the definition that pairs encoders are varied, one at a time (paper, App. A.1)."""

    images: int | None = Field(
        8, ge=1, description="Images, evenly spaced, that the variants are computed on; null: all."
    )
    sweeps: dict[str, list[Any]] = Field(
        default_factory=_default_sweeps,
        min_length=1,
        description="Values of each varied setting of `metrics.definitions`; given here, they replace all of "
        "these. The baseline's own value is always among them. Names joined by `+` vary together, each value "
        "being a list.",
    )

    @field_validator("sweeps")
    @classmethod
    def _settings_exist(cls, sweeps: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for setting in sweeps:
            settings_of(setting)
        return sweeps

    def variants(self, baseline: MetricConfig) -> list[Variant]:
        """Returns the definitions to compute: setting after setting, values ascending, none twice.

        Args:
            baseline: the definition whose settings are varied; it is one of each setting's variants.

        Raises:
            ValueError: a value is not one that its setting may have.
        """
        return [
            variant
            for setting, values in self.sweeps.items()
            for variant in _variants(setting, values, baseline)
        ]


def _variants(setting: str, values: Sequence[Any], baseline: MetricConfig) -> list[Variant]:
    names = setting.split(JOINT)
    definitions = [_changed(setting, names, value, baseline) for value in values]
    by_value = {_value(definition, names): definition for definition in [baseline, *definitions]}
    return [
        Variant(setting, json.dumps(value), value == _value(baseline, names), by_value[value])
        for value in sorted(by_value, key=_order)
    ]


def _value(definition: MetricConfig, names: Sequence[str]) -> Any:
    values = tuple(getattr(definition, name) for name in names)
    return values if len(names) > 1 else values[0]


def _order(value: Any) -> tuple[Any, ...]:
    """A key that sorts None before numbers or words, and sequences item by item."""
    if isinstance(value, tuple):
        return tuple(_order(item) for item in value)
    return (value is not None, value)


def _changed(setting: str, names: Sequence[str], value: Any, baseline: MetricConfig) -> MetricConfig:
    where = f"sensitivity.sweeps.{setting}"
    if len(names) == 1:
        changes = {setting: value}
    elif isinstance(value, list | tuple) and len(value) == len(names):
        changes = dict(zip(names, value, strict=True))
    else:
        raise ValueError(f"{where}: each value is a list of {len(names)}, found {value!r}")
    try:
        return MetricConfig.model_validate(baseline.model_dump() | changes)
    except ValidationError as error:
        problem = error.errors()[0]
        message = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else problem["msg"]
        if problem["type"].endswith(("_type", "literal_error")):
            field = MetricConfig.model_fields[str(problem["loc"][0])]
            message = f"expected {expected_of(field.annotation, field)}"
        raise ValueError(f"{where}: {message[0].lower()}{message[1:]}; found {value!r}") from None
