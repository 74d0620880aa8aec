"""What a job says: all of it to its log, progress and one line of an error or of Ctrl-C to the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vfm_fusion.workflow.rule_log import QUIET, job_name

SCRIPT = """
import os, signal, sys, time
snakemake = None  # as in a script that Snakemake has prepared
import vfm_fusion
{before}
from vfm_fusion.errors import LabelError
from vfm_fusion.workflow import progress
from vfm_fusion.workflow.rule_log import rule_log
progress.SECONDS_BETWEEN_LINES = 0.0

with rule_log(sys.argv[1], 1) as log:
    log.info("begun")
    for number in progress.progress(range(3), "count", 3):
        {inside}
"""
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT); time.sleep(10)"


def said(tmp_path: Path, inside: str = "pass", before: str = "", **environment: str) -> tuple[int, str, str]:
    """Runs a job on a terminal; returns its exit status, what it shows there, and its log."""
    script, log = tmp_path / "script.py", tmp_path / "results" / "logs" / "count" / "to.three.log"
    script.write_text(SCRIPT.format(inside=inside, before=before))
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, script, log],
        stderr=theirs,
        env={**os.environ, **environment},
        cwd=Path.cwd(),
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # a shell's background jobs ignore it
    )
    os.close(theirs)
    shown = b""
    try:
        while read := os.read(ours, 4096):
            shown += read
    except OSError:  # the end of a terminal
        pass
    os.close(ours)
    return process.wait(), shown.decode().replace("\r\n", "\n"), log.read_text() if log.exists() else ""


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.delenv(QUIET, raising=False)


def test_progress_is_shown_on_a_terminal_in_lines_that_name_the_job(tmp_path: Path) -> None:
    code, shown, log = said(tmp_path)
    assert code == 0
    assert shown.splitlines() == [
        "count to.three: 1 of 3, 0:00:00 left",
        "count to.three: 2 of 3, 0:00:00 left",
    ]
    assert "count: 3 of 3" in log


def test_with_quiet_it_is_not(tmp_path: Path) -> None:
    assert said(tmp_path, **{QUIET: "yes"})[:2] == (0, "")


def test_ctrl_c_is_one_line_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    code, shown, log = said(tmp_path, INTERRUPT)
    assert code == 130
    assert shown == "count to.three: interrupted; the same command goes on\n"
    assert "KeyboardInterrupt" in log


def test_ctrl_c_while_a_job_still_imports_shows_no_traceback(tmp_path: Path) -> None:
    assert said(tmp_path, before=INTERRUPT) == (-signal.SIGINT, "", "")


def test_other_errors_keep_their_traceback_there(tmp_path: Path) -> None:
    code, shown, _ = said(tmp_path, before="1 / 0")
    assert code == 1
    assert "ZeroDivisionError" in shown


def test_an_error_on_purpose_is_one_line_and_names_the_log(tmp_path: Path) -> None:
    code, shown, log = said(tmp_path, 'raise LabelError("label 7 of 1.png is not defined")')
    assert code == 1
    assert shown == f"LabelError: label 7 of 1.png is not defined\n(log: {job_log(tmp_path)})\n"
    assert "Traceback" in log


def job_log(tmp_path: Path) -> Path:
    return tmp_path / "results" / "logs" / "count" / "to.three.log"


@pytest.mark.parametrize(
    ("log", "name"),
    [
        (
            "results/quick/logs/extract_part/miniscapes/mini-dino.1of2.log",
            "extract_part miniscapes mini-dino.1of2",
        ),
        ("results/logs/resolved_config.log", "resolved_config"),
    ],
)
def test_a_job_is_called_by_its_log(log: str, name: str) -> None:
    assert job_name(log) == name
