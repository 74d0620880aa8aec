"""The benchmarks run, and their peers agree with what they time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_metrics_agree_with_their_transcription(repository: Path) -> None:
    options = ["--size", "256", "512", "--workloads", "hiera", "--threads", "1", "--repeats", "1"]
    done = subprocess.run(
        [sys.executable, "benchmarks/metrics.py", *options],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for row in ("ours, paper", "ours, reference_training", "transcription, paper", "floor: two reads"):
        assert row in done.stdout
    lines = re.findall(r"^  ec .*$", done.stdout, flags=re.MULTILINE)
    assert len(lines) == 2
    for score, difference in re.findall(r"(\w+) (\S+?)(?:,|$)", ", ".join(lines)):
        assert float(difference) < (0.02 if score in ("sc", "scs") else 1e-4), score
