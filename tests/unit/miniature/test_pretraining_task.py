"""Mini encoders are trained by the engine: they learn, resume bit for bit, and refuse what is not finite."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.pretraining import (
    MultilabelConfig,
    PretrainedConfig,
    PretrainingConfig,
    PromptableMasksConfig,
    SelfDistillationConfig,
)
from vfm_fusion.datasets.base import Dataset, Sample
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import TrainingError
from vfm_fusion.miniature.pretraining.multilabel import Multilabel
from vfm_fusion.miniature.pretraining.task import Pretraining, untrained
from vfm_fusion.miniature.scenes.generate import generate
from vfm_fusion.training.checkpoints import stored_checkpoints
from vfm_fusion.training.learner import Execution
from vfm_fusion.training.loop import train
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.task import Part

SCENES = MiniscapesConfig(kind="miniscapes", train=6, val=2, height=128, width=256, seed=7)
SMALL = {
    "mini_vit": SelfDistillationConfig(
        global_side=64,
        local_side=32,
        local_views=1,
        region=(64.0, 96.0),
        prototypes=32,
        head_hidden_dim=32,
        bottleneck_dim=16,
    ),
    "mini_hiera": PromptableMasksConfig(crop=64, points=1, boxes=1, hidden_dim=16),
    "mini_swin": MultilabelConfig(crop=64),
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("scenes")
    generate(SCENES, root / "data", workers=1)
    return open_dataset(SCENES, root / "data", index_split(SCENES, root / "data", "train").frame)


def recipe(architecture: str, steps: int = 4) -> PretrainedConfig:
    return PretrainedConfig(
        architecture=architecture,
        objective=SMALL[architecture],
        seed=3,
        steps=steps,
        batch_size=2,
        learning_rate=1e-3,
        warmup_steps=2,
        checkpoint_every=2,
        log_every=2,
    )


def trained(
    task: type[Pretraining], scenes: Dataset, settings: PretrainedConfig, folder: Path
) -> Pretraining:
    places = {"out_dir": folder, "state_dir": folder.with_suffix(".state"), "token": "t"}
    return train(lambda: task(settings, scenes), **places)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("architecture", SMALL)
def test_an_interrupted_training_ends_with_the_same_bits(
    scenes: Dataset, architecture: str, tmp_path: Path
) -> None:
    settings = recipe(architecture)
    whole = trained(Pretraining, scenes, settings, tmp_path / "whole")

    class Stopped(Pretraining):
        def losses(self, part: Part) -> dict[str, torch.Tensor]:
            if part.step == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().losses(part)

    with pytest.raises(TrainingError, match="stopped by SIGTERM after step 3 of 4; saved"):
        trained(Stopped, scenes, settings, tmp_path / "resumed")
    assert not (tmp_path / "resumed" / "metrics.csv").exists()
    assert stored_checkpoints(tmp_path / "resumed.state")[0].step == 3

    resumed = trained(Pretraining, scenes, settings, tmp_path / "resumed")
    expected, found = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert rows(tmp_path / "whole") == rows(tmp_path / "resumed")
    assert [row["step"] for row in rows(tmp_path / "whole")] == ["2", "4"]
    assert list(rows(tmp_path / "whole")[0])[2:-2] == list(whole.terms)
    shipped = load_file(tmp_path / "whole" / "model.safetensors")
    encoder = whole.objective.trained().state_dict()
    assert shipped.keys() == encoder.keys()
    assert all(torch.equal(shipped[key], value) for key, value in encoder.items())
    before = dict(untrained(settings, scenes.categories).trained().named_parameters())
    assert [key for key in before if torch.equal(before[key], shipped[key])] == []  # all of it has learned


def test_a_step_cannot_be_divided(scenes: Dataset, tmp_path: Path) -> None:
    settings = recipe("mini_swin")
    for execution, processes in (
        (Execution(accumulate=2), Processes(0, 1, torch.device("cpu"))),
        (Execution(), Processes(0, 2, torch.device("cpu"))),
    ):
        with pytest.raises(TrainingError, match="Pretraining learns from all samples of a step at once"):
            train(
                lambda: Pretraining(settings, scenes),
                out_dir=tmp_path,
                state_dir=tmp_path / "state",
                token="t",
                execution=execution,
                processes=processes,
            )


def test_a_loss_that_is_no_number_is_refused_before_the_step(
    scenes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Pretraining(recipe("mini_swin"), scenes)
    before = {key: value.clone() for key, value in task.state_dict().items()}
    losses = Multilabel.losses
    monkeypatch.setattr(
        Multilabel,
        "losses",
        lambda self, batch, progress: {
            key: value * float("nan") for key, value in losses(self, batch, progress).items()
        },
    )
    with pytest.raises(TrainingError, match=r"non-finite loss at step 1 of 4: class nan, .* lower the"):
        train(lambda: task, out_dir=tmp_path, state_dir=tmp_path / "state", token="t")
    assert all(torch.equal(before[key], value) for key, value in task.state_dict().items())


def test_present_classes_are_those_with_enough_pixels(scenes: Dataset) -> None:
    """A crop of half sky (train id 10), a line of cars (13) too thin to count, and void."""
    image = np.zeros((64, 64, 3), np.uint8)
    semantic = np.full((64, 64), 255, np.uint8)
    semantic[:32] = 10
    semantic[40, :10] = 13
    settings = MultilabelConfig(crop=64, scale=(1.0, 1.0))
    objective = Multilabel(
        untrained(recipe("mini_swin"), scenes.categories).encoder, settings, scenes.categories, seed=0
    )
    batch = objective.batch([Sample("one", image, semantic, None)], np.random.default_rng(0))
    assert batch["images"].shape == (1, 3, 64, 64)
    assert batch["present"].nonzero()[:, 1].tolist() == [10]


def test_scenes_are_not_those_of_the_default_experiments() -> None:
    scenes: Sequence[int] = (PretrainingConfig().scenes.seed, MiniscapesConfig(kind="miniscapes").seed)
    assert scenes[0] != scenes[1]
