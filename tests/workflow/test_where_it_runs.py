"""A clone runs in a folder of nearly any name, and says so where it cannot or is called from elsewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from working_copy import ODD_NAME, Workflow, copy_repository

from vfm_fusion.errors import ConfigError
from vfm_fusion.workflow.environment import check_place


def test_the_whole_experiment_runs_in_a_folder_that_a_shell_would_take_apart(finished: Workflow) -> None:
    assert finished.folder.name == ODD_NAME
    assert (finished.results / "report.html").exists()
    log = min(
        (finished.folder / ".snakemake" / "log").iterdir()
    )  # named by time: of the run that made it all
    assert re.search(rf"Run directory: .*/{re.escape(ODD_NAME)}\n", log.read_text(encoding="utf-8"))


def test_make_finds_its_tools_there(fresh: Workflow) -> None:
    """A plan only; ``-o`` stands for an environment that is up to date."""
    done = subprocess.run(
        ["make", "-o", ".venv/.ready", "CORES=2 -n", "quick"], **fresh.options(), capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "This was a dry-run" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a:b", "a {b} c"])
def test_a_folder_that_jobs_cannot_run_in_is_named(tmp_path: Path, repository: Path, name: str) -> None:
    copy_repository(repository, tmp_path / name)
    refused = Workflow(tmp_path / name).snakemake("-n", "all")
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1
    assert f"ConfigError: {tmp_path / name}: the name of this folder holds" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("has_config", [False, True])
def test_a_call_from_another_folder_says_where_to_call(
    fresh: Workflow, tmp_path: Path, has_config: bool
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if has_config:
        (elsewhere / "config.yaml").write_text("experiment: quick\n")
    options = {**fresh.options(), "cwd": elsewhere, "capture_output": True}
    call = ["-n", "-s", str(fresh.folder / "Snakefile")]

    refused = subprocess.run(fresh.command(*call, "all"), **options)
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1
    assert f"called in {elsewhere}" in said
    assert f"call snakemake in {fresh.folder}, or with -d" in said
    assert "MissingInput" not in said

    done = subprocess.run(fresh.command(*call, "-d", str(fresh.folder), "all"), **options)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_clone_is_named_without_detours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    with pytest.raises(ConfigError, match=rf"call snakemake in {tmp_path}, or with -d {tmp_path}\. To"):
        check_place(tmp_path / "docs" / "..")  # as of -s ../Snakefile
