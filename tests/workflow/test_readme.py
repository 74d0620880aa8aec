"""Every command and every piece of code in the README is executed: here, or by .ci/run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from working_copy import Workflow

from vfm_fusion.config.merge import deep_merge
from vfm_fusion.study.resolve import resolve

RUN_BY_CI = {"make run", "make test"}
PLANS_THE_PAPER = ".venv/bin/snakemake -n -q rules --config experiment=paper"
TRAINS_MINI_ENCODERS = ".venv/bin/snakemake --cores 2 pretrain_mini"
PROFILES_PHOTOS = (
    ".venv/bin/python -m vfm_fusion profile --encoders mini-dino mini-sam --images photos --out profile"
)
WRITES_AN_EXPERIMENT = (
    ".venv/bin/python -m vfm_fusion init holiday --images photos "
    "--encoders dinov2_vits14 timm:convnext_tiny.fb_in1k"
)
RUN_BY_THE_REALDATA_TEST = {"VFM_REALDATA=~/realdata make run EXPERIMENT=realdata"}
SNAKEMAKE = ".venv/bin/snakemake"


def blocks(repository: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)


def test_every_shell_command_is_known_to_a_test(repository: Path) -> None:
    commands = {line for block in blocks(repository, "bash") for line in block.splitlines() if line}
    unknown = {line for line in commands if not line.startswith(SNAKEMAKE)} - RUN_BY_CI
    unknown -= {PROFILES_PHOTOS, WRITES_AN_EXPERIMENT}
    assert unknown == RUN_BY_THE_REALDATA_TEST
    ci = (repository / ".ci" / "run").read_text()
    assert all(f"\nstep {command}\n" in ci for command in RUN_BY_CI)


def test_the_snakemake_commands_work(finished: Workflow, repository: Path) -> None:
    commands = [
        line for block in blocks(repository, "bash") for line in block.splitlines() if SNAKEMAKE in line
    ]
    assert len(commands) == 10
    commands.remove(TRAINS_MINI_ENCODERS)  # tests/workflow/test_pretraining.py runs it, smaller
    commands.remove(PLANS_THE_PAPER)  # tests/workflow/test_comparisons.py runs it
    for command in commands:
        arguments = shlex.split(command)[1:]
        if "--cores" in arguments:
            at = arguments.index("--cores")
            del arguments[at : at + 2]
        target = arguments.pop() if arguments and not arguments[-1].startswith("-") else "all"
        done = finished.snakemake(*arguments, target)
        assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_python_example_runs(repository: Path) -> None:
    _, example = blocks(repository, "python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dtype=torch.float64") == 4


def test_the_experiment_that_init_writes_can_be_planned(repository: Path, fresh: Workflow) -> None:
    assert any(WRITES_AN_EXPERIMENT in block for block in blocks(repository, "bash"))
    (fresh.folder / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (128, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(fresh.folder / "photos/noise.png")
    written = subprocess.run(
        [sys.executable, *shlex.split(WRITES_AN_EXPERIMENT)[1:]],
        **fresh.options(),
        capture_output=True,
        check=False,
    )
    assert written.returncode == 0, written.stderr
    *_, following = written.stdout.splitlines()
    assert following.endswith(f"{SNAKEMAKE} -n --config experiment=holiday -- select")
    fresh.config = {"experiment": "holiday"}
    planned = fresh.snakemake("-n", "select")
    assert re.search(r"profile_encoder +2\n", planned.stdout + planned.stderr), planned.stderr


def test_the_one_call_and_its_command_run(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (128, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photos" / "noise.png")
    call, _ = blocks(repository, "python")
    for arguments in (["-c", call], shlex.split(PROFILES_PHOTOS)[1:]):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(repository)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "mini-sam" in done.stdout
        (tmp_path / "profile" / "profile.html").unlink()


def test_the_configuration_examples_are_valid(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict = {}
    for block in blocks(repository, "yaml"):
        settings = deep_merge(settings, yaml.safe_load(block))
    config = resolve(settings, repository / "experiments")
    assert config.dataset == "cityscapes"
    assert config.encoders["dinov3"].architecture == "dinov3_vitb16"
    assert config.features_of("photos").image_size == (480, 640)


def test_the_error_that_the_readme_shows_is_the_error(repository: Path, fresh: Workflow) -> None:
    shown = next(
        line for line in (repository / "README.md").read_text().splitlines() if "ConfigError:" in line
    )
    fresh.config = {"experiment": "quick", "training": "{learning_rate: 1e-4}"}
    done = fresh.snakemake("-n", "all")
    assert shown in done.stdout + done.stderr


def test_make_help_names_every_target(repository: Path) -> None:
    said = subprocess.run(["make", "help"], cwd=repository, capture_output=True, text=True, check=True).stdout
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (repository / "Makefile").read_text(), re.MULTILINE)
    assert all(re.search(rf"^{target} ", said, re.MULTILINE) for target in targets.split())
