"""Says whether two folders of results hold the same results: python tests/same_results.py BEFORE AFTER.

Everything that an experiment computes is compared byte by byte: data, features, profiles, decisions,
weights, predictions, scores, tables, figures. Only what differs between two runs of the same code is passed
over: logs, benchmarks, working state, the report (which shows both), measured time and memory, and the tokens
that tie stored features to the version of the code. Settings may have got further keys. Results of before a
file moved are found where they were.
"""

from __future__ import annotations

import csv
import json
import operator
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import yaml

PASSED_OVER = ("logs", "benchmarks", "state")
"""Folders of what two runs of the same code differ in."""

MEASURED = {"device", "threads", "inference", "training", "seconds"}
"""Keys of ``cost.json`` that hold time and memory, and what they were measured on."""

MEASURED_FILES = (
    "report.html",
    "interactive/*/seconds.parquet",
    "tables/runtime.*",
    "tables/cost.*",
    "tables/clicks.*",
    "tables/upsamplers.*",
    "figures/click_cost.*",
)
"""Files that hold times among other things; of some the rest is compared as CSV."""

MEASURED_ROWS = {
    "tables/clicks.csv": ("metric", "seconds"),
    "tables/upsamplers.csv": ("statistic", "milliseconds"),
}
"""CSV file to the column, and what it says in rows that hold a time."""

SETTINGS = ("config.resolved.yaml", "/run.json", "/predictions.h5")
"""Ends of the names of files that hold settings, which may have got further keys."""

COUNTED = ("run", "parameters", "flops")
"""What the names of the columns of ``cost.csv`` begin with that are counted, not measured."""


def differences(before: Path, after: Path) -> list[str]:
    """Compares two folders of results.

    Returns:
        One line for each file that only one of them has or that differs.
    """
    old, new = _files(before), _files(after)
    lines = [f"only before: {name}" for name in sorted(old.keys() - new.keys())]
    lines += [f"only after: {name}" for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        content = _reader(name)
        same = _covers if name.endswith(SETTINGS) else operator.eq
        if not same(content(old[name]), content(new[name])):
            lines.append(f"differs: {name}")
    return lines


def _files(folder: Path) -> dict[str, Path]:
    found = {}
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts[0] not in PASSED_OVER and "tensorboard" not in parts:
            found[_name_now(path, parts)] = path
    return {name: path for name, path in found.items() if not _is_measured(name)}


def _name_now(path: Path, parts: tuple[str, ...]) -> str:
    """Returns where a file lies now: what is said of a run's images lies in a folder of their data set."""
    if len(parts) == 4 and parts[0] == "runs" and parts[3] in ("evaluation.json", "predictions.h5"):
        evaluation = json.loads(path.with_name("evaluation.json").read_text(encoding="utf-8"))
        parts = (*parts[:3], evaluation["dataset"], parts[3])
    return "/".join(parts)


def _is_measured(name: str) -> bool:
    if name == "tables/cost.csv" or name in MEASURED_ROWS:
        return False
    return any(fnmatchcase(name, pattern) for pattern in MEASURED_FILES)


def _reader(name: str) -> Callable[[Path], object]:
    if name.endswith(".h5"):
        return _bundle
    if name.endswith(SETTINGS):
        return lambda path: yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
    if name.endswith(".zarr/zarr.json"):
        return _store
    if name.endswith(".zarr/maps.parquet"):
        return lambda path: pq.read_table(path).to_pylist()
    if name.endswith("manifest.json"):
        return lambda path: _without(path, {"token"})
    if name.endswith("/cost.json"):
        return lambda path: _without(path, MEASURED)
    if name == "tables/cost.csv":
        return _counted
    if name in MEASURED_ROWS:
        column, measured = MEASURED_ROWS[name]
        return lambda path: [row for row in _rows(path) if row[column] != measured]
    return Path.read_bytes


def _bundle(path: Path) -> dict[str, object]:
    """Returns every array of an HDF5 file by its bytes, and what describes a run as its settings."""
    found: dict[str, object] = {}

    def read(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            array = np.asarray(item[()])
            content = array.tolist() if array.dtype == object else array.tobytes()
            found[name] = json.loads(content) if name == "run" else (array.shape, str(array.dtype), content)

    with h5py.File(path) as file:
        file.visititems(read)
    return found


def _without(path: Path, keys: set[str]) -> dict[str, object]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in content.items() if key not in keys}


def _store(path: Path) -> dict[str, object]:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["attributes"].pop("identity")  # the token again
    return content


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _counted(path: Path) -> list[dict[str, str]]:
    return [{key: value for key, value in row.items() if key.startswith(COUNTED)} for row in _rows(path)]


def _covers(old: object, new: object) -> bool:
    """Whether settings are as before, but for keys that a later version of the code has added."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and _covers(value, new[key]) for key, value in old.items())
    return old == new


def main(arguments: list[str]) -> int:
    """Prints the differences; the exit status says whether there are any."""
    if len(arguments) != 2 or not all(Path(folder).is_dir() for folder in arguments):
        print("usage: python tests/same_results.py BEFORE AFTER (two folders of results)", file=sys.stderr)
        return 2
    before, after = map(Path, arguments)
    found = differences(before, after)
    print("\n".join(found) or f"the same results: {len(_files(after))} files")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
