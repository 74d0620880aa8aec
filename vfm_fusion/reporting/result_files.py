"""Reads the result files that tables and figures are made of, and checks them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.profiles.pair_rows import PairRow

PROFILE_COLUMNS = (
    *("definition", "stride", "score", "mean", "ci_low", "ci_high", "images", "undefined", "reason"),
)
SELECTION_KEYS = (
    *("dataset", "definition", "task", "stride_by", "master", "auxiliary", "stride", "reverse"),
    *("ranks", "strides", "margins", "reasons", "warnings"),
)
COST_KEYS = (
    *("run", "master", "train_master", "auxiliary", "train_auxiliary", "strides", "operator"),
    *("device", "threads", "parameters", "flops", "inference", "training"),
)
STABILITY_KEYS = (
    *("dataset", "definition", "task", "stride_by", "master", "auxiliary", "stride"),
    *("images", "repetitions"),
)


def read_profiles(files: Mapping[str, Path]) -> pd.DataFrame:
    """Reads and joins the profile summaries of several encoders (Parquet, see ``metrics.profile.summarise``).

    Args:
        files: encoder key to its summary.

    Returns:
        One row per encoder x definition x stride x score: ``encoder`` and ``PROFILE_COLUMNS``. ``images``
        counts the ones behind the mean, ``undefined`` the others; ``mean``, ``ci_low`` and ``ci_high`` are
        NaN where no image is left, and ``reason`` then says why.

    Raises:
        ReportingError: no file, a missing column, another encoder's file, or a row twice.
    """
    if not files:
        raise ReportingError("no profile summary was given; at least one encoder must be profiled")
    return joined_profiles({encoder: _read_profile(encoder, path) for encoder, path in files.items()})


def joined_profiles(summaries: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Joins the profile summaries of several encoders, by name; see :func:`read_profiles`."""
    named = [
        frame[list(PROFILE_COLUMNS)].assign(encoder=encoder)[["encoder", *PROFILE_COLUMNS]]
        for encoder, frame in summaries.items()
    ]
    return pd.concat(named, ignore_index=True)


def definitions_in_order(profiles: pd.DataFrame, selection: Mapping[str, Any]) -> list[str]:
    """Returns the metric definitions of joined profiles: the one that pairs the encoders, then the others.

    Raises:
        ReportingError: there is no profile by the selection's definition.
    """
    computed = list(profiles["definition"].unique())
    first = selection["definition"]
    if first not in computed:
        raise ReportingError(
            f"the selection rests on definition {first!r}, but there are profiles by: {', '.join(computed)}"
        )
    return [first, *(name for name in computed if name != first)]


def check_columns(frame: pd.DataFrame, columns: Iterable[str], where: object) -> None:
    """Checks that a table has what is read of it.

    Raises:
        ReportingError: a column is missing.
    """
    absent = [column for column in columns if column not in frame]
    if absent:
        raise ReportingError(f"{where}: columns {absent} are missing; found {list(frame.columns)}")


def _read_profile(encoder: str, path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    check_columns(frame, PROFILE_COLUMNS, path)
    if "encoder" in frame and set(frame["encoder"]) != {encoder}:
        found = sorted(set(frame["encoder"]))
        raise ReportingError(f"{path}: expected the profile of {encoder!r}, found {found}")
    key = ["definition", "stride", "score"]
    twice = frame[frame.duplicated(key)]
    if len(twice):
        first = twice[key].iloc[0].to_dict()
        raise ReportingError(f"{path}: {first} occurs twice; profile the encoder again")
    return frame


def read_selection(path: Path) -> dict[str, Any]:
    """Reads ``selection.json``.

    Raises:
        ReportingError: the file is not a JSON object with the keys of a selection.
    """
    return read_keys(path, SELECTION_KEYS)


def read_choice(paths: Sequence[Path], dataset: str, definition: str) -> dict[str, Any]:
    """Reads ``selection.json`` where a pair was chosen, and says otherwise that nothing was.

    Args:
        paths: the file, or none where there is one encoder alone.
        dataset: name of the data set.
        definition: the metric definition that would pair encoders.

    Returns:
        The selection; without a file all that was chosen is None.

    Raises:
        ReportingError: see :func:`read_selection`.
    """
    if paths:
        return read_selection(paths[0])
    return {**dict.fromkeys(SELECTION_KEYS), "dataset": dataset, "definition": definition}


def chosen_among(selection: Mapping[str, Any]) -> list[str]:
    """Returns the encoders that a selection has ranked, in alphabetical order."""
    return sorted(ranked["encoder"] for ranked in selection["ranks"]["sc"])


def read_pairs(path: Path) -> pd.DataFrame:
    """Reads what was compared of pairs of encoders (Parquet).

    Returns:
        The columns of :class:`~vfm_fusion.profiles.pair_rows.PairRow`.

    Raises:
        ReportingError: a column is missing, or a measure of a pair occurs twice at a stride.
    """
    frame = pd.read_parquet(path)
    check_columns(frame, PairRow._fields, path)
    key = ["master", "auxiliary", "stride", "measure"]
    twice = frame[frame.duplicated(key)]
    if len(twice):
        first = twice[key].iloc[0].to_dict()
        raise ReportingError(f"{path}: {first} occurs twice; compare the pairs again")
    return frame


def read_stability(path: Path) -> dict[str, Any]:
    """Reads ``stability.json``; see :func:`read_selection` for the error."""
    return read_keys(path, STABILITY_KEYS)


def read_cost(path: Path) -> dict[str, Any]:
    """Reads one run's ``cost.json``; see :func:`read_selection` for the error."""
    return read_keys(path, COST_KEYS)


def read_benchmarks(files: Mapping[Path, str]) -> pd.DataFrame:
    """Reads Snakemake benchmark files (JSON lines, plain or extended).

    Args:
        files: path to the name of the rule, used where a record does not name its own (plain format).

    Returns:
        One row per job: ``rule`` (str), ``seconds`` (wall clock), ``cpu_seconds`` and ``max_rss`` (MB);
        NaN where Snakemake could not sample (jobs shorter than its sampling interval write ``NA``).

    Raises:
        ReportingError: a line is not a JSON object or has no running time.
    """
    jobs = []
    for path, rule in files.items():
        for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            record = _parse(line, f"{path}, line {line_number}")
            if not isinstance(record.get("s"), int | float):
                raise ReportingError(
                    f"{path}, line {line_number}: no running time 's'; found {sorted(record)}"
                )
            jobs.append(
                {
                    "rule": record.get("rule_name") or rule,
                    "seconds": float(record["s"]),
                    "cpu_seconds": _sampled(record.get("cpu_time")),
                    "max_rss": _sampled(record.get("max_rss")),
                }
            )
    return pd.DataFrame(jobs, columns=["rule", "seconds", "cpu_seconds", "max_rss"])


def _sampled(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def read_keys(path: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Reads a JSON object that must have ``keys``.

    Raises:
        ReportingError: the file is not a JSON object with these keys.
    """
    content = _parse(path.read_text(encoding="utf-8"), str(path))
    absent = [key for key in keys if key not in content]
    if absent:
        raise ReportingError(f"{path}: keys {absent} are missing; found {sorted(content)}")
    return content


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReportingError(f"{where}: not valid JSON ({error}); rebuild the file") from error
    if not isinstance(content, dict):
        raise ReportingError(f"{where}: expected a JSON object, found {type(content).__name__}")
    return content
