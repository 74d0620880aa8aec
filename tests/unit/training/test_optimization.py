"""The learning-rate schedule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vfm_fusion.config.schedule import MultistepSchedule, PolySchedule
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.training.optimization import learning_rate_factor


def test_the_schedule_warms_up_and_decays_polynomially() -> None:
    recipe = TrainingConfig(steps=100, warmup_steps=4, schedule=PolySchedule(power=0.9))
    assert learning_rate_factor(0, recipe) == pytest.approx(0.25)
    assert learning_rate_factor(3, recipe) == pytest.approx(0.97**0.9)
    assert learning_rate_factor(50, recipe) == pytest.approx(0.5**0.9)
    assert learning_rate_factor(100, recipe) == 0


@given(st.integers(1, 1000), st.integers(0, 50), st.floats(0.1, 2))
def test_the_schedule_stays_in_range_and_falls_after_warm_up(steps: int, warmup: int, power: float) -> None:
    recipe = TrainingConfig(steps=steps, warmup_steps=warmup, schedule=PolySchedule(power=power))
    factors = [learning_rate_factor(step, recipe) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)
    after = factors[warmup:]
    assert after == sorted(after, reverse=True)


def test_a_multistep_schedule_falls_at_its_milestones() -> None:
    schedule = MultistepSchedule(milestones=(50, 80), factor=0.1)
    recipe = TrainingConfig(steps=100, warmup_steps=2, schedule=schedule)
    assert [learning_rate_factor(step, recipe) for step in (0, 1, 49)] == [0.5, 1, 1]
    assert [learning_rate_factor(step, recipe) for step in (50, 79)] == [0.1, 0.1]
    assert learning_rate_factor(80, recipe) == pytest.approx(0.01)
    assert learning_rate_factor(99, recipe) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": {"kind": "multistep", "milestones": [30, 20]}}, "do not ascend"),
        ({"schedule": {"kind": "multistep", "milestones": [0, 20]}}, "do not ascend from 1"),
        ({"steps": 20, "schedule": {"kind": "multistep", "milestones": [20]}}, "20 is not before the last"),
        ({"schedule": {"kind": "cosine"}}, "'poly', 'multistep'"),
        ({"schedule": {"kind": "poly", "factor": 0.1}}, "Extra inputs"),
        ({"batch_size": 4, "devices": 3}, "cannot be divided among 3 devices with 1 micro-batches"),
        ({"batch_size": 4, "devices": 2, "accumulate": 4}, "to a divisor of batch_size"),
    ],
)
def test_impossible_recipes_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingConfig.model_validate(settings)
