"""Stopped and killed at any moment, the same command ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from toy_task import ToyRecipe

from vfm_fusion.training.checkpoints import newest_valid, stored_checkpoints
from vfm_fusion.training.job import run_job
from vfm_fusion.training.signals import StopRequest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_the_first_signal_is_remembered_and_handlers_return(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.received is None
        assert stop.flags == [0, 0, 0]
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


@pytest.mark.slow("five processes start, one after another")
@pytest.mark.timeout(600)
def test_killed_and_stopped_at_random_moments_a_run_ends_with_the_same_bits(job) -> None:
    recipe = ToyRecipe(steps=2000, checkpoint_every=5, log_every=100)
    killed, whole = job("killed", recipe=recipe), job("whole", recipe=recipe)
    command = [sys.executable, "-m", "toy_task", killed.model_dump_json(), "1"]
    folder, draws, reached = Path(killed.state_dir), random.Random(0), 0
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGKILL):
        target = reached + draws.randint(10, 50)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while not (found := stored_checkpoints(folder)) or found[0].step < target:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        time.sleep(draws.uniform(0, 0.1))  # in the middle of a step, or of writing a checkpoint
        process.send_signal(number)
        error = process.communicate()[1]
        assert process.returncode == (-number if number == signal.SIGKILL else 1)
        assert number == signal.SIGKILL or f"stopped by {number.name} after step" in error
        reached = newest_valid(folder, "t").step
        assert target <= reached < recipe.steps
    for each in (killed, whole):
        run_job(each, 1, threads=1)
    files = [(Path(each.out_dir) / "toy.safetensors").read_bytes() for each in (killed, whole)]
    assert files[0] == files[1]
