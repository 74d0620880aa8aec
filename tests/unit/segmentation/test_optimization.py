"""Parameter groups and the learning-rate schedule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.config.schedule import MultistepSchedule, PolySchedule
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.training.optimization import learning_rate_factor, parameter_groups


def test_groups_hold_every_trainable_parameter_once(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    model = build_segmenter(RunConfig(master="vit", auxiliary="hiera"), encoders, (8,), recipe.head, 4, 0)
    grouped = [id(p) for group in parameter_groups(model, recipe) for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)


def test_encoders_learn_slower_and_norms_biases_embeddings_do_not_decay(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    model = build_segmenter(RunConfig(master="vit"), encoders, (), recipe.head, 4, 0)
    settings = {
        id(p): (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, recipe)
        for p in group["params"]
    }
    found = {name: settings[id(p)] for name, p in model.named_parameters()}
    rate, decay = recipe.learning_rate, recipe.weight_decay
    assert found["master.model.blocks.0.attn.qkv.weight"] == (0.1 * rate, decay)
    assert found["master.model.patch_embed.proj.weight"] == (0.1 * rate, decay)
    assert found["master.model.blocks.0.attn.qkv.bias"] == (0.1 * rate, 0)
    assert found["master.model.blocks.0.norm1.weight"] == (0.1 * rate, 0)
    assert found["master.model.pos_embed"] == (0.1 * rate, 0)
    assert found["projection.projections.4.weight"] == (rate, decay)
    assert found["head.class_predictor.weight"] == (rate, decay)
    assert found["head.decoder.decoder.layers.0.cross_attn.in_proj_weight"] == (rate, decay)
    assert found["head.decoder.queries_embedder.weight"] == (rate, 0)
    assert found["head.decoder.level_embed.weight"] == (rate, 0)
    assert found["head.pixel_decoder.level_embed"] == (rate, 0)
    norms = [n for n, m in model.named_modules() if isinstance(m, nn.LayerNorm | nn.GroupNorm)]
    assert norms
    assert all(found[f"{name}.weight"][1] == 0 for name in norms)


def test_a_trained_auxiliary_learns_as_slowly_as_a_master_and_gates_do_not_decay(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    run = RunConfig(
        master="vit",
        auxiliary="hiera",
        train_auxiliary=True,
        fusion=FusionConfig(operator="gated", align="project"),
    )
    model = build_segmenter(run, encoders, (8,), recipe.head, 4, 0)
    settings = {
        id(p): (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, recipe)
        for p in group["params"]
    }
    found = {name: settings[id(p)] for name, p in model.named_parameters()}
    rate, decay = recipe.learning_rate, recipe.weight_decay
    assert found["auxiliary.model.blocks.0.attn.qkv.weight"] == (0.1 * rate, decay)
    assert found["auxiliary.model.blocks.0.norm1.weight"] == (0.1 * rate, 0)
    assert found["fusion.align.8.weight"] == (rate, decay)
    assert found["fusion.gate.8"] == (rate, 0)


def test_a_frozen_master_has_no_group(encoders: dict[str, EncoderConfig], recipe: TrainingConfig) -> None:
    model = build_segmenter(RunConfig(master="vit", train_master=False), encoders, (), recipe.head, 4, 0)
    assert {group["lr"] for group in parameter_groups(model, recipe)} == {recipe.learning_rate}


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
