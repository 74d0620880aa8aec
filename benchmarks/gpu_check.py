"""Measures and checks on one GPU what needs one, in at most ten minutes, and writes docs/benchmarks-gpu.md.

    make gpu-check                                          # .venv's Python if there is one, else PYTHON's
    python benchmarks/gpu_check.py --again                  # all parts anew
    python benchmarks/gpu_check.py --device cpu --tiny      # whether the parts run, to results/gpu-check/

It needs no network and no data but what it generates, and installs nothing. The parts, in gpu_parts.py, run
one after another in a process beside this one: the GPU tests; a training step and an inference of master,
auxiliary and fused model at full size with seeded weights; SC and EF with null floors; extraction in
bfloat16; a run killed and resumed; a process group of one; then channels-last and torch.compile. What each
finds is kept in results/gpu-check/ at once, and the page written anew, so that a time limit loses nothing:
the same command goes on with what is missing. A part that was measured on another card, with other packages
or other code is measured again. One that cannot run, or takes too long, says why and keeps no other from
running.

The exit status is 1 where a part has no result or a target is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gpu_page import missed_targets, page
from gpu_parts import PARTS, ROOT, Setting, serve

PAGE = ROOT / "docs" / "benchmarks-gpu.md"
RECORDS = ROOT / "results" / "gpu-check"
NO_TIME = "no time was left; the same command goes on"


class Worker:
    """A process that runs parts; one that dies or takes too long is replaced by a new one."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.process = None

    def run(self, name: str, seconds: float) -> dict[str, Any]:
        """Returns the record of a part that may take so long."""
        if self.process is None:
            self.pipe, theirs = get_context("spawn").Pipe()
            self.process = get_context("spawn").Process(target=serve, args=(theirs, self.setting))
            self.process.start()
            theirs.close()
        self.pipe.send(name)
        try:
            if self.pipe.poll(seconds):
                record = self.pipe.recv()
                if record["state"] == "failed":  # a GPU that has reported an error may report it again
                    self.end()
                return record
            reason = f"stopped after {seconds:.0f} s; the same command tries again"
        except EOFError:
            self.process.join()
            reason = f"its process ended with {self.process.exitcode}"
        self.end()
        return {"state": "failed", "reason": reason, "found": None, "peak_bytes": None, "seconds": seconds}

    def dismiss(self) -> None:
        """Lets the process end, which has nothing to do any more."""
        if self.process is not None and self.process.is_alive():
            self.pipe.send("")
            self.process.join(10)
        self.end()

    def end(self) -> None:
        """Ends the process, whatever it does, and what it has started."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has ended, or has not yet begun its group
            self.process.kill()
        self.process.join()
        self.process = None


def check(
    names: Iterable[str],
    run: Callable[[str, float], dict[str, Any]],
    folder: Path,
    write: Callable[[dict[str, dict]], None],
    until: float,
    again: bool = False,
) -> dict[str, dict]:
    """Runs the parts that have no current record, as long as there is time.

    Args:
        names: parts, besides the machine, which is looked at first.
        run: runs a part that may take so many seconds, and returns its record.
        folder: where records are kept.
        write: writes the page; called after every part.
        until: end of the time (``time.monotonic``).
        again: whether current records are made anew too.

    Returns:
        Part -> its record, those of parts that are not among ``names`` too where they are current.
    """
    records = {"machine": run("machine", PARTS["machine"].seconds)}
    if records["machine"]["state"] != "done":
        return records
    made_of = digest(records["machine"]["found"])
    kept = {name: record for name, record in read(folder).items() if record["current"] == made_of}
    if again or "machine" not in kept:
        kept["machine"] = records["machine"] | {"current": made_of}
        keep(folder, "machine", kept["machine"])
    records |= kept
    write(records)
    for name in names:
        left = until - time.monotonic()
        if name in kept and not again:
            said = "kept from before"
        elif left < 10:
            records.setdefault(name, {"state": "not run", "reason": NO_TIME})
            said = NO_TIME
        else:
            records[name] = run(name, min(left, PARTS[name].seconds))
            keep(folder, name, records[name] | {"current": made_of})
            write(records)
            said = records[name]["reason"] or f"done in {records[name]['seconds']:.0f} s"
        print(f"{name}: {said}", file=sys.stderr, flush=True)
    write(records)
    return records


def read(folder: Path) -> dict[str, dict]:
    """Returns the records of parts that were done."""
    paths = {name: folder / f"{name}.json" for name in PARTS}
    found = {name: json.loads(path.read_text("utf-8")) for name, path in paths.items() if path.is_file()}
    return {name: record for name, record in found.items() if record["state"] == "done"}


def keep(folder: Path, name: str, record: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    whole = path.with_suffix(".tmp")
    whole.write_text(json.dumps(record, indent=1), encoding="utf-8")
    whole.replace(path)


def digest(machine: dict[str, Any]) -> str:
    """What a record is current for: this machine, and the code that it was made by."""
    found = hashlib.sha256(json.dumps(machine, sort_keys=True).encode())
    for folder in ("vfm_fusion", "benchmarks", "tests/unit/metrics"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small models and images: whether the parts run")
    parser.add_argument("--minutes", type=float, default=9.5, help="time for all parts together")
    names = [name for name in PARTS if name != "machine"]
    parser.add_argument("--parts", nargs="+", choices=names, default=names, metavar="PART")
    parser.add_argument("--again", action="store_true", help="measure anew what is current too")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of what was found")
    parser.add_argument("--page", type=Path, help=f"default: {PAGE.relative_to(ROOT)}, of a GPU at full size")
    options = parser.parse_args()
    options.records /= f"{options.device}{'-tiny' if options.tiny else ''}"
    real = options.device == "cuda" and not options.tiny
    options.page = options.page or (PAGE if real else options.records / "page.md")
    return options


def main() -> int:
    options = parsed()
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    sys.path.insert(0, str(ROOT))  # this copy of the package, whether or not it is installed
    from vfm_fusion.workflow.environment import prepare_environment

    prepare_environment(ROOT)
    setting = Setting(options.device, options.tiny)
    worker = Worker(setting)

    def write(records: dict[str, dict]) -> None:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(page(records, setting), encoding="utf-8")

    until = time.monotonic() + 60 * options.minutes
    try:
        records = check(options.parts, worker.run, options.records, write, until, options.again)
        worker.dismiss()
    finally:
        worker.end()
    if records["machine"]["state"] != "done":
        print(f"gpu-check cannot run: {records['machine']['reason']}", file=sys.stderr)
        return 1
    absent = [name for name in options.parts if records[name]["state"] != "done"]
    missed = [] if options.tiny else missed_targets(records)
    print(f"{options.page}: {len(options.parts) - len(absent)} of {len(options.parts)} parts")
    for line in (*(f"no result: {name}" for name in absent), *(f"missed: {target}" for target in missed)):
        print(line)
    return 1 if absent or missed else 0


if __name__ == "__main__":
    sys.exit(main())
