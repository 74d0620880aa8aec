"""What every injection stride of a sweep reached, beside what every predictor said of it: one tidy table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from vfm_fusion.config.registries import PREDICTORS
from vfm_fusion.errors import ReportingError
from vfm_fusion.loading import load
from vfm_fusion.reporting.labels import mode
from vfm_fusion.reporting.records import Evaluation, RunResults, collect_runs, main_metrics
from vfm_fusion.reporting.result_files import check_columns, read_pairs, read_profiles
from vfm_fusion.reporting.stride_groups import Group, group_by_stride
from vfm_fusion.reporting.stride_suggestion import MIN_TRAINED
from vfm_fusion.selection.pair_scores import Measured, Values
from vfm_fusion.selection.stride_score import StrideScore

SETTING = ("study", "dataset", "task", "metric", "master", "auxiliary", "trains", "fusion")
"""What makes a setting: all else is alike but the stride."""

POINT = (*SETTING, "stride", "seed", "images", "score", "gain")
"""Columns of a point, before one for every predictor; ``reason`` stands last."""


def predictor_keys(definitions: Sequence[str]) -> list[str]:
    """Returns the columns of all predictors: ``ef.paper``, or ``rankme`` where no definition has a say."""
    keys = []
    for name in PREDICTORS:
        by_definition = score_of(name).by_definition
        keys += [f"{name}.{definition}" for definition in definitions] if by_definition else [name]
    return keys


def score_of(key: str) -> StrideScore:
    """Returns the score behind a column.

    Raises:
        ReportingError: no predictor is called like that.
    """
    name = key.partition(".")[0]
    if name not in PREDICTORS:
        raise ReportingError(f"{key!r} is no predictor; there are: {', '.join(PREDICTORS)}")
    return load(PREDICTORS[name])


def title_of(key: str) -> str:
    """Names a column in print: ``EF of the auxiliary, paper``."""
    definition = key.partition(".")[2]
    return score_of(key).title + (f" ({definition})" if definition else "")


def collect_points(
    study: str,
    task_runs: Sequence[RunResults],
    fusions: Mapping[str, str],
    measured: Measured,
    definitions: Sequence[str],
    leading: str,
) -> pd.DataFrame:
    """Returns the points of one sweep: one row per setting, stride and seed.

    Args:
        study: name of the experiment.
        task_runs: runs of one comparison on one target.
        fusions: run to its fusion settings without the stride, as text.
        measured: what was measured of the encoders that the runs fuse.
        definitions: metric definitions of the profiles.
        leading: the metric that strides are judged by where the runs have it.

    Returns:
        Columns :data:`POINT`, one for every predictor (see :func:`predictor_keys`; NaN where undefined) and
        ``reason``. The metric is the leading one of those that some setting has; ``trains`` says of master
        and auxiliary whether they are fine-tuned (FT) or frozen (FZ); ``gain`` is over the master alone, NaN
        without it.
    """
    groups = [g for g in group_by_stride(task_runs, fusions) if len(g.single) >= MIN_TRAINED]
    metric = next(
        iter(main_metrics([run for group in groups for run in group.fused.values()], leading)), None
    )
    keys = predictor_keys(definitions)
    rows = (
        []
        if metric is None
        else [
            {"study": study, "metric": metric, "fusion": fusions[group.example["run"]], **point}
            for group in groups
            for point in _points_of(group, metric, measured, keys)
        ]
    )
    return pd.DataFrame(rows, columns=[*POINT, *keys, "reason"])


def _points_of(
    group: Group, metric: str, measured: Measured, keys: Sequence[str]
) -> Iterator[dict[str, Any]]:
    example = group.example
    master, auxiliary = example["master"], example["auxiliary"]
    pair = (master["encoder"], auxiliary["encoder"])
    values: dict[str, Values] = {
        key: measured.values(score_of(key), key.partition(".")[2], *pair) for key in keys
    }
    for stride in group.single:
        run = group.fused[stride,]
        said = {key: of.get(stride, (math.nan, "the stride is not profiled")) for key, of in values.items()}
        missing = [f"{key}: {reason}" for key, (_, reason) in said.items() if reason]
        for seed, (score, reason) in run.values(metric).items():
            alone = group.alone.values(metric).get(seed) if group.alone else None
            yield {
                "dataset": example["dataset"],
                "task": example["task"],
                "master": pair[0],
                "auxiliary": pair[1],
                "trains": f"{mode(master['trainable'])}+{mode(auxiliary['trainable'])}",
                "stride": stride,
                "seed": seed,
                "images": example["images"],
                "score": score,
                "gain": math.nan if alone is None else score - alone[0],
                **{key: value for key, (value, _) in said.items()},
                "reason": "; ".join([*([f"score: {reason}"] if reason else []), *missing]),
            }


def read_points(paths: Iterable[Path]) -> pd.DataFrame:
    """Reads and pools tables of points.

    Args:
        paths: ``predictor_points.csv`` of several experiments.

    Returns:
        All points, in this order; a predictor that an experiment has not is NaN in its rows.

    Raises:
        ReportingError: a file lacks a column, has one that no predictor is called like, or a point stands in
            two files or twice in one.
    """
    frames = [_read_points(path) for path in paths]
    points = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    key = [*SETTING, "stride", "seed"]
    if points.duplicated(key).any():
        first = points.loc[points.duplicated(key), key].iloc[0].to_dict()
        raise ReportingError(f"reporting.more_points: {first} occurs twice; name every experiment once")
    return points[[*(column for column in points if column != "reason"), "reason"]]


def _read_points(path: Path) -> pd.DataFrame:
    if not path.read_text(encoding="utf-8").strip():
        return pd.DataFrame(columns=[*POINT, "reason"])
    text = dict.fromkeys((*SETTING, "reason"), "str")
    frame = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
    check_columns(frame, [*POINT, "reason"], path)
    for column in frame.columns.difference([*POINT, "reason"]):
        try:
            score_of(column)
        except ReportingError as error:
            raise ReportingError(f"{path}: column {error}; make the file again") from None
    return frame.assign(reason=frame["reason"].fillna(""))


def points_of_study(
    settings: Mapping[str, Any], evaluations: Iterable[Evaluation], measured: Mapping[str, Measured]
) -> tuple[pd.DataFrame, list[str]]:
    """Collects the points of all sweeps of an experiment.

    Args:
        settings: see :func:`vfm_fusion.study.reported.sweeps_described`.
        evaluations: parsed ``evaluation.json`` of every run, seed and target of the sweeps.
        measured: what was measured of the encoders, by data set.

    Returns:
        The points, and what is missing of the runs.
    """
    found = list(evaluations)
    frames, problems = [], []
    for sweep in settings["sweeps"]:
        runs, dataset = dict(sweep["runs"]), sweep["dataset"]
        own = [e for e in found if e["run"] in runs and e["dataset"] == dataset]
        results = collect_runs(own, runs, settings["seeds"], [dataset])
        problems += [result.problem for result in results if result.problem]
        fusions, known = dict(sweep["fusions"]), measured[sweep["profiled"]]
        how = (settings["definitions"], settings["leading"])
        frames.append(collect_points(settings["study"], results, fusions, known, *how))
    return pd.concat(frames, ignore_index=True), problems


def measured_by_dataset(
    settings: Mapping[str, Any], summaries: Sequence[Path], pairs: Sequence[Path]
) -> dict[str, Measured]:
    """Reads what was measured of encoders and pairs, by data set.

    Args:
        settings: ``encoders`` as pairs and ``profiled``, the data sets.
        summaries: profile summaries, data set by data set and encoder by encoder.
        pairs: measures of pairs, data set by data set.

    Raises:
        ReportingError: a file lacks a column, or is of another encoder.
    """
    names = [name for name, _ in settings["encoders"]]
    files = dict(zip(product(settings["profiled"], names), summaries, strict=True))
    found = {}
    for dataset, path in zip(settings["profiled"], pairs, strict=True):
        profiles = read_profiles({name: files[dataset, name] for name in names})
        found[dataset] = Measured(dict(iter(profiles.groupby("encoder", sort=False))), read_pairs(path))
    return found
