"""Click models in the training engine: shares of a step, resume, what is written."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from interactive_toys import LearnedUpsampler, bilinear, photo, toy_model
from safetensors.torch import load_file
from scipy.stats import chisquare

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.config.clicks import (
    ClickCropConfig,
    ClickModelConfig,
    ClickSamplingConfig,
    ClickTrainingConfig,
)
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.interactive import Cell
from vfm_fusion.config.schedule import PolySchedule
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.base import Category, Instances, Sample
from vfm_fusion.errors import ConfigError, TrainingError
from vfm_fusion.interactive import click_job
from vfm_fusion.interactive.built import ClickParts
from vfm_fusion.interactive.click_task import ClickTask, HardImages
from vfm_fusion.training.learner import Execution
from vfm_fusion.training.loop import train
from vfm_fusion.training.processes import single_process
from vfm_fusion.training.task import Part
from vfm_fusion.training.views import Views

RECIPE = ClickTrainingConfig(
    steps=3,
    batch_size=4,
    learning_rate=1e-3,
    schedule=PolySchedule(),
    checkpoint_every=1,
    crops=ClickCropConfig(side=32, least_area=4),
    clicks=ClickSamplingConfig(slots=6, erosions=1),
)


class Toys:
    """Three images of an object each."""

    categories = (Category(0, "background", False, (0, 0, 0)), Category(1, "object", True, (255, 0, 0)))
    ids = ("x", "y", "z")

    def __len__(self) -> int:
        return 3

    def image(self, number: int) -> np.ndarray:
        return self[number].image

    def __getitem__(self, number: int) -> Sample:
        ids = np.zeros((40, 44), np.int32)
        ids[8 : 24 + number, 10 : 30 - number] = 1
        image = photo(40, 44, seed=number)
        image[ids > 0] |= 128
        instances = Instances(ids, np.array([1]), np.array([False]))
        return Sample(self.ids[number], image, (ids > 0).astype(np.uint8), instances)


def task(
    recipe: ClickTrainingConfig = RECIPE, scores: list[float] | None = None, **settings: object
) -> ClickTask:
    settings = {"upsampler": bilinear, "inject": "late_lr", **settings}
    return ClickTask(toy_model(**settings), recipe, 0, Toys(), scores, description={"seed": 0})


def run(folder: Path, execution: Execution | None = None, steps: int | None = None) -> ClickTask:
    recipe = RECIPE if steps is None else RECIPE.model_copy(update={"steps": steps})
    return train(
        lambda: task(recipe),
        out_dir=folder / "out",
        state_dir=folder / "state",
        token="t",
        execution=execution,
    )


def test_a_run_writes_what_was_trained_and_nothing_frozen(tmp_path: Path) -> None:
    trained = run(tmp_path)
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert set(tensors) == {
        "click_encoder.project.weight", "click_encoder.project.bias", "head.0.weight", "head.0.bias",
    }  # fmt: skip
    assert json.loads((tmp_path / "out" / "run.json").read_text()) == {"seed": 0}
    untrained = task().model
    assert all(not torch.equal(untrained.learned()[name], value) for name, value in tensors.items())
    untrained.load_learned(tensors, "model.safetensors")
    images, points = torch.rand(1, 3, 32, 32), torch.full((1, 2, 3), 4.0)
    expected = trained.model.eval()(images, torch.zeros(1, 1, 32, 32), points)
    assert torch.equal(untrained.eval()(images, torch.zeros(1, 1, 32, 32), points), expected)


def test_a_step_in_parts_is_the_step(tmp_path: Path) -> None:
    whole, parts = run(tmp_path / "a"), run(tmp_path / "b", Execution(accumulate=2))
    for name, value in whole.model.learned().items():
        torch.testing.assert_close(parts.model.learned()[name], value, rtol=1e-4, atol=1e-6)


def test_a_resumed_run_is_the_whole_run_to_the_bit(tmp_path: Path) -> None:
    whole = run(tmp_path / "a")
    stopped, steps = run(tmp_path / "b"), sorted((tmp_path / "b" / "state").iterdir())
    assert len(steps) >= 2
    for path in steps[-1:]:  # the newest checkpoint is lost
        if path.is_dir():
            for each in path.iterdir():
                each.unlink()
            path.rmdir()
        else:
            path.unlink()
    resumed = run(tmp_path / "b")
    assert resumed is not stopped
    for name, value in whole.model.learned().items():
        assert torch.equal(resumed.model.learned()[name], value)


def test_samples_depend_on_their_place_alone() -> None:
    made = task()
    places = made.sampler().of_step(1)
    batch = made.batch(1, places)
    assert {name: (value.dtype, tuple(value.shape)) for name, value in batch.items()} == {
        "image": (torch.uint8, (4, 32, 32, 3)),
        "truth": (torch.int8, (4, 1, 32, 32)),
        "points": (torch.float32, (4, 12, 3)),
    }
    alone = made.batch(1, places[2:3])
    assert all(torch.equal(value[2:3], alone[name]) for name, value in batch.items())
    other = made.batch(0, made.sampler().of_step(0))
    assert not torch.equal(batch["image"], other["image"])
    assert made.names(places) == [Toys.ids[number] for _, number in places]


def test_as_released_steps_are_whole_and_statistics_are_kept() -> None:
    made = task(upsampler=LearnedUpsampler(32), frozen_mode="as_released").train()
    assert not made.divisible
    assert task().divisible
    batch = made.batch(0, made.sampler().of_step(0))
    before = {name: value.clone() for name, value in made.saved().items()}
    made(Part(batch, totals=made.totals(batch), samples=4, count=4))
    drifted = {name for name, value in made.saved().items() if not torch.equal(value, before[name])}
    assert "model.upsampler.layers.1.running_mean" in drifted
    assert set(task().saved()) == {f"model.{name}" for name in task().model.learned()}


def views() -> Views:
    """Two fixed crops of each image."""
    config = AugmentationConfig(crop=(32, 32), scale={"kind": "relative", "range": (0.8, 1.2)}, color="none")
    return Views(Toys(), config, 2)


def test_fixed_views_and_their_stored_maps_train_as_the_encoder_does() -> None:
    fixed, model = views(), toy_model(upsampler=bilinear, inject="late_lr")
    images = torch.stack([torch.from_numpy(fixed.image(number)) for number in range(6)])
    stored = model.featurizer(images.permute(0, 3, 1, 2).float() / 255)
    found = []
    for maps in (None, stored.__getitem__):
        made = ClickTask(model, RECIPE, 0, fixed, maps=maps)
        batch = made.batch(0, made.sampler().of_step(0))
        assert {tuple(image.shape) for image in batch["image"]} == {(32, 32, 3)}
        assert all(any(torch.equal(image, view) for view in images) for image in batch["image"])
        assert ("features" in batch) == (maps is not None)
        found.append(made(Part(batch, totals=made.totals(batch), samples=4, count=4)))
    torch.testing.assert_close(found[1], found[0])
    with pytest.raises(TrainingError, match="a Toys; leave the maps out"):
        ClickTask(model, RECIPE, 0, Toys(), maps=stored.__getitem__)
    with pytest.raises(TrainingError, match="found inject early"):
        ClickTask(toy_model(), RECIPE, 0, fixed, maps=stored.__getitem__)


def test_hard_images_are_drawn_more_often() -> None:
    sampler = HardImages([0.0, 0.5, 1.0], 1.25, 8, seed=0)
    drawn = Counter(number for step in range(250) for _, number in sampler.of_step(step))
    shares = np.array([1, 0.5**1.25]) / (1 + 0.5**1.25)
    assert drawn[2] == 0
    assert chisquare([drawn[0], drawn[1]], 2000 * shares).pvalue > 1e-4
    assert sampler.of_step(3) == sampler.of_step(3)
    assert [place for place, _ in sampler.of_step(3)] == list(range(24, 32))
    assert isinstance(task(scores=[0.1, 0.2, 0.3]).sampler(), HardImages)


@pytest.mark.parametrize(("views", "drawn"), [(None, {1}), (2, {2, 3})])
def test_a_job_draws_by_the_table_that_the_experiment_names_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, views: int | None, drawn: set[int]
) -> None:
    table, tasks = tmp_path / "scores.csv", []
    table.write_text("image_id,score\nz,1\ny,0.5\nx,1\n")
    monkeypatch.setattr(click_job, "open_indexed", lambda *_: Toys())
    monkeypatch.setattr(click_job, "train", lambda build, **_: tasks.append(build()))
    parts = ClickParts(
        cell=Cell("dino", "bilinear", "late"),
        encoder=EncoderConfig(
            architecture="toy_dinov2_vits14", weights=SeededWeights(source="seeded", seed=0)
        ),
        upsampler=UpsamplerConfig(architecture="bilinear"),
        trained_upsampler=None,
        clicks=ClickModelConfig(inject="late_lr", head="linear"),
    )
    plain = dict.fromkeys(("index", "generated", "out_dir", "state_dir", "token"), "")
    for scores in (str(table), None):
        job = click_job.ClickJob(
            parts=parts,
            recipe=RECIPE.model_copy(update={"cached_views": views}),
            seed=0,
            dataset={},
            maps=None,
            scores=scores,
            workers=0,
            **plain,
        )
        job.train(single_process())
    found = [{number for step in (0, 1) for _, number in made.sampler().of_step(step)} for made in tasks]
    assert found[0] == drawn < found[1]
    told = [made.description["training"]["scores"] for made in tasks]
    assert told == [file_sha256(table), None]


@pytest.mark.parametrize("scores", [[0.5, 0.5], [0.5, 1.5, 0.1], [-0.1, 0.5, 0.5], [1.0, 1.0, 1.0]])
def test_impossible_scores_are_refused(scores: list[float]) -> None:
    with pytest.raises(TrainingError, match="scores"):
        task(scores=scores)


def test_crops_that_the_encoder_does_not_take_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"crops.side: toy_dinov2_vits14 takes multiples of 16 .*found 40"):
        task(RECIPE.model_copy(update={"crops": ClickCropConfig(side=40)}))
