"""Training end to end: determinism, resuming, what is written, what is refused."""

from __future__ import annotations

import csv
import json
import logging
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from segmentation_toys import ToyDataset
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import vfm_fusion.segmentation.job as job
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import TrainingError, WeightsError
from vfm_fusion.segmentation.loss import TERMS
from vfm_fusion.segmentation.trained import load_run
from vfm_fusion.training.checkpoints import load_checkpoint, newest_valid, stored_checkpoints
from vfm_fusion.training.learner import Learner
from vfm_fusion.training.loss_log import columns

RUN = RunConfig(label="Fused", master="vit", auxiliary="hiera")
RESULTS = ("model.safetensors", "metrics.csv", "run.json")


@pytest.fixture
def train(tmp_path: Path, encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    """Trains the toy run under ``tmp_path/<folder>`` and returns the folder of its results."""

    def run(folder: str, *, token: str = "t", seed: int = 0, dataset=None, **changes) -> Path:
        settings = {"run": RUN, "strides": (8,), "training": recipe} | changes
        out = tmp_path / folder / "fused" / "seed0"
        job.train_run(
            encoders=encoders,
            seed=seed,
            dataset=ToyDataset() if dataset is None else dataset,
            out_dir=out,
            state_dir=tmp_path / folder / "state",
            token=token,
            **settings,
        )
        return out

    return run


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch):
    """Makes training die inside the given step (from 0), once."""

    class Killed(BaseException):
        pass

    def arm(step: int) -> type[BaseException]:
        original = Learner.differentiate

        def dying(self, number, batch, totals):
            if number == step:
                monkeypatch.setattr(Learner, "differentiate", original)
                raise Killed
            return original(self, number, batch, totals)

        monkeypatch.setattr(Learner, "differentiate", dying)
        return Killed

    return arm


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def test_a_seed_gives_bit_identical_results_and_another_seed_others(train) -> None:
    first = contents(train("a"))
    assert contents(train("b")) == first
    assert contents(train("c", seed=1))["model.safetensors"] != first["model.safetensors"]


def test_a_killed_run_resumes_to_the_same_bits(train, killed_at, tmp_path: Path) -> None:
    expected = contents(train("whole"))
    for step in (1, 3):
        with pytest.raises(killed_at(step)):
            train("killed")
        assert newest_valid(tmp_path / "killed" / "state", "t").step == step
    shutil.rmtree(tmp_path / "killed" / "fused")  # the workflow deletes the outputs of a failed job
    assert contents(train("killed")) == expected


def test_checkpoints_and_model_hold_no_frozen_weights(train, tmp_path: Path) -> None:
    out = train("run")
    saved = load_file(out / "model.safetensors")
    state = load_checkpoint(stored_checkpoints(tmp_path / "run" / "state")[0])["learner"]["task"]
    assert set(state) == {f"model.{name}" for name in saved}
    assert not any(name.startswith("auxiliary.") for name in saved)


def test_metrics_hold_the_mean_losses_and_the_learning_rate(train) -> None:
    with (train("run") / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3", "4"]
    for row in rows:
        parts = sum(float(row[name]) for name in ("loss_class", "loss_mask", "loss_dice"))
        assert float(row["loss"]) == pytest.approx(parts, rel=1e-12)
        assert 0 < float(row["grad_norm"]) < 1e6
    assert float(rows[0]["lr"]) == pytest.approx(1e-3 * 0.5**0.9)


def test_the_run_is_described_without_paths(train, tmp_path: Path) -> None:
    text = (train("run") / "run.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    found = json.loads(text)
    assert (found["run"], found["seed"], found["strides"]) == ("fused", 0, [8])
    assert found["encoders"]["hiera"]["pretraining"] == "untrained (seed 1)"
    assert [category["name"] for category in found["categories"]] == ["road", "sky", "person", "car"]


def test_tensorboard_gets_the_rows_and_the_speed(train) -> None:
    out = train("run")
    with (out / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    assert sorted(events.Tags()["scalars"]) == sorted([*columns(TERMS)[1:], "images_per_second"])
    for name in columns(TERMS)[1:]:
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(int(row["step"]), pytest.approx(float(row[name]), rel=1e-6)) for row in rows]
    assert all(event.value > 0 for event in events.Scalars("images_per_second"))


def test_a_log_gets_lines_with_speed_and_time_left(train, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    train("run")
    lines = [record.message for record in caplog.records if record.message.startswith("step ")]
    number = r"[\d.e+-]+"
    pattern = (
        rf"step (\d) of 4: loss {number}, gradient {number}, learning rate {number}, {number} images/s, "
        r"0:00:0\d left"
    )
    assert [re.fullmatch(pattern, line)[1] for line in lines] == ["3", "4"]


def test_a_trained_run_is_rebuilt_exactly(train, encoders: dict[str, EncoderConfig]) -> None:
    out = train("run")
    model, description = load_run(out, encoders)
    assert description["parameters"] == model.count_parameters()
    saved = load_file(out / "model.safetensors")
    assert all(torch.equal(p, saved[name]) for name, p in model.named_parameters() if name in saved)
    assert not model.training


def test_a_run_of_other_encoder_weights_is_refused(train, encoders: dict[str, EncoderConfig]) -> None:
    out = train("run")
    other = EncoderConfig.model_validate(
        {"architecture": "mini_hiera", "weights": {"source": "seeded", "seed": 9}}
    )
    with pytest.raises(WeightsError, match=r"'hiera'.*seed-1.*seed-9"):
        load_run(out, encoders | {"hiera": other})


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_damaged_weights_are_refused(train, encoders: dict[str, EncoderConfig], damage: str) -> None:
    out = train("run")
    path = out / "model.safetensors"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        shutil.copy(train("other", run=RunConfig(master="hiera"), strides=()) / path.name, path)
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        load_run(out, encoders)


def test_a_data_set_without_instances_trains_semantically_only(train, recipe: TrainingConfig) -> None:
    bare = ToyDataset(annotated=False)
    with pytest.raises(TrainingError, match=r"training\.task: semantic"):
        train("panoptic", dataset=bare)
    assert (train("semantic", dataset=bare, training=recipe.model_copy(update={"task": "semantic"}))).is_dir()


def test_mixed_precision_trains(train, recipe: TrainingConfig) -> None:
    train("run", training=recipe.model_copy(update={"precision": "bf16-mixed", "steps": 1}))


def test_training_says_only_what_matters(train, caplog: pytest.LogCaptureFixture, recwarn, capfd) -> None:
    caplog.set_level(logging.INFO)
    train("run")
    assert {record.name.split(".")[0] for record in caplog.records} == {"vfm_fusion"}
    assert [str(warning.message) for warning in recwarn] == []
    assert capfd.readouterr() == ("", "")
