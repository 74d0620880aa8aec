"""What `make gpu-check` does about time limits, lost processes, missing packages and what it found before."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DONE = {"state": "done", "reason": "", "seconds": 1.0, "peak_bytes": None}
MACHINE = {"device": "CPU", "versions": {"torch": "2.13"}, "python": "3.12", "compiler": None}


@pytest.fixture
def gpu_check(monkeypatch: pytest.MonkeyPatch, repository: Path) -> ModuleType:
    monkeypatch.syspath_prepend(repository / "benchmarks")
    import gpu_check

    return gpu_check


@pytest.fixture
def check(gpu_check: ModuleType, tmp_path: Path) -> Callable[..., dict[str, dict]]:
    """Runs parts that find nothing, and notes in ``check.ran`` which ran and in ``check.pages`` each page."""

    def run(name: str, seconds: float) -> dict[str, Any]:
        check.ran.append(name)
        return DONE | {"found": check.machine if name == "machine" else {}} | check.records.get(name, {})

    def check(*names: str, seconds: float = 600.0, again: bool = False) -> dict[str, dict]:
        check.ran, check.pages = [], []
        until = time.monotonic() + seconds
        setting = gpu_check.Setting("cpu", True)

        def write(records: dict[str, dict]) -> None:
            bare = {name: record | {"found": None} for name, record in records.items()}
            check.pages.append(gpu_check.page(bare | {"machine": records["machine"]}, setting))

        return gpu_check.check(names, run, tmp_path, write, until, again)

    check.machine, check.records = MACHINE, {}
    return check


def test_what_is_current_is_kept_and_what_is_missing_made(check) -> None:
    check("tests", "group")
    assert check.ran == ["machine", "tests", "group"]
    found = check("tests", "resumed")
    assert check.ran == ["machine", "resumed"]
    assert set(found) == {"machine", "tests", "group", "resumed"}
    check("tests", again=True)
    assert check.ran == ["machine", "tests"]
    check.machine = MACHINE | {"device": "another card"}
    found = check("tests")
    assert check.ran == ["machine", "tests"]
    assert set(found) == {"machine", "tests"}, "what another card gave has no place on this one's page"


def test_other_code_makes_a_part_again(
    check, gpu_check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "root" / "vfm_fusion").mkdir(parents=True)
    module = tmp_path / "root" / "vfm_fusion" / "module.py"
    module.write_text("one = 1\n")
    monkeypatch.setattr(gpu_check, "ROOT", tmp_path / "root")
    check("tests")
    check("tests")
    assert check.ran == ["machine"]
    module.write_text("one = 2\n")
    check("tests")
    assert check.ran == ["machine", "tests"]


def test_the_page_is_written_after_every_part_and_a_failed_part_keeps_no_other_from_running(check) -> None:
    check.records["tests"] = {"state": "failed", "reason": "RuntimeError: a|b", "found": None}
    found = check("tests", "group")
    assert check.ran == ["machine", "tests", "group"]
    assert [page.count("| done |") for page in check.pages] == [1, 1, 2, 2]
    assert "| the GPU tests | failed: RuntimeError: a/b | 1 |" in check.pages[1]
    assert found["group"]["state"] == "done"
    check.records.clear()
    check("tests", "group")
    assert check.ran == ["machine", "tests"]


def test_without_time_nothing_is_begun_and_the_page_says_so(check) -> None:
    found = check("tests", "group", seconds=5.0)
    assert check.ran == ["machine"]
    assert found["group"]["state"] == "not run"
    assert (
        "| a process group of one | not run: no time was left; the same command goes on |" in check.pages[-1]
    )


def test_without_a_gpu_no_page_is_written(check) -> None:
    check.records["machine"] = {"state": "not run", "reason": "torch sees no CUDA device here"}
    check("tests")
    assert (check.ran, check.pages) == (["machine"], [])


def test_a_missing_package_is_named_by_the_part_that_needs_it(
    gpu_check, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gpu_parts

    monkeypatch.setitem(sys.modules, "gpu_engine", None)  # importing it fails as if it were not installed
    record = gpu_parts.attempt("resumed", gpu_check.Setting("cpu", True))
    assert (record["state"], record["reason"]) == (
        "not run",
        "it needs the package 'gpu_engine', which is not there",
    )


def test_a_part_that_takes_too_long_is_ended_and_the_next_one_runs(gpu_check) -> None:
    worker = gpu_check.Worker(gpu_check.Setting("cpu", True))
    try:
        late = worker.run("machine", 0.01)
        assert (late["state"], late["reason"][:13]) == ("failed", "stopped after")
        assert worker.run("machine", 60)["found"]["device"] == "CPU"
        worker.dismiss()
        assert worker.process is None
    finally:
        worker.end()


def test_targets_are_told_by_variant_from_what_was_measured(gpu_check) -> None:
    def record(model: str, seconds: float, flops: int, channels_last: bool) -> dict[str, Any]:
        task = {"model": model, "size": "full", "batch": 3, "crop": [512, 1024], "device": "cuda"}
        task |= {
            "precision": "bf16-mixed",
            "steps": 1,
            "seed": 1,
            "compiled": "",
            "auxiliary_bfloat16": False,
        }
        phases = ("training", "inference")
        measured = {"parameters": 1, "trainable": 1, "seconds": {phase: [seconds] for phase in phases}}
        measured |= {"peak": dict.fromkeys(phases, 10**9)}
        measured |= {"flops": {} if channels_last else dict.fromkeys(phases, flops)}
        task |= {"channels_last": channels_last, "threads": 1}
        return DONE | {"found": {"task": task, "measured": measured}}

    records = {"machine": DONE | {"found": MACHINE | {"device": "NVIDIA X", "memory": 8e10, "cuda": "13.0"}}}
    for variant, slower in (("as it is", 1.25), ("channels-last", 1.5)):
        records[f"training of master alone, {variant}"] = record("master alone", 1.0, 80, slower > 1.3)
        records[f"training of fused, {variant}"] = record("fused", slower, 100, slower > 1.3)
    assert gpu_check.missed_targets(records) == [
        "channels-last: training, ratio 0.75",
        "channels-last: training, share 0.85",
        "channels-last: inference, share 0.85",
    ]
    text = gpu_check.page(records, gpu_check.Setting("cuda", False))
    assert text.startswith("# Benchmarks on NVIDIA X\n")
    assert "says nothing about the speed" not in text
    assert (
        "fused                     training       0.80   0.80   1.00   ratio 0.75: met, share 0.85: met"
        in text
    )
    assert "2.2 images/s" in text
