"""Measures what SLURM costs beside the same jobs on this machine.

    python tests/slurm/slurm_cluster.py python benchmarks/slurm.py    # on a cluster of one node, as root
    python benchmarks/slurm.py --jobs 200                             # on yours, from its login node

A workflow of jobs that do nothing (``touch``) runs on this machine, then through the repository's profile:
one submission a job, and bundled. Printed are the seconds of each, and those that a job costs over its own.
``--quick`` times the quick experiment both ways, too.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]

SNAKEFILE = """\
rule all:
    input: expand("done/{{number}}", number=range({jobs}))

rule nothing:
    output: "done/{{number}}"
    resources: mem_mb=400, runtime=5
    shell: "touch {{output}}"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200, help="jobs of the workflow that does nothing")
    parser.add_argument("--single", type=int, default=20, help="of these, jobs that are submitted one by one")
    parser.add_argument("--bundle", type=int, default=25, help="jobs of a submission")
    parser.add_argument(
        "--poll", type=int, help="seconds between looks at the queue (default: the profile's)"
    )
    parser.add_argument("--quick", action="store_true", help="time the quick experiment as well")
    options = parser.parse_args()
    if not shutil.which("sinfo") or subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        sys.exit("no SLURM answers here; see the first line of `python benchmarks/slurm.py --help`")
    with tempfile.TemporaryDirectory(prefix="slurm-benchmark-", dir=ROOT) as folder:
        measure(Path(folder), options)


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Prints a row for each way to run each workflow."""
    print(f"{'':34}{'jobs':>6}{'submissions':>13}{'seconds':>9}{'a job':>8}{'over local':>12}")
    bundled = ("--groups", "nothing=bundle", "--group-components", f"bundle={options.bundle}")
    baseline = nothing(folder, "on this machine", options.jobs, ("--cores", "2"))
    nothing(folder, "SLURM, one by one", options.single, profile(folder, options.poll), baseline)
    nothing(folder, "SLURM, bundled", options.jobs, profile(folder, options.poll, *bundled), baseline)
    if options.quick:
        baseline = quick(folder, "quick, on this machine", ("--cores", "2"))
        quick(folder, "quick, SLURM", profile(folder, options.poll), baseline)


def profile(folder: Path, poll: int | None, *grouping: str) -> tuple[str, ...]:
    """Options for SLURM: the repository's profile, with other groups where some are given."""
    settings = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text())
    if poll is not None:
        settings["slurm-init-seconds-before-status-checks"] = poll
    if grouping:
        settings = {key: value for key, value in settings.items() if not key.startswith("group")}
    path = folder / f"profile-{'bundled' if grouping else 'as-it-is'}"
    path.mkdir(exist_ok=True)
    (path / "config.yaml").write_text(yaml.safe_dump(settings))
    return ("--profile", str(path), *grouping)


def nothing(
    folder: Path, name: str, jobs: int, options: tuple[str, ...], baseline: float | None = None
) -> float:
    """Runs jobs that do nothing; returns the seconds that one took."""
    work = Path(tempfile.mkdtemp(dir=folder))
    (work / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs))
    seconds, submissions = timed(["--directory", str(work), "--snakefile", str(work / "Snakefile")], options)
    return row(name, jobs, submissions, seconds, baseline)


def quick(folder: Path, name: str, options: tuple[str, ...], baseline: float | None = None) -> float:
    """Runs the quick experiment into an empty folder; returns the seconds that a job of it took."""
    results = Path(tempfile.mkdtemp(dir=folder)) / "results"
    config = ["--config", "experiment=quick", f"paths={{results: {results}}}", "--", "all"]
    seconds, submissions = timed([], options, config)
    jobs = len(list((results / "benchmarks").rglob("*.jsonl")))
    return row(name, jobs, submissions, seconds, baseline)


def timed(before: list[str], options: tuple[str, ...], after: list[str] | None = None) -> tuple[float, int]:
    """Seconds and submissions of a call of Snakemake."""
    command = [sys.executable, "-m", "snakemake", *before, *options, *(after or [])]
    begin = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    submissions = re.findall(r"submitted with SLURM jobid (\d+)", done.stdout)
    return time.perf_counter() - begin, len(set(submissions))


def row(name: str, jobs: int, submissions: int, seconds: float, baseline: float | None) -> float:
    """Prints the seconds of a workflow; returns those of a job."""
    each = seconds / jobs
    over = "" if baseline is None else f"{each - baseline:12.2f}"
    print(f"{name:34}{jobs:6}{submissions or '':>13}{seconds:9.1f}{each:8.2f}{over}", flush=True)
    return each


if __name__ == "__main__":
    main()
