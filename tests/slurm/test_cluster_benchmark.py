"""The benchmark of SLURM runs, and counts submissions right."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_cluster import Cluster

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow("times jobs one by one and bundled"),
    pytest.mark.timeout(600),
]


def test_bundles_cost_less_than_jobs_one_by_one(cluster: Cluster, repository: Path) -> None:
    options = ["--jobs", "6", "--single", "3", "--bundle", "3", "--poll", "2"]
    done = subprocess.run(
        [sys.executable, "benchmarks/slurm.py", *options],
        cwd=repository,
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w.*?)((?:  +[\d.-]+)+)$", done.stdout, re.MULTILINE)
    found = {name: [float(value) for value in values.split()] for name, values in rows}
    assert set(found) == {"on this machine", "SLURM, one by one", "SLURM, bundled"}
    assert found["SLURM, one by one"][:2] == [3, 3]
    assert found["SLURM, bundled"][:2] == [6, 2]
    for jobs, _, seconds, each, over in (found["SLURM, one by one"], found["SLURM, bundled"]):
        assert each == pytest.approx(seconds / jobs, abs=0.02)
        assert over == pytest.approx(each - found["on this machine"][2], abs=0.02)


def test_without_slurm_it_says_so(repository: Path, tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "SLURM_CONF": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "benchmarks/slurm.py"],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no SLURM answers here" in done.stderr
