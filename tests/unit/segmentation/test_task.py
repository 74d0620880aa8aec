"""A step of the segmentation task: parameter groups, precision, the loss scaler, divergence."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from segmentation_toys import ToyDataset
from torch import nn

import vfm_fusion.segmentation.job as job
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.data import MaskDataset
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.task import SegmentationTask
from vfm_fusion.training.checkpoints import load_checkpoint, newest_valid
from vfm_fusion.training.learner import Execution, Learner, StepLosses
from vfm_fusion.training.processes import single_process

RUN = RunConfig(master="vit", auxiliary="hiera")


@pytest.fixture
def learner(encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    def build(**changes) -> Learner:
        settings = recipe.model_copy(update=changes)
        model = build_segmenter(RUN, encoders, (8,), settings.head, 4, 0)
        task = SegmentationTask(model, 4, settings, 0)
        return Learner(task, Execution(settings.precision), single_process())

    return build


@pytest.fixture
def train(tmp_path: Path, encoders: dict[str, EncoderConfig], recipe: TrainingConfig, monkeypatch):
    """Trains the toy run, after ``spoil`` has seen its model."""

    def run(spoil: Callable[[FusedSegmenter], None] = lambda model: None, **changes) -> Path:
        def spoiled(*arguments) -> FusedSegmenter:
            model = build_segmenter(*arguments)
            spoil(model)
            return model

        monkeypatch.setattr(job, "build_segmenter", spoiled)
        job.train_run(
            run=RUN,
            encoders=encoders,
            strides=(8,),
            training=recipe.model_copy(update=changes),
            seed=0,
            dataset=ToyDataset(),
            out_dir=tmp_path / "fused" / "seed0",
            state_dir=tmp_path / "state",
            token="t",
        )
        return tmp_path / "fused" / "seed0"

    return run


def first_step(learner: Learner) -> StepLosses:
    data = MaskDataset(ToyDataset(), "panoptic", learner.recipe.augmentation, 0)
    batch = data.batch([(0, 0), (1, 1)])
    return learner.differentiate(0, batch, learner.task.totals(batch))


def scaled(learner: Learner, scale: float) -> Learner:
    state = learner.state_dict()
    if state["scaler"]:
        learner.load_state_dict(state | {"scaler": state["scaler"] | {"scale": scale}})
    return learner


def weights(learner: Learner) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in learner.task.parameters()]


def test_the_gradient_is_clipped_and_its_norm_before_is_told(learner) -> None:
    found = learner(clip_norm=0.01)
    told = first_step(found).grad_norm
    norms = [p.grad.norm() for p in found.task.parameters() if p.grad is not None]
    assert told > 1
    assert torch.stack(norms).norm().item() == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_reduced_precision_finds_about_the_same_loss_and_gradient(learner, precision: str) -> None:
    full, reduced = first_step(learner()), first_step(scaled(learner(precision=precision), 256.0))
    assert reduced.loss == pytest.approx(full.loss, rel=0.05)
    assert reduced.grad_norm == pytest.approx(full.grad_norm, rel=0.5)
    assert reduced.loss != full.loss


def test_a_scaler_leaves_out_a_step_that_overflows_and_halves_its_scale(learner) -> None:
    found = scaled(learner(precision="16-mixed"), 2.0**60)
    before = weights(found)
    assert not math.isfinite(first_step(found).grad_norm)
    found.update(0)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(found), strict=True))
    assert found.state_dict()["scaler"]["scale"] == 2.0**59
    assert math.isfinite(first_step(scaled(found, 256.0)).grad_norm)
    found.update(0)
    assert not all(torch.equal(a, b) for a, b in zip(before, weights(found), strict=True))


def test_the_scaler_is_part_of_the_checkpoint_and_a_resumed_run_goes_on_with_it(
    train, tmp_path: Path
) -> None:
    whole = (train(precision="16-mixed") / "model.safetensors").read_bytes()
    stored = load_checkpoint(newest_valid(tmp_path / "state", "t"))["learner"]["scaler"]
    assert stored["scale"] < 65536  # float16 overflows at the first scale: these steps were left out
    newest_valid(tmp_path / "state", "t").path.unlink()
    (tmp_path / "fused" / "seed0" / "model.safetensors").unlink()
    assert (train(precision="16-mixed") / "model.safetensors").read_bytes() == whole


def test_a_non_finite_loss_names_step_terms_and_images(train) -> None:
    def spoil(model: FusedSegmenter) -> None:
        model.head.class_predictor.bias.data.fill_(math.nan)

    with pytest.raises(
        TrainingError,
        match=r"non-finite loss at step 1 of 4: loss_class nan, loss_mask \d.*images of the step",
    ) as caught:
        train(spoil)
    assert str(caught.value).count("toy ") == 2


def test_a_non_finite_gradient_stops_before_it_spoils_the_weights(train, tmp_path: Path) -> None:
    def spoil(model: FusedSegmenter) -> None:
        calls = iter(range(10))
        weight = model.head.class_predictor.weight
        weight.register_hook(lambda gradient: gradient * (math.inf if next(calls) == 2 else 1))

    with pytest.raises(
        TrainingError, match=r"non-finite gradient at step 3 of 4.*norm of the gradient (inf|nan)"
    ):
        train(spoil)
    assert newest_valid(tmp_path / "state", "t").step == 2


def test_groups_hold_every_trainable_parameter_once(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    model = build_segmenter(RunConfig(master="vit", auxiliary="hiera"), encoders, (8,), recipe.head, 4, 0)
    grouped = [id(p) for group in SegmentationTask(model, 4, recipe, 0).groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)


def test_encoders_learn_slower_and_norms_biases_embeddings_do_not_decay(
    encoders: dict[str, EncoderConfig], recipe: TrainingConfig
) -> None:
    model = build_segmenter(RunConfig(master="vit"), encoders, (), recipe.head, 4, 0)
    settings = {
        id(p): (group["lr"], group["weight_decay"])
        for group in SegmentationTask(model, 4, recipe, 0).groups()
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
        for group in SegmentationTask(model, 4, recipe, 0).groups()
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
    assert {group["lr"] for group in SegmentationTask(model, 4, recipe, 0).groups()} == {recipe.learning_rate}
