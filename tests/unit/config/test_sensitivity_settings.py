"""Which variants of a definition the sweeps stand for, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.config.sensitivity import FACTOR_SETTINGS, SensitivityConfig, factors_of, scores_of
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.resolve import resolve

OVERLAYS = Path(__file__).parents[3] / "experiments"


def variants(baseline: MetricConfig | None = None, **sweeps: list[Any]) -> list[tuple[str, Any, bool]]:
    found = SensitivityConfig(sweeps=sweeps).variants(baseline or MetricConfig())
    return [(setting, json.loads(value), baseline) for setting, value, baseline, _ in found]


def test_the_baseline_is_among_the_values_once_and_values_ascend() -> None:
    assert variants(grid=[16, 4], tau=[0.5, 0.3]) == [
        ("grid", 4, False),
        ("grid", 8, True),
        ("grid", 16, False),
        ("tau", 0.3, False),
        ("tau", 0.5, True),
    ]


def test_null_words_and_lists_have_an_order() -> None:
    assert [value for _, value, _ in variants(l2_clip=[5.0])] == [None, 5.0]
    assert [value for _, value, _ in variants(nc_norm=["total"])] == ["outside_core", "total"]
    assert [value for _, value, _ in variants(clusters=[[10, 12], [4]])] == [[4], [6, 8, 10], [10, 12]]


def test_a_variant_differs_from_its_baseline_in_its_setting_alone() -> None:
    baseline = MetricConfig.of("reference_training", tau=0.4)
    config = SensitivityConfig(sweeps={"rho_low": [0.3], "r_in+r_out": [[1, 3]]})
    for setting, _, is_baseline, definition in config.variants(baseline):
        changed = {
            name for name, value in definition.model_dump().items() if value != getattr(baseline, name)
        }
        assert changed == (set() if is_baseline else set(setting.split("+")))


def test_settings_joined_by_a_plus_change_together() -> None:
    config = SensitivityConfig(sweeps={"r_in+r_out": [[4, 8]]})
    assert [(v.value, v.definition.r_in, v.definition.r_out) for v in config.variants(MetricConfig())] == [
        ("[2, 4]", 2, 4),
        ("[4, 8]", 4, 8),
    ]


def test_every_setting_that_a_factor_may_depend_on_belongs_to_one() -> None:
    """A new setting must be given to a factor here, or sweeps would miss it."""
    for settings in FACTOR_SETTINGS.values():
        assert len(settings) == len(set(settings))
    named = {name for settings in FACTOR_SETTINGS.values() for name in settings}
    assert set(MetricConfig.model_fields) - named == {"preset", "scale", "null_draws", "ef_factors"}


def test_the_scores_behind_a_setting() -> None:
    assert (factors_of("grid"), scores_of("grid")) == (("sfc",), ("sc",))
    assert (factors_of("r_in+r_out"), scores_of("r_in+r_out")) == (("concentration",), ("ef",))
    assert scores_of("seed+tau") == ("sc", "ef")


@pytest.mark.parametrize(
    ("sweeps", "parts"),
    [
        ({"gird": [4]}, ["sensitivity.sweeps", "'gird'", "did you mean 'grid'?"]),
        ({"preset": ["calibrated"]}, ["sensitivity.sweeps", "'preset'", "sfc_cells"]),
        ({"r_in+rout": [[1, 2]]}, ["sensitivity.sweeps", "'rout'", "did you mean 'r_out'?"]),
        ({"grid": [4, 1]}, ["sensitivity.sweeps.grid", "greater than or equal to 2", "found 1"]),
        ({"grid": ["4"]}, ["sensitivity.sweeps.grid", "expected a whole number", "found '4'"]),
        ({"nc_norm": ["totl"]}, ["sensitivity.sweeps.nc_norm", "'total'", "found 'totl'"]),
        ({"r_in+r_out": [3]}, ["sensitivity.sweeps.r_in+r_out", "a list of 2", "found 3"]),
        ({"r_in": [4]}, ["sensitivity.sweeps.r_in", "r_in 4 is not below r_out 4"]),
        ({}, ["sensitivity.sweeps", "at least 1 item"]),
    ],
)
def test_an_impossible_sweep_is_refused_by_name(sweeps: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        resolve({"experiment": "quick", "sensitivity": {"sweeps": sweeps}}, OVERLAYS)
    for part in parts:
        assert part in str(error.value)


def test_values_are_checked_against_the_definition_that_selection_uses() -> None:
    raw = {
        "experiment": "quick",
        "metrics": {"definitions": {"paper": {"r_out": 9}}},
        "sensitivity": {"sweeps": {"r_in": [8]}},
    }
    assert resolve(raw, OVERLAYS).sensitivity.sweeps == {"r_in": [8]}
