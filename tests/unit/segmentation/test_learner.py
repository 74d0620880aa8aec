"""A step: precision, the loss scaler, divergence."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from segmentation_toys import ToyDataset

import vfm_fusion.segmentation.training as training
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import TrainingError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.data import MaskDataset, collate
from vfm_fusion.segmentation.learner import Learner, StepLosses
from vfm_fusion.segmentation.loss import TERMS
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.training.checkpoints import load_checkpoint, newest_valid
from vfm_fusion.training.divergence import DivergenceWatch
from vfm_fusion.training.processes import single_process

RUN = RunConfig(master="vit", auxiliary="hiera")


@pytest.fixture
def learner(encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    def build(**changes) -> Learner:
        settings = recipe.model_copy(update=changes)
        model = build_segmenter(RUN, encoders, (8,), settings.head, 4, 0)
        return Learner(model, 4, settings, 0, single_process())

    return build


@pytest.fixture
def train(tmp_path: Path, encoders: dict[str, EncoderConfig], recipe: TrainingConfig, monkeypatch):
    """Trains the toy run, after ``spoil`` has seen its model."""

    def run(spoil: Callable[[FusedSegmenter], None] = lambda model: None, **changes) -> Path:
        def spoiled(*arguments) -> FusedSegmenter:
            model = build_segmenter(*arguments)
            spoil(model)
            return model

        monkeypatch.setattr(training, "build_segmenter", spoiled)
        training.train_run(
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
    batch = collate([data[0, 0], data[1, 1]])
    return learner.differentiate(0, batch, learner.criterion.totals(batch.labels))


def scaled(learner: Learner, scale: float) -> Learner:
    state = learner.state_dict()
    if state["scaler"]:
        learner.load_state_dict(state | {"scaler": state["scaler"] | {"scale": scale}})
    return learner


def weights(learner: Learner) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in learner.model.parameters()]


def test_the_gradient_is_clipped_and_its_norm_before_is_told(learner) -> None:
    found = learner(clip_norm=0.01)
    told = first_step(found).grad_norm
    norms = [p.grad.norm() for p in found.model.parameters() if p.grad is not None]
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


def test_deterministic_kernels_are_chosen_for_the_time_of_training_alone(
    train, monkeypatch, tmp_path: Path
) -> None:
    seen = []
    step = Learner.differentiate

    def watched(self, *arguments):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return step(self, *arguments)

    monkeypatch.setattr(Learner, "differentiate", watched)
    plain = (train() / "model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "state")
    assert (train(deterministic=True) / "model.safetensors").read_bytes() == plain
    assert seen == [False] * 4 + [True] * 4
    assert not torch.are_deterministic_algorithms_enabled()


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


def test_float16_may_leave_out_steps_but_not_for_ever(recipe: TrainingConfig) -> None:
    good = StepLosses(dict.fromkeys(TERMS, 1.0), 1.0)
    bad = StepLosses(dict.fromkeys(TERMS, 1.0), math.inf)
    watch = DivergenceWatch(recipe.model_copy(update={"precision": "16-mixed"}))
    for step, losses in enumerate([*[bad] * 20, good, *[bad] * 20], start=1):
        watch.check(step, losses, ["a"])
    with pytest.raises(TrainingError, match=r"gradient at step 42 of 4 for 21 steps in a row"):
        watch.check(42, bad, ["a"])
    for precision in ("32-true", "bf16-mixed"):
        with pytest.raises(TrainingError, match="non-finite gradient at step 1"):
            DivergenceWatch(recipe.model_copy(update={"precision": precision})).check(1, bad, ["a"])
    with pytest.raises(TrainingError, match="another precision than 16-mixed"):
        watch.check(1, StepLosses(dict.fromkeys(TERMS, math.nan), 1.0), ["a"])
