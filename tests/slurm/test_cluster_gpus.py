"""A training on two GPUs of a real cluster (or what passes for them): the layout of its job, its result."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from on_cluster import OnCluster
from safetensors.numpy import load_file
from slurm_cluster import Cluster
from working_copy import Workflow

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow("two trainings of two processes each, one through the queue"),
    pytest.mark.timeout(600),
]

RUN = "results/quick/runs/fused/seed0/model.safetensors"


def test_a_training_gets_its_gpus_in_one_task_and_trains_as_elsewhere(
    selected: Path, cluster: Cluster, tmp_path: Path
) -> None:
    copies = []
    for name in ("on_cluster", "elsewhere"):
        shutil.copytree(selected, tmp_path / name, symlinks=True)
        kind = OnCluster if name == "on_cluster" else Workflow
        copies.append(kind(tmp_path / name))
        copies[-1].config["training"] = "{steps: 6, warmup_steps: 2, batch_size: 2, devices: 2, workers: 1}"
    ours, theirs = copies
    ours.variables = cluster.environment
    ours.config["compute"] = "{gpu: true}"
    done = ours.snakemake(RUN)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (job,) = set(re.findall(r"submitted with SLURM jobid (\d+)", done.stdout + done.stderr))
    described = cluster.ask("scontrol", "show", "job", job)
    assert "NumNodes=1 NumCPUs=4 NumTasks=1 CPUs/Task=4" in described
    assert "TresPerJob=gres:gpu:2" in described
    assert "on 2 x cpu" in (ours.results / "logs" / "train" / "fused.seed0.log").read_text()
    done = theirs.snakemake("--cores", "4", RUN)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found, expected = load_file(ours.folder / RUN), load_file(theirs.folder / RUN)
    assert all((found[key] == expected[key]).all() for key in found.keys() | expected.keys())
