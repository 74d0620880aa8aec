"""Pair and stride selection on profiles with a known answer, the paper's own among them."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.errors import SelectionError
from vfm_fusion.selection.roles import resolve_run
from vfm_fusion.selection.select import select

NAN = float("nan")
STRIDES = (4, 8, 16, 32)
# Paper, Table 5: SC and EF on Cityscapes.
TABLE_5 = {
    "DINOv2": ((0.56, 0.47, 0.39, 0.29), (5.45, 8.66, 11.67, 16.26)),
    "DINOv3": ((0.73, 0.71, 0.65, 0.53), (1.27, 1.64, 2.33, 5.88)),
    "SAM": ((0.60, 0.51, 0.43, 0.29), (6.30, 7.10, 9.91, 13.96)),
    "SAM2": ((0.49, 0.44, 0.11, 0.41), (6.60, 8.59, 17.13, 12.47)),
    "Swin-B": ((0.65, 0.65, 0.64, 0.58), (3.82, 3.11, 2.41, 6.85)),
}


def summary(
    sc: tuple[float, ...],
    ef: tuple[float, ...],
    null: dict[str, float] | None = None,
    half: float = 0.01,
    definition: str = "paper",
) -> pd.DataFrame:
    """A profile whose intervals reach ``half`` to both sides, with the same null at every stride."""
    values = {"sc": sc, "ef": ef}
    for score, value in (null or {}).items():
        values[f"{score}_null"] = (value,) * len(STRIDES)
        values[f"{score}_excess"] = tuple(mean - value for mean in values[score])
    rows = [
        (definition, stride, score, value, value - half)
        for score, means in values.items()
        for stride, value in zip(STRIDES, means, strict=True)
    ]
    return pd.DataFrame(rows, columns=["definition", "stride", "score", "mean", "ci_low"])


def chosen(profiles: dict, **settings: str) -> dict:
    return select({name: summary(*p) for name, p in profiles.items()}, "data", SelectionConfig(**settings))


def against_nulls(sc_null: float, ef_null: float) -> dict:
    """The paper's profiles, every encoder with the same nulls."""
    nulls = {"sc": sc_null, "ef": ef_null}
    return select({n: summary(*p, nulls) for n, p in TABLE_5.items()}, "data", SelectionConfig())


def test_the_papers_profiles_give_the_papers_pair_and_stride() -> None:
    selection = chosen(TABLE_5)
    assert (selection["master"], selection["auxiliary"], selection["stride"]) == ("DINOv3", "SAM2", 16)
    assert selection["reverse"] == {"master": "SAM2", "auxiliary": "DINOv3", "stride": 32}
    assert selection["ranks"]["sc"][0] == {"encoder": "DINOv3", "value": pytest.approx(0.655)}
    assert selection["margins"]["stride"] == pytest.approx(17.13 - 12.47)
    assert selection["margins"]["master"] == pytest.approx(0.655 - 0.63)
    assert "OS=16 with 17.1" in " ".join(selection["reasons"])
    assert json.loads(json.dumps(selection, allow_nan=False)) == selection


def test_a_pair_is_chosen_among_the_named_and_every_peak_is_known() -> None:
    summaries = {name: summary(*scores) for name, scores in TABLE_5.items()}
    settings = SelectionConfig(among=("DINOv2", "SAM", "Swin-B"))
    selection = select(summaries, "cityscapes", settings)
    assert (selection["master"], selection["auxiliary"], selection["stride"]) == ("Swin-B", "DINOv2", 32)
    assert [ranked["encoder"] for ranked in selection["ranks"]["sc"]] == ["Swin-B", "SAM", "DINOv2"]
    assert set(selection["strides"]) == {"DINOv2", "SAM", "Swin-B"}
    assert selection["peaks"]["SAM2"] == 16
    run = RunConfig(master="DINOv3", auxiliary="SAM2")
    assert resolve_run(run, selection)[1] == (16,)


def test_the_edge_task_swaps_the_scores() -> None:
    selection = chosen(TABLE_5, task="edge")
    assert (selection["master"], selection["auxiliary"]) == ("SAM2", "DINOv3")
    assert selection["stride"] == 32


def test_the_stride_may_follow_sc() -> None:
    assert chosen(TABLE_5, task="edge", stride_by="sc")["stride"] == 4


def test_one_encoder_leading_in_both_is_said() -> None:
    selection = chosen({"a": ((1,) * 4, (9,) * 4), "b": ((0.5,) * 4, (5,) * 4)})
    assert (selection["master"], selection["auxiliary"]) == ("a", "b")
    assert "do not separate" in selection["reasons"][-1]


def test_undefined_strides_are_left_out_and_kept_as_null() -> None:
    selection = chosen({"a": ((0.9, 0.9, NAN, NAN), (1, 1, 1, 1)), "b": ((0.1,) * 4, (2, 3, NAN, NAN))})
    assert selection["stride"] == 8
    scores = selection["strides"]["a"]["32"]
    assert (scores["sc"], scores["sc_ratio"], scores["ef"]) == (None, None, 1.0)


def test_encoders_are_ranked_on_the_strides_that_all_have() -> None:
    selection = chosen({"a": ((0.5, 0.5, 0.5, NAN), (1,) * 4), "b": ((0.4, 0.4, 0.4, 1.0), (2,) * 4)})
    assert selection["master"] == "a"
    assert selection["ranks"]["sc"][1] == {"encoder": "b", "value": pytest.approx(0.4)}
    assert "over OS 4, 8, 16 (undefined for some encoder at 32)" in selection["reasons"][0]
    with pytest.raises(SelectionError, match="no stride at which Structural Coherence"):
        chosen({"a": ((0.5, NAN, NAN, NAN), (1,) * 4), "b": ((NAN, 0.4, 0.4, 0.4), (2,) * 4)})


def test_an_encoder_without_any_score_is_refused() -> None:
    with pytest.raises(SelectionError, match=r"b: Structural Coherence is undefined at every stride"):
        chosen({"a": TABLE_5["SAM"], "b": ((NAN,) * 4, (1,) * 4)})
    with pytest.raises(SelectionError, match="two encoders"):
        chosen({"a": TABLE_5["SAM"]})


def test_only_the_rows_of_the_chosen_definition_count() -> None:
    swapped = dict(zip(TABLE_5, reversed(TABLE_5.values()), strict=True))
    both = {
        name: pd.concat([summary(*TABLE_5[name]), summary(*swapped[name], definition="calibrated")])
        for name in TABLE_5
    }
    paper, ours = (select(both, "data", SelectionConfig(definition=name)) for name in ("paper", "calibrated"))
    assert (paper["definition"], paper["master"], paper["auxiliary"]) == ("paper", "DINOv3", "SAM2")
    assert (ours["definition"], ours["master"], ours["auxiliary"]) == ("calibrated", "SAM2", "DINOv3")
    with pytest.raises(SelectionError, match="no profile by definition 'other', only by: calibrated, paper"):
        select(both, "data", SelectionConfig(definition="other"))


def test_a_choice_above_its_null_floor_gives_no_warning() -> None:
    selection = against_nulls(0.2, 5.0)
    assert selection["warnings"] == []
    assert selection["strides"]["SAM2"]["16"] == {
        "sc": 0.11,
        "sc_null": 0.2,
        "sc_ratio": pytest.approx(0.55),
        "sc_excess_low": pytest.approx(-0.10),
        "ef": 17.13,
        "ef_null": 5.0,
        "ef_ratio": pytest.approx(3.426),
        "ef_excess_low": pytest.approx(12.12),
    }
    said = " ".join(selection["reasons"])
    assert "DINOv3's mean SC at OS 4, 8, 16, 32: 0.655 against 0.2" in said
    assert "SAM2's EF at OS 16: 17.1 against 5" in said


def test_nulls_above_the_scores_give_a_warning_for_each_number_and_the_same_choice() -> None:
    selection = against_nulls(0.7, 20.0)
    keys = ("master", "auxiliary", "stride", "reverse", "peaks", "ranks", "margins")
    assert {key: selection[key] for key in keys} == {key: chosen(TABLE_5)[key] for key in keys}
    assert selection["warnings"] == [
        "The master's level does not clear its null: DINOv3's mean SC at OS 4, 8, 16, 32 is 0.655, the null "
        "floor 0.7; the same features with their pixels in random order score no less.",
        "The auxiliary's level does not clear its null: SAM2's mean EF at OS 4, 8, 16, 32 is 11.2, the null "
        "floor 20; the same features with their pixels in random order score no less.",
        "The peak that sets the stride does not clear its null: SAM2's EF at OS 16 is 17.1, the null floor "
        "20; the same features with their pixels in random order score no less.",
        "The peak of the other direction does not clear its null: DINOv3's EF at OS 32 is 5.88, the null "
        "floor 20; the same features with their pixels in random order score no less.",
    ]
    assert selection["reasons"][-4:] == selection["warnings"]


def test_an_excess_whose_interval_reaches_zero_warns() -> None:
    nulls = {"sc": 0.2, "ef": 12.0}
    wide = {n: summary(*p, nulls, half=6.0 if n == "SAM2" else 0.01) for n, p in TABLE_5.items()}
    selection = select(wide, "data", SelectionConfig())
    peak = [warning for warning in selection["warnings"] if "peak that sets the stride" in warning]
    assert peak == [
        "The peak that sets the stride does not clear its null: SAM2's EF at OS 16 is 17.1, the null floor "
        "12; the 95 % interval of their difference reaches down to -0.87."
    ]


def test_a_null_that_is_not_positive_has_no_ratio() -> None:
    selection = against_nulls(0.0, -0.1)
    assert selection["strides"]["SAM2"]["16"]["ef_ratio"] is None
    assert selection["warnings"] == []


def test_a_null_without_its_excess_is_refused() -> None:
    tables = {n: summary(*p, {"sc": 0.2, "ef": 5.0}) for n, p in TABLE_5.items()}
    tables["SAM"] = tables["SAM"][tables["SAM"]["score"] != "ef_excess"]
    with pytest.raises(SelectionError, match="SAM: the profile has ef_null but no ef_excess"):
        select(tables, "data", SelectionConfig())


def test_without_nulls_it_is_said_that_there_is_no_floor() -> None:
    selection = chosen(TABLE_5)
    assert selection["warnings"] == []
    assert any(reason.startswith("No null floor was computed") for reason in selection["reasons"])
    assert selection["strides"]["SAM2"]["16"]["ef_null"] is None


def test_an_undefined_null_is_named() -> None:
    nulls = {"sc": NAN, "ef": 5.0}
    tables = {n: summary(*p, nulls) for n, p in TABLE_5.items()}
    selection = select(tables, "data", SelectionConfig())
    assert "Undefined: the null of DINOv3's mean SC at OS 4, 8, 16, 32." in " ".join(selection["reasons"])
    assert selection["warnings"] == []


scores = st.tuples(*[st.floats(0, 1) for _ in STRIDES])


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(scores, scores), min_size=2))
def test_the_choice_never_depends_on_the_order_of_the_encoders(profiles: dict) -> None:
    forward, backward = chosen(profiles), chosen(dict(reversed(profiles.items())))
    assert {k: forward[k] for k in ("master", "auxiliary", "stride")} == {
        k: backward[k] for k in ("master", "auxiliary", "stride")
    }
    assert forward["master"] != forward["auxiliary"]
    assert all(item["value"] <= forward["ranks"]["sc"][0]["value"] for item in forward["ranks"]["sc"])


def test_roles_become_encoders_and_strides() -> None:
    selection = chosen(TABLE_5)
    fused = RunConfig(master="master", auxiliary="auxiliary")
    reverse = RunConfig(master="auxiliary", auxiliary="master")
    other = RunConfig(master="master", auxiliary="Swin-B")
    fixed = RunConfig(master="master", auxiliary="auxiliary", fusion=FusionConfig(stride=8))
    alone = RunConfig(master="auxiliary")
    resolved = [resolve_run(run, selection) for run in (fused, reverse, other, fixed, alone)]
    assert [(run.master, run.auxiliary, strides) for run, strides in resolved] == [
        ("DINOv3", "SAM2", (16,)),
        ("SAM2", "DINOv3", (32,)),
        ("DINOv3", "Swin-B", (32,)),
        ("DINOv3", "SAM2", (8,)),
        ("SAM2", None, ()),
    ]


def test_a_role_that_meets_its_own_encoder_is_refused() -> None:
    with pytest.raises(SelectionError, match="both are DINOv3"):
        resolve_run(RunConfig(master="master", auxiliary="DINOv3"), chosen(TABLE_5))
