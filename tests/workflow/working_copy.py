"""A working copy of the repository in which tests run the quick experiment, with few images and steps."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

SMALL = {
    "experiment": "quick",
    "datasets": "{miniscapes: {train: 8, val: 5}}",
    "features": "{batch_size: 1}",
    "training": "{steps: 6, warmup_steps: 2, checkpoint_every: 2, log_every: 2}",
}
ODD_NAME = """büro 'one' "two" $HOME"""
"""A folder's name that a shell would take apart; and not all of it is ASCII."""
_STATS = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


@dataclass
class Workflow:
    """A working copy of the repository and how snakemake is called in it.

    Attributes:
        folder: the copy.
        config: what ``--config`` says.
    """

    folder: Path
    config: dict[str, str] = field(default_factory=lambda: dict(SMALL))

    @property
    def results(self) -> Path:
        """The folder of results."""
        return self.folder / "results" / self.config["experiment"]

    def snakemake(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess:
        """Runs snakemake to its end, whatever its exit status."""
        return subprocess.run(self.command(*arguments), **self.options(environment), capture_output=True)

    def kill_when(self, traces: Callable[[Path], set[Path]], number: signal.Signals) -> None:
        """Starts the workflow and sends it and its jobs a signal once it leaves a new one of ``traces``.

        SIGKILL is what a power cut does, SIGTERM what a cluster sends before it takes a machine away, and
        SIGINT what a terminal sends on Ctrl-C.
        """
        before = _found(traces, self.results)
        process = subprocess.Popen(
            self.command("all"),
            **self.options(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 900
        while _found(traces, self.results) <= before:
            assert process.poll() is None, "the workflow ended before it could be killed"
            assert time.monotonic() < deadline, "the moment to kill never came"
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        assert process.wait() != 0
        assert self.snakemake("--unlock", "all").returncode == 0

    def command(self, *arguments: str) -> list[str]:
        """The command line for ``arguments``, which end with the target."""
        *options, target = arguments
        settings = [f"{key}={value}" for key, value in self.config.items()]
        return [
            str(self.folder / ".venv" / "bin" / Path(sys.executable).name),
            "-m",
            "snakemake",
            "--cores",
            "2",
            *options,
            "--config",
            *settings,
            "--",
            target,
        ]

    def options(self, environment: dict[str, str] | None = None) -> dict:
        """Keyword arguments of subprocess for a call in this copy."""
        return {
            "cwd": self.folder,
            "text": True,
            "env": {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        }

    def planned(self) -> dict[str, int]:
        """Which rules ``-n`` would run, and how often; ``all`` is left out."""
        done = self.snakemake("-n", "all")
        assert done.returncode == 0, done.stdout + done.stderr
        if "Nothing to be done" in done.stdout + done.stderr:
            return {}
        stats = (done.stdout + done.stderr).rpartition("Job stats:")[2]
        return {rule: int(count) for rule, count in _STATS.findall(stats) if rule not in ("total", "all")}

    def edit(self, name: str, old: str, new: str) -> Callable[[], None]:
        """Replaces text in a file and returns the function that undoes it, modification time included."""
        path = self.folder / name
        before, stat = path.read_text(encoding="utf-8"), path.stat()
        assert before.count(old) == 1, f"{name} holds {old!r} {before.count(old)} times"
        path.write_text(before.replace(old, new), encoding="utf-8")

        def undo() -> None:
            path.write_text(before, encoding="utf-8")
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

        return undo


def _found(traces: Callable[[Path], set[Path]], results: Path) -> set[Path]:
    """The traces there are, as far as one can see among files that are being renamed."""
    with contextlib.suppress(FileNotFoundError):
        return traces(results)
    return set()


def copy_repository(source: Path, target: Path) -> None:
    """Copies what git tracks, or would track, as it is in the working tree; ``.venv`` is the one at hand."""
    for name in listed(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)
    (target / ".venv").symlink_to(sys.prefix)


def copy_finished(source: Path, target: Path, kept: Path) -> Workflow:
    """Copies a run of the small experiment to its end, which is made where ``kept`` has none of this source.

    It is made in a folder of an odd name. Whoever asks while it is made waits for it. Nobody works in the one
    that is kept.
    """
    kept.mkdir(parents=True, exist_ok=True)
    run = kept / digest(source)
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not run.exists():
            for other in filter(Path.is_dir, kept.iterdir()):
                shutil.rmtree(other)
            making = Workflow(kept / ODD_NAME)
            copy_repository(source, making.folder)
            done = making.snakemake("all")
            assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
            making.folder.rename(run)
        shutil.copytree(run, target, symlinks=True)
    return Workflow(target)


def digest(source: Path) -> str:
    """Stands for all that a run may depend on: files other than tests, packages, and the machine."""
    found = hashlib.sha256(f"{sys.version} {platform.node()}".encode())
    for package in sorted(f"{one.name}=={one.version}" for one in distributions()):
        found.update(package.encode())
    for name in (name for name in listed(source) if not name.startswith("tests/")):
        found.update(f"\n{name}\n".encode())
        found.update((source / name).read_bytes())
    return found.hexdigest()[:16]


def listed(source: Path) -> list[str]:
    """Files that git tracks, or would track, and that are there."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=source,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(name for name in names.split("\0") if name and (source / name).is_file())
