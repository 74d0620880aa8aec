"""What befalls jobs on a real cluster: cancelled, stopped, put back, lost. No result is wrong or lost."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from on_cluster import OnCluster
from safetensors.numpy import load_file
from slurm_cluster import Cluster
from working_copy import Workflow

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow("each training is interrupted and resumed through the queue"),
    pytest.mark.timeout(900),
]

RUN = "results/quick/runs/master/seed0"
MODEL = f"{RUN}/model.safetensors"
TRAINING = "{steps: 150, warmup_steps: 2, checkpoint_every: 3, log_every: 10}"


@pytest.fixture
def copy(selected: Path, cluster: Cluster, tmp_path: Path) -> OnCluster:
    """A working copy in which training is next, and which calls snakemake on the cluster."""
    shutil.copytree(selected, tmp_path / "copy", symlinks=True)
    workflow = OnCluster(tmp_path / "copy", variables=cluster.environment)
    workflow.config["training"] = TRAINING
    return workflow


@pytest.fixture(scope="module")
def uninterrupted(selected: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that the training gives when nothing befalls it, on this machine."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "copy"
    shutil.copytree(selected, folder, symlinks=True)
    workflow = Workflow(folder)
    workflow.config["training"] = TRAINING
    done = workflow.snakemake(MODEL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / MODEL


@contextmanager
def started(workflow: OnCluster, *arguments: str) -> Iterator[subprocess.Popen]:
    """A call that runs while the block does, and is waited for at its end."""
    process = subprocess.Popen(
        workflow.command(*arguments),
        **workflow.options(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait(ready: Callable[[], object], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not ready():
        assert process.poll() is None, process.stdout.read()[-5000:]
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.05)


def steps_saved(workflow: OnCluster) -> int:
    names = [path.name for path in workflow.results.glob("state/runs/master/seed0/step-*.ckpt")]
    return max((int(re.match(r"step-(\d+)", name).group(1)) for name in names), default=0)


def hit(workflow: OnCluster, cluster: Cluster, process: subprocess.Popen, blow: Callable[[str], None]) -> str:
    """Does something to the running training job once it has saved something new; returns the job's id."""
    before = steps_saved(workflow)
    wait(lambda: steps_saved(workflow) > before, process)
    (job,) = cluster.jobs("RUNNING")
    blow(job)
    wait(lambda: job not in cluster.jobs("RUNNING,COMPLETING"), process)
    return job


def assert_finished(process: subprocess.Popen, workflow: OnCluster, reference: Path) -> str:
    """The call ends well, with the weights of an uninterrupted run; returns what it printed."""
    output = process.communicate(timeout=400)[0]
    assert process.returncode == 0, output[-5000:]
    ours, theirs = load_file(workflow.folder / MODEL), load_file(reference)
    assert ours.keys() == theirs.keys()
    assert all((ours[key] == theirs[key]).all() for key in theirs)
    return output


def log_of(workflow: OnCluster) -> str:
    return (workflow.results / "logs" / "train" / "master.seed0.log").read_text()


def first_step(workflow: OnCluster) -> int:
    """The step that the last attempt went on from."""
    return int(re.search(r"steps (\d+) to ", log_of(workflow)).group(1))


def test_a_cancelled_and_a_timed_out_training_are_tried_again_and_resume(
    copy: OnCluster, cluster: Cluster, uninterrupted: Path
) -> None:
    def cancel(job: str) -> None:
        subprocess.run(["scancel", job], env=cluster.environment, check=True)

    def approach_the_limit(job: str) -> None:
        end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 100))
        command = ["scontrol", "update", f"JobId={job}", f"EndTime={end}"]
        subprocess.run(command, env=cluster.environment, check=True)

    calls = len(cluster.submitted)
    with started(copy, MODEL) as process:
        first = hit(copy, cluster, process, cancel)
        assert "SIGTERM" in log_of(copy)
        second = hit(copy, cluster, process, approach_the_limit)
        output = assert_finished(process, copy, uninterrupted)
    assert first != second
    assert f"'{first}' failed, SLURM status is: 'CANCELLED'" in output
    assert f"'{second}' failed, SLURM status is: 'FAILED'" in output
    attempts = cluster.submitted[calls:]
    assert [re.search(r"--mem (\d+)", call).group(1) for call in attempts] == ["4000", "8000", "12000"]
    assert [re.search(r" -t (\d+)", call).group(1) for call in attempts] == ["1440", "2880", "4320"]
    assert first_step(copy) > 0


def test_a_requeued_and_a_preempted_training_resume_in_the_same_job(
    copy: OnCluster, cluster: Cluster, uninterrupted: Path
) -> None:
    def requeue(job: str) -> None:
        subprocess.run(["scontrol", "requeue", job], env=cluster.environment, check=True)

    def preempt(job: str) -> None:
        command = ["sbatch", "--partition=urgent", f"--cpus-per-task={cluster.cpus}", "--wrap=sleep 1"]
        subprocess.run([*command, "--output=/dev/null"], env=cluster.environment, check=True)

    with started(copy, MODEL) as process:
        first = hit(copy, cluster, process, requeue)
        second = hit(copy, cluster, process, preempt)
        output = assert_finished(process, copy, uninterrupted)
    assert first == second
    assert "Trying to restart" not in output
    assert first_step(copy) > 0
    assert "Restarts=2" in cluster.ask("scontrol", "show", "job", first)


def test_the_last_failure_names_rule_job_and_log(copy: OnCluster, cluster: Cluster) -> None:
    copy.config["training"] = "{steps: 2, learning_rate: 1.0e+30, log_every: 1}"
    done = copy.snakemake("--retries", "0", MODEL)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    (job,) = re.findall(r"submitted with SLURM jobid (\d+)", output)
    assert "Error in rule train" in output
    assert f"external_jobid: {job}" in output
    assert f"log: {RUN.replace('runs', 'logs/train').replace('/seed0', '.seed0')}.log" in output
    assert f"{job}.log" in output.partition("Error in rule train")[2]
    assert "TrainingError" in output, "the rule's log is shown"
    assert not (copy.folder / MODEL).exists()


def test_a_restart_of_the_controller_is_survived(
    copy: OnCluster, cluster: Cluster, uninterrupted: Path
) -> None:
    with started(copy, MODEL) as process:
        wait(lambda: steps_saved(copy), process)
        cluster.stop("slurmctld")
        time.sleep(5)
        cluster.start_controller()
        output = assert_finished(process, copy, uninterrupted)
    assert "Trying to restart" not in output
