"""The stride by other label-free rules than the paper's: each rule's choice, what is recorded, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from vfm_fusion.config.registries import PREDICTORS, RULES
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.selection import PEAK, SelectionConfig
from vfm_fusion.errors import ConfigError, SelectionError
from vfm_fusion.loading import load
from vfm_fusion.metrics.profile import summarise
from vfm_fusion.profiles.null_excess import with_excess
from vfm_fusion.selection.other_definitions import other_choices
from vfm_fusion.selection.pair_scores import Measured, best_stride
from vfm_fusion.selection.roles import resolve_run
from vfm_fusion.selection.select import select
from vfm_fusion.selection.stability import assess_stability
from vfm_fusion.study.loaded import loaded_by_name
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

NAN = float("nan")
STRIDES = (4, 8, 16, 32)
ROOT = Path(__file__).parents[3]
PROFILES = {
    "a": {"sc": (0.8, 0.8, 0.8, 0.3), "ef": (1, 5, 2, 3), "ef_null": (1, 1, 1, 1), "rankme": (2, 9, 3, 4)},
    "b": {"sc": (0.2, 0.2, 0.2, 0.2), "ef": (6, 9, 8, 5), "ef_null": (1, 8, 1, 1), "rankme": (9, 5, 6, 7)},
}
"""``a`` leads and ``b`` is injected: EF peaks at OS 8."""
CKA = {("a", "b"): (0.9, 0.5, 0.8, 0.1), ("b", "a"): (0.2, 0.4, 0.6, 0.8)}
CHOSEN = {
    PEAK: 8,
    "ef_above_null": 16,  # 5 1 7 4
    "ef_lead": 16,  # 5 4 6 2
    "sc_lead": 32,  # -0.6 -0.6 -0.6 -0.1
    "rankme": 4,
    "unlikeness": 32,
    "ef_times_unlikeness": 8,  # 0.6 4.5 1.6 4.5: the finer one of equals
    "rankme_times_unlikeness": 32,  # 0.9 2.5 1.2 6.3
}


def by_image(encoder: str, images: int = 8) -> pd.DataFrame:
    """The same scores on every image, in the columns of a profile."""
    rows = [
        (f"image{image}", "paper", stride, score, float(value))
        for score, values in PROFILES[encoder].items()
        for stride, value in zip(STRIDES, values, strict=True)
        for image in range(images)
    ]
    frame = pd.DataFrame(rows, columns=["image_id", "definition", "stride", "score", "value"])
    return frame.assign(reason=None).astype({"reason": "str"})


def summaries() -> dict[str, pd.DataFrame]:
    return {name: summarise(with_excess(by_image(name)), bootstrap=100, seed=0) for name in PROFILES}


def pairs(cka: dict[tuple[str, str], tuple[float, ...]] = CKA) -> pd.DataFrame:
    """Measures of pairs, with a row of a master alone."""
    rows: list[tuple[Any, ...]] = [("a", None, 0, "probe", 30.0, None)]
    for (master, auxiliary), values in cka.items():
        for stride, value in zip(STRIDES, values, strict=True):
            rows.append(
                (master, auxiliary, stride, "cka", value, "constant_features" if value != value else None)
            )
    return pd.DataFrame(rows, columns=["master", "auxiliary", "stride", "measure", "value", "reason"])


def chosen(rule: str, **changes: Any) -> dict[str, Any]:
    given = {"summaries": summaries(), "pairs": pairs()} | changes
    selection = select(given["summaries"], "data", SelectionConfig(rule=rule), given["pairs"])
    assert json.loads(json.dumps(selection, allow_nan=False)) == selection
    return selection


def test_every_rule_is_known_and_needs_no_labels() -> None:
    assert {PEAK, *RULES} == set(CHOSEN)
    assert [name for name, target in PREDICTORS.items() if load(target).needs_labels] == ["probe"]
    assert set(RULES) | {"ef", "probe"} == set(PREDICTORS)
    titles = [load(target).title for target in PREDICTORS.values()]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize(("rule", "stride"), CHOSEN.items())
def test_a_rule_sets_the_stride_and_nothing_else(rule: str, stride: int) -> None:
    selection, usual = chosen(rule), chosen(PEAK)
    assert selection["stride"] == stride
    same = ("master", "auxiliary", "ranks", "peaks", "strides", "definition", "stride_by")
    assert {key: selection[key] for key in same} == {key: usual[key] for key in same}
    run = RunConfig(master="master", auxiliary="auxiliary")
    assert resolve_run(run, selection)[1] == (stride,)
    assert resolve_run(RunConfig(master="b", auxiliary="a"), selection)[1] == (
        selection["reverse"]["stride"],
    )


def test_the_papers_rule_records_nothing_of_rules() -> None:
    assert "rule" not in chosen(PEAK)
    assert chosen(PEAK) == chosen(PEAK, pairs=None) == select(summaries(), "data", SelectionConfig())


def test_another_rule_says_which_and_its_values() -> None:
    selection = chosen("unlikeness")
    assert selection["rule"] == {
        "name": "unlikeness",
        "title": "1 − CKA",
        "value": pytest.approx(0.9),
        "values": {"4": pytest.approx(0.1), "8": 0.5, "16": pytest.approx(0.2), "32": pytest.approx(0.9)},
        "strides": {"a": {"b": 32}, "b": {"a": 4}},
    }
    assert (selection["stride"], selection["reverse"]["stride"]) == (32, 4)
    assert selection["margins"]["stride"] == pytest.approx(0.4)
    assert (
        "It is injected where 1 − CKA is highest (selection.rule: unlikeness): OS=32 with 0.9 (0.1 at OS=4, "
        "0.5 at OS=8, 0.2 at OS=16)."
    ) in selection["reasons"]
    assert not [reason for reason in selection["reasons"] if "peak" in reason]
    assert other_choices(selection, summaries()) == []


def test_an_undefined_stride_is_passed_over_and_a_rule_without_any_is_refused() -> None:
    selection = chosen("unlikeness", pairs=pairs(CKA | {("a", "b"): (0.9, 0.5, 0.8, NAN)}))
    assert (selection["stride"], selection["rule"]["values"]["32"]) == (8, None)
    nothing = pairs(CKA | {("a", "b"): (NAN,) * 4})
    message = r"rule: unlikeness: 1 − CKA of b injected into a is undefined .* \(constant features\); choose"
    with pytest.raises(SelectionError, match=message):
        chosen("unlikeness", pairs=nothing)
    with pytest.raises(SelectionError, match=r"\(cka was not measured\)"):
        chosen("unlikeness", pairs=None)
    with pytest.raises(SelectionError, match=r"lack columns \['measure'\]"):
        chosen("unlikeness", pairs=pairs().drop(columns="measure"))
    without = {name: frame[frame["score"] != "rankme"] for name, frame in summaries().items()}
    with pytest.raises(SelectionError, match=r"\(rankme was not computed\)"):
        chosen("rankme", summaries=without)


def test_a_run_of_a_pair_without_a_stride_is_refused() -> None:
    selection = chosen("unlikeness")
    selection["rule"]["strides"]["b"]["a"] = None
    with pytest.raises(SelectionError, match=r"1 − CKA of a injected into b is undefined at every stride"):
        resolve_run(RunConfig(master="b", auxiliary="a"), selection)
    fixed = RunConfig.model_validate({"master": "b", "auxiliary": "a", "fusion": {"stride": 4}})
    assert resolve_run(fixed, selection)[1] == (4,)


@pytest.mark.parametrize("rule", CHOSEN)
def test_stability_repeats_the_choice_by_the_same_rule(rule: str) -> None:
    tables = {name: by_image(name) for name in PROFILES}
    stability = assess_stability(tables, chosen(rule), draws=20, seed=0, pairs=pairs())
    assert [repetition["agreement"]["pair_and_stride"] for repetition in stability["repetitions"]] == [
        1.0
    ] * 3
    seeds = {seed: tables for seed in (0, 1)}
    kinds = {
        repetition["kind"]
        for repetition in assess_stability(
            tables, chosen(rule), draws=5, seed=0, pairs=pairs(), tables_of_seeds=seeds
        )["repetitions"]
    }
    assert ("seeds" in kinds) == (rule not in ("ef_above_null", "rankme", "rankme_times_unlikeness"))


def test_values_are_those_of_the_formula_and_the_finest_of_equals_wins() -> None:
    measured = Measured(summaries(), pairs())
    values = measured.values(load(PREDICTORS["ef_times_unlikeness"]), "paper", "a", "b")
    assert [round(value, 9) for value, _ in values.values()] == [0.6, 4.5, 1.6, 4.5]
    assert best_stride({stride: value for stride, (value, _) in values.items()}) == 8
    assert best_stride({32: 1.0, 4: 1.0 - 1e-15, 8: NAN}) == 4
    assert best_stride({4: NAN}) is None
    assert np.isnan(measured.pair_value("a", "b", "probe", 4))
    value, reason = measured.values(load(PREDICTORS["ef"]), "calibrated", "a", "b")[8]
    assert (np.isnan(value), reason) == (True, "ef was not computed")


def test_settings_that_contradict_a_rule_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"stride_by: 'sc' is of rule 'peak', but rule is 'rankme'"):
        SelectionConfig(rule="rankme", stride_by="sc")
    with pytest.raises(ConfigError, match=r"selection.rule: expected 'peak', .* found 'probe'"):
        experiment("probe")
    nulls = {"metrics": {"definitions": {"paper": {"null_draws": 0}}}}
    with pytest.raises(ConfigError, match=r"rule: ef_above_null reads the null floor, of which .*null_draws"):
        experiment("ef_above_null", **nulls)
    experiment("rankme", **nulls)


def experiment(rule: str, **raw: Any) -> Study:
    return Study(resolve({"experiment": "quick", "selection": {"rule": rule}, **raw}, ROOT / "experiments"))


def test_only_a_rule_that_reads_pairs_waits_for_them() -> None:
    assert experiment(PEAK).pairs_of_rule("miniscapes") == []
    assert experiment("rankme").pairs_of_rule("miniscapes") == []
    assert experiment("unlikeness").pairs_of_rule("miniscapes") == (
        "results/quick/metrics/miniscapes/pairs.parquet"
    )


def test_only_the_rule_in_use_counts_as_code() -> None:
    def loaded(rule: str) -> list[str]:
        return loaded_by_name(experiment(rule))["vfm_fusion.selection.stride_score"]

    assert loaded(PEAK) == []
    assert loaded("rankme") == ["vfm_fusion.selection.predictors:RANKME"]
