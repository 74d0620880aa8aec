"""Stopped and killed at any step, the same command ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import torch
from segmentation_toys import ToyDataset

import vfm_fusion.segmentation.training as training
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.errors import TrainingError
from vfm_fusion.training.checkpoints import newest_valid, stored_checkpoints
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.signals import StopRequest

RESULTS = ("model.safetensors", "metrics.csv", "run.json")


@pytest.fixture
def train(tmp_path: Path, encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    """Trains the toy run under ``tmp_path/<folder>`` and returns its results."""

    def run(folder: str, processes: Processes | None = None, **changes) -> dict[str, bytes]:
        out = tmp_path / folder / "fused" / "seed0"
        training.train_run(
            run=RunConfig(master="vit", auxiliary="hiera"),
            encoders=encoders,
            strides=(8,),
            training=recipe.model_copy(update=changes),
            seed=0,
            dataset=ToyDataset(),
            out_dir=out,
            state_dir=tmp_path / folder / "state",
            token="t",
            processes=processes,
        )
        return {name: (out / name).read_bytes() for name in RESULTS}

    return run


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch):
    """Sends this process a signal while it computes the given step (from 0), once."""

    def arm(step: int, *numbers: signal.Signals) -> None:
        original = training.Learner.differentiate

        def signalled(self, number, batch, totals):
            if number == step:
                monkeypatch.setattr(training.Learner, "differentiate", original)
                for name in numbers:
                    os.kill(os.getpid(), name)
            return original(self, number, batch, totals)

        monkeypatch.setattr(training.Learner, "differentiate", signalled)

    return arm


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_first_signal_is_remembered_and_handlers_return(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.received is None
        assert stop.flags == [0, 0]
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received is number
        assert sum(stop.flags) == 1
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_nothing_is_caught() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def enter() -> None:
        with StopRequest():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_signal_lets_the_step_end_and_the_same_command_resumes(
    train, signal_at, tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    signal_at(2, number, signal.SIGTERM)
    name = signal.Signals(number).name
    with pytest.raises(TrainingError, match=rf"stopped by {name} after step 3 of 4; saved; the same command"):
        train("stopped", workers=workers, checkpoint_every=100)
    assert newest_valid(tmp_path / "stopped" / "state", "t").step == 3
    assert not (tmp_path / "stopped" / "fused" / "seed0" / "model.safetensors").exists()
    assert train("stopped", workers=workers) == train("whole")


def test_a_signal_before_the_first_step_takes_none(train, monkeypatch, tmp_path: Path) -> None:
    build = training.build_segmenter

    def signalled(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return build(*arguments)

    monkeypatch.setattr(training, "build_segmenter", signalled)
    with pytest.raises(TrainingError, match="stopped by SIGTERM after step 0 of 4; nothing to save"):
        train("early")
    assert not stored_checkpoints(tmp_path / "early" / "state")


def test_a_signal_while_a_checkpoint_is_written_lets_it_be_finished(
    train, monkeypatch, tmp_path: Path
) -> None:
    save = training.save_checkpoint

    def signalled(*arguments):
        os.kill(os.getpid(), signal.SIGUSR1)
        save(*arguments)

    monkeypatch.setattr(training, "save_checkpoint", signalled)
    with pytest.raises(TrainingError, match="after step 1 of 4; saved"):
        train("writing")
    assert [found.step for found in stored_checkpoints(tmp_path / "writing" / "state")] == [1]


def test_a_signal_in_the_last_step_no_longer_stops_the_run(train, signal_at) -> None:
    signal_at(3, signal.SIGTERM)
    assert train("last") == train("whole")


def test_a_process_whose_parent_is_gone_takes_no_step(train, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    assert train("attended", Processes(0, 1, cpu, parent=os.getppid())) == train("alone")
    with pytest.raises(TrainingError, match="the process that started this one ended after step 0 of 4"):
        train("orphaned", Processes(0, 1, cpu, parent=os.getpid()))
    assert not stored_checkpoints(tmp_path / "orphaned" / "state")


PROGRAM = """
    import json, logging, sys
    from pathlib import Path
    from segmentation_toys import ToyDataset
    from vfm_fusion.config.encoders import EncoderConfig
    from vfm_fusion.config.runs import RunConfig
    from vfm_fusion.config.training import TrainingConfig
    from vfm_fusion.segmentation.training import train_run

    recipe, encoders, folder = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
    train_run(
        run=RunConfig(master="vit", auxiliary="hiera"),
        encoders={n: EncoderConfig.model_validate_json(json.dumps(e)) for n, e in encoders.items()},
        strides=(8,),
        training=TrainingConfig.model_validate_json(json.dumps(recipe)),
        seed=0,
        dataset=ToyDataset(),
        out_dir=folder / "fused" / "seed0",
        state_dir=folder / "state",
        token="t",
    )
"""


@pytest.mark.slow("five processes that are ended, and resume")
@pytest.mark.timeout(600)
def test_killed_and_stopped_at_random_moments_a_run_ends_with_the_same_bits(
    train, recipe: TrainingConfig, encoders: dict[str, EncoderConfig], tmp_path: Path
) -> None:
    steps, folder = 60, tmp_path / "killed"
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(PROGRAM),
        recipe.model_copy(update={"steps": steps}).model_dump_json(),
        "{" + ",".join(f'"{name}": {e.model_dump_json()}' for name, e in encoders.items()) + "}",
        str(folder),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    draws = random.Random(0)
    reached = 0
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGKILL):
        target = reached + draws.randint(3, 9)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        while not (found := stored_checkpoints(folder / "state")) or found[0].step < target:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        time.sleep(draws.uniform(0, 0.1))  # in the middle of a step, or of writing a checkpoint
        process.send_signal(number)
        error = process.communicate()[1]
        assert process.returncode == (-number if number == signal.SIGKILL else 1)
        assert number == signal.SIGKILL or f"stopped by {number.name} after step" in error
        reached = newest_valid(folder / "state", "t").step
        assert target <= reached < steps
    assert train("killed", steps=steps) == train("whole", steps=steps)
