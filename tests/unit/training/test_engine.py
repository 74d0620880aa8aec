"""The engine on a toy task: killed and stopped, on one process or two, it ends with the same bits."""

from __future__ import annotations

import csv
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy_task import ToyJob, ToyRecipe, ToyTask

import vfm_fusion.training.loop as loop
from vfm_fusion.errors import ShapeError, TrainingError
from vfm_fusion.training import launch
from vfm_fusion.training.checkpoints import newest_valid, stored_checkpoints
from vfm_fusion.training.job import run_job
from vfm_fusion.training.learner import Execution, Learner
from vfm_fusion.training.loop import train
from vfm_fusion.training.processes import Processes, single_process
from vfm_fusion.training.samples import Place, StepSampler

pytestmark = pytest.mark.timeout(300)

CPU = torch.device("cpu")


def results(job: ToyJob, devices: int = 1) -> dict[str, bytes]:
    """Runs a job to its end and returns the files that it has written."""
    run_job(job, devices, threads=2)
    return {name: (Path(job.out_dir) / name).read_bytes() for name in ("toy.safetensors", "metrics.csv")}


def reached(job: ToyJob) -> int:
    return newest_valid(Path(job.state_dir), "t").step


def test_a_task_learns(job) -> None:
    recipe = ToyRecipe(steps=200, learning_rate=3e-2, log_every=20, checkpoint_every=100)
    run_job(job("long", recipe=recipe), 1, threads=1)
    with (Path(job("long").out_dir) / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", "loss", "square", "absolute", "grad_norm", "lr"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) / 4


def test_a_seed_gives_the_same_bits_and_another_one_others(tmp_path: Path) -> None:
    def weights(folder: str, seed: int) -> dict[str, torch.Tensor]:
        places = {"out_dir": tmp_path / folder, "state_dir": tmp_path / f"{folder}-state"}
        train(lambda: ToyTask(ToyRecipe(), seed), token="t", **places)
        return load_file(tmp_path / folder / "toy.safetensors")

    first, again, other = weights("a", 0), weights("b", 0), weights("c", 1)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["average"], other["average"])


@pytest.mark.parametrize("accumulate", [2, 4])
def test_micro_batches_change_nothing_but_the_order_of_sums(job, accumulate: int) -> None:
    whole, divided = job("whole"), job("divided", accumulate=accumulate)
    results(whole)
    results(divided)
    expected, found = (load_file(Path(one.out_dir) / "toy.safetensors") for one in (whole, divided))
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6, msg=name)


def test_two_processes_train_as_one_with_two_micro_batches(job) -> None:
    assert results(job("shared"), devices=2) == results(job("divided", accumulate=2))


def test_killed_at_a_step_a_process_resumes_to_the_same_bits(job) -> None:
    killed = job("killed", broken=(3, signal.SIGKILL))
    command = [sys.executable, "-m", "toy_task", killed.model_dump_json(), "1"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert reached(killed) == 2
    assert results(job("killed")) == results(job("whole"))


def test_one_of_two_processes_killed_ends_the_other_and_both_resume_to_the_same_bits(
    job, children: list[subprocess.Popen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "GRACE_SECONDS", 5.0)
    with pytest.raises(TrainingError, match="process 1 of 2 was ended by SIGKILL"):
        run_job(job("killed", broken=(3, signal.SIGKILL)), 2, threads=2)
    assert all(child.returncode for child in children)
    assert reached(job("killed")) == 2
    assert results(job("killed"), devices=2) == results(job("whole", accumulate=2))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGINT"])
def test_a_signal_lets_the_step_end_and_the_same_command_resumes(job, name: str) -> None:
    number = getattr(signal, name)
    with pytest.raises(TrainingError, match=f"stopped by {name} after step 3 of 6; saved; the same command"):
        run_job(job("stopped", broken=(2, number)), 1, threads=1)
    assert reached(job("stopped")) == 3
    assert not (Path(job("stopped").out_dir) / "toy.safetensors").exists()
    assert results(job("stopped")) == results(job("whole"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_processes_and_one_resumes_to_the_same_bits(
    job, children: list[subprocess.Popen], number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    recipe = ToyRecipe(steps=600, checkpoint_every=300, log_every=300)
    stopped = job("stopped", broken=(1, number), kills_parent=True, recipe=recipe)
    with pytest.raises(
        TrainingError, match=rf"stopped by {number.name} after step (\d+) of 600; saved"
    ) as caught:
        run_job(stopped, 2, threads=2)
    assert signal.getsignal(number) is before
    assert [child.returncode for child in children] == [1, 1]
    step = int(str(caught.value).split("step ")[1].split()[0])
    assert reached(stopped) == step
    resumed = job("stopped", accumulate=2, recipe=recipe)
    assert results(resumed) == results(job("whole", accumulate=2, recipe=recipe))


def test_ctrl_c_before_processes_train_is_told_in_one_line(job) -> None:
    with pytest.raises(
        TrainingError, match="stopped by SIGINT before the first step; the same command starts"
    ):
        run_job(job("early", interrupted=True), 2, threads=2)


def test_a_signal_before_the_first_step_takes_none(tmp_path: Path) -> None:
    def make() -> ToyTask:
        os.kill(os.getpid(), signal.SIGTERM)
        return ToyTask(ToyRecipe())

    with pytest.raises(TrainingError, match="stopped by SIGTERM after step 0 of 6; nothing to save"):
        train(make, out_dir=tmp_path, state_dir=tmp_path / "state", token="t")
    assert not stored_checkpoints(tmp_path / "state")


def test_a_signal_while_a_checkpoint_is_written_lets_it_be_finished(
    job, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = loop.save_checkpoint

    def signalled(*arguments) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        save(*arguments)

    monkeypatch.setattr(loop, "save_checkpoint", signalled)
    with pytest.raises(TrainingError, match="after step 2 of 6; saved"):
        run_job(job("writing"), 1, threads=1)
    assert [found.step for found in stored_checkpoints(Path(job("writing").state_dir))] == [2]


def test_a_signal_in_the_last_step_no_longer_stops_the_run(job) -> None:
    assert results(job("last", broken=(5, signal.SIGTERM))) == results(job("whole"))


def test_a_process_whose_parent_is_gone_takes_no_step(job) -> None:
    job("attended").train(Processes(0, 1, CPU, parent=os.getppid()))
    with pytest.raises(TrainingError, match="the process that started this one ended after step 0 of 6"):
        job("orphaned").train(Processes(0, 1, CPU, parent=os.getpid()))
    assert not stored_checkpoints(Path(job("orphaned").state_dir))


def test_a_corrupt_newest_checkpoint_falls_back_to_the_one_before(job, caplog) -> None:
    with pytest.raises(TrainingError, match="stopped"):
        run_job(job("stopped", broken=(4, signal.SIGTERM)), 1, threads=1)
    newest, before = stored_checkpoints(Path(job("stopped").state_dir))
    data = bytearray(newest.path.read_bytes())
    data[len(data) // 2] ^= 1
    newest.path.write_bytes(data)
    assert (newest.step, before.step) == (5, 4)
    assert results(job("stopped")) == results(job("whole"))
    assert f"{newest.path} is damaged" in caplog.text


def test_other_settings_start_anew_and_say_so(job, caplog) -> None:
    results(job("run", token="old", recipe=ToyRecipe(learning_rate=1.0)))
    again = results(job("run"))
    assert "belongs to other settings" in caplog.text
    assert again == results(job("fresh"))


def test_a_finished_run_is_not_trained_again(job) -> None:
    expected = results(job("run"))
    assert results(job("run", broken=(0, signal.SIGKILL))) == expected


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    class Larger(ToyTask):
        def __init__(self) -> None:
            super().__init__(ToyRecipe())
            self.more = torch.nn.Linear(1, 1)

    places = {"out_dir": tmp_path / "out", "state_dir": tmp_path / "state", "token": "t"}
    train(lambda: ToyTask(ToyRecipe()), **places)
    with pytest.raises(TrainingError, match=r"of another model: \['more.bias', 'more.weight'\] differ"):
        train(Larger, **places)


def test_a_checkpoint_of_other_terms_is_refused(tmp_path: Path) -> None:
    class Renamed(ToyTask):
        terms = ("squared", "absolute")

    places = {"out_dir": tmp_path / "out", "state_dir": tmp_path / "state", "token": "t"}
    train(lambda: ToyTask(ToyRecipe()), **places)
    with pytest.raises(TrainingError, match=r"terms \['square', 'absolute'\], the task's \['squared'"):
        train(lambda: Renamed(ToyRecipe()), **places)


def test_a_task_gives_its_own_sampler(job, tmp_path: Path) -> None:
    class Rare:
        """Every second sample is number 9."""

        def of_step(self, step: int) -> list[Place]:
            return [(4 * step + k, 9 if k % 2 else k) for k in range(4)]

    seen: list[int] = []

    class Mixed(ToyTask):
        def sampler(self) -> Rare:
            return Rare()

        def batch(self, step: int, samples: list[Place]):
            seen.extend(number for _, number in samples)
            return super().batch(step, samples)

    train(lambda: Mixed(ToyRecipe(steps=2)), out_dir=tmp_path, state_dir=tmp_path / "state", token="t")
    assert seen == [0, 9, 2, 9] * 2


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sampler_of_too_few_samples_is_refused_by_name(tmp_path: Path, workers: int) -> None:
    class Short(ToyTask):
        def sampler(self) -> StepSampler:
            return StepSampler(10, 3, 0)

    with pytest.raises(
        TrainingError, match=r"step 0: StepSampler\.of_step chose 3 samples, .*batch_size of 4"
    ):
        train(
            lambda: Short(ToyRecipe()),
            out_dir=tmp_path,
            state_dir=tmp_path / "state",
            token="t",
            execution=Execution(workers=workers),
        )
    assert not multiprocessing.active_children()  # Python would wait for them at its end


def test_a_task_that_cannot_be_divided_is_refused_by_name() -> None:
    class Whole(ToyTask):
        divisible = False

    for execution, processes in (
        (Execution(accumulate=2), single_process()),
        (Execution(), Processes(0, 2, CPU)),
    ):
        with pytest.raises(TrainingError, match="Whole learns from all samples of a step at once"):
            Learner(Whole(ToyRecipe()), execution, processes)
    with pytest.raises(TrainingError, match="batch_size 4 cannot be divided among 1 processes with 3"):
        Learner(ToyTask(ToyRecipe()), Execution(accumulate=3), single_process())


def test_workers_change_nothing(tmp_path: Path) -> None:
    for workers in (0, 2):
        out = tmp_path / str(workers)
        execution = Execution(workers=workers)
        train(
            lambda: ToyTask(ToyRecipe()), out_dir=out, state_dir=out / "state", token="t", execution=execution
        )
    alone, helped = ((tmp_path / str(workers) / "toy.safetensors").read_bytes() for workers in (0, 2))
    assert alone == helped


def test_progress_of_one_of_several_processes_reaches_the_terminal_and_not_the_log(caplog, capfd) -> None:
    caplog.set_level(logging.INFO)
    say = "import logging; from vfm_fusion.training import launch; launch._log_to_parent(0); "
    say += "launch.TERMINAL.info('step 3 of 6'); logging.getLogger('loop').info('begun')"
    shown = logging.StreamHandler()
    launch.TERMINAL.addHandler(shown)
    with subprocess.Popen([sys.executable, "-c", say], stdout=subprocess.PIPE, text=True) as child:
        launch._relay(0, child)
    launch.TERMINAL.removeHandler(shown)
    assert capfd.readouterr().err == "step 3 of 6\n"
    logged = [record.message for record in caplog.records if record.name != launch.TERMINAL.name]
    assert logged == ["[0] INFO loop: begun"]


def test_an_error_of_one_process_is_shown_and_logged(job, caplog) -> None:
    caplog.set_level("INFO")
    with pytest.raises(ShapeError, match="a toy has no shape"):
        run_job(job("failing", fails=True), 2, threads=2)
    assert "Traceback" in caplog.text


def test_fewer_gpus_than_devices_are_refused_before_anything_starts(
    job, children: list[subprocess.Popen], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError, match=r"training\.devices is 2, but 1 GPU is visible here"):
        run_job(job("few"), 2, threads=2)
    assert not children
