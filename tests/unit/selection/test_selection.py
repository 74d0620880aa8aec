"""Pair and stride selection on profiles with a known answer, the paper's own among them."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.config.training import FusionConfig, RunConfig
from vfm_fusion.errors import SelectionError
from vfm_fusion.roles import resolve_run
from vfm_fusion.selection import select

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


def summary(sc: tuple[float, ...], ef: tuple[float, ...], strides: tuple[int, ...] = STRIDES) -> pd.DataFrame:
    rows = [(s, "sc", v) for s, v in zip(strides, sc, strict=True)]
    rows += [(s, "ef", v) for s, v in zip(strides, ef, strict=True)]
    return pd.DataFrame(rows, columns=["stride", "score", "mean"])


def chosen(profiles: dict, **settings: str) -> dict:
    return select({name: summary(*p) for name, p in profiles.items()}, "data", SelectionConfig(**settings))


def test_the_papers_profiles_give_the_papers_pair_and_stride() -> None:
    selection = chosen(TABLE_5)
    assert (selection["master"], selection["auxiliary"], selection["stride"]) == ("DINOv3", "SAM2", 16)
    assert selection["reverse"] == {"master": "SAM2", "auxiliary": "DINOv3", "stride": 32}
    assert selection["ranks"]["sc"][0] == {"encoder": "DINOv3", "value": pytest.approx(0.655)}
    assert selection["margins"]["stride"] == pytest.approx(17.13 - 12.47)
    assert selection["margins"]["master"] == pytest.approx(0.655 - 0.63)
    assert "OS=16 with 17.1" in " ".join(selection["reasons"])
    assert json.loads(json.dumps(selection, allow_nan=False)) == selection


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
    assert selection["strides"]["a"]["32"] == {"sc": None, "ef": 1.0}


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
    assert [(run.master, run.auxiliary, stride) for run, stride in resolved] == [
        ("DINOv3", "SAM2", 16),
        ("SAM2", "DINOv3", 32),
        ("DINOv3", "Swin-B", 32),
        ("DINOv3", "SAM2", 8),
        ("SAM2", None, None),
    ]


def test_a_role_that_meets_its_own_encoder_is_refused() -> None:
    with pytest.raises(SelectionError, match="both are DINOv3"):
        resolve_run(RunConfig(master="master", auxiliary="DINOv3"), chosen(TABLE_5))
