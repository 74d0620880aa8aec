"""What predictors of the best stride are worth: cases with a known answer, and what holds for any points."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from predictor_results import BEST_AT_8, PREDICTED, STRIDES, compared, mixed, pairs, sweep, written

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.predictor_settings import settings_of
from vfm_fusion.reporting.predictor_skill import (
    HELD_OUT_CONSTANT,
    HELD_OUT_PREDICTOR,
    NO_CANDIDATE,
    ONE_DATA_SET,
    RANDOM,
    mean_over_settings,
    read_comparison,
)
from vfm_fusion.reporting.stride_points import read_points

NAN = float("nan")


def test_a_perfect_predictor_never_loses() -> None:
    skill = compared(pairs(3)).skills["rankme"]
    assert (skill.hits.mean, skill.regret.mean, skill.rho.mean) == (100, 0, pytest.approx(1))
    assert (skill.regret.low, skill.regret.high, skill.regret.n) == (0, 0, 3)


def test_an_anti_predictor_takes_the_worst_stride() -> None:
    comparison = compared(pairs(3))
    skill = comparison.skills["ef.paper"]
    assert (skill.hits.mean, skill.regret.mean, skill.rho.mean) == (0, 5, pytest.approx(-0.4))
    assert comparison.reference == "ef.paper"
    over = comparison.skills["rankme"].over(skill)
    assert (over.mean, over.low, over.high, over.n, over.sign) == (5, 5, 5, 3, 1)
    assert skill.over(comparison.skills[RANDOM]).mean == -2


def test_a_random_stride_hits_and_loses_what_it_does_on_average() -> None:
    random = compared(pairs(2)).skills[RANDOM]
    assert (random.hits.mean, random.regret.mean, random.rho.mean) == (25, 3, 0)
    tied = compared([sweep({4: 30.0, 8: 30.0, 16: 28.0}, {"rankme": {4: 1.0}})]).skills[RANDOM]
    assert (tied.hits.mean, tied.regret.mean) == (pytest.approx(200 / 3), pytest.approx(2 / 3))


def test_constant_strides_are_judged_where_they_were_trained() -> None:
    without = {stride: score for stride, score in BEST_AT_8.items() if stride != 8}
    comparison = compared([*pairs(1), sweep(without, PREDICTED, auxiliary="other")])
    always = {stride: comparison.skills[f"os{stride}"] for stride in STRIDES}
    assert {stride: skill.regret.n for stride, skill in always.items()} == {4: 2, 8: 1, 16: 2, 32: 2}
    assert always[16].hits.mean == 50
    assert always[8].taken[1].reason == "OS 8 not trained"
    assert math.isnan(always[16].rho.mean)
    assert always[16].rho.reason
    # The missing stride is where RankMe peaks: it takes the best of the trained ones by its own order.
    assert comparison.skills["rankme"].taken[1] == (1, 0, pytest.approx(1), 16, "")


def test_equal_values_take_the_finest_stride_and_equal_results_are_all_hits() -> None:
    level = dict.fromkeys(STRIDES, 2.0)
    comparison = compared([sweep(BEST_AT_8, {"rankme": level, "unlikeness": level | {16: 3.0}})])
    assert comparison.skills["rankme"].taken[0].stride == 4
    assert comparison.skills["rankme"].rho.reason
    tied = compared([sweep({4: 30.0, 8: 34.0, 16: 34.0}, {"unlikeness": level | {16: 3.0}})])
    assert tied.skills["unlikeness"].taken[0][:2] == (1, 0)


def test_undefined_values_are_passed_over_and_a_predictor_without_any_has_a_reason() -> None:
    values = {"rankme": {4: 1.0, 8: NAN, 16: 2.0, 32: NAN}, "unlikeness": dict.fromkeys(STRIDES, NAN)}
    frames = [
        sweep(BEST_AT_8, values, "rankme: too few pixels; unlikeness: constant features"),
        sweep(BEST_AT_8, {"rankme": {8: 1.0}}, auxiliary="other"),
    ]
    comparison = compared(frames)
    assert comparison.skills["rankme"].taken[0].stride == 16
    assert math.isnan(comparison.skills["rankme"].taken[0].rho)
    nothing = comparison.skills["unlikeness"]
    assert [one.reason for one in nothing.taken] == ["constant features", "not computed there"]
    assert nothing.regret.reason == "constant features"
    assert nothing.over(comparison.skills["rankme"]).reason == "constant features"


def test_an_undefined_result_is_no_setting_for_anyone() -> None:
    comparison = compared([sweep(BEST_AT_8 | {16: NAN}, PREDICTED)])
    assert {skill.regret.n for skill in comparison.skills.values()} == {0}
    assert comparison.skills["rankme"].regret.reason == "value undefined"


def test_the_best_stride_is_that_of_the_means_over_seeds_that_all_strides_have() -> None:
    scores = {4: [30.0, 30.0], 8: [20.0, 34.0], 16: [29.0, 29.0, 99.0]}
    (setting,) = settings_of(sweep(scores, PREDICTED))
    assert (setting.means, setting.seeds) == ({4: 30.0, 8: 27.0, 16: 29.0}, 2)
    assert setting.by_constant(4)[:2] == (1, 0)
    assert setting.has_clear_best
    (alone,) = settings_of(sweep({4: [30.0], 8: [31.0]}, PREDICTED))
    assert (alone.means, alone.seeds, alone.by_predictor("rankme").regret) == ({4: 30.0, 8: 31.0}, 1, 0)
    assert not alone.has_clear_best
    (unclear,) = settings_of(sweep({4: [30.0, 30.1], 8: [34.0, 34.2], 16: [29.0, 38.9]}, PREDICTED))
    assert not unclear.has_clear_best
    (clear,) = settings_of(sweep({4: [30.0, 30.1], 8: [34.0, 34.2], 16: [29.0, 29.3]}, PREDICTED))
    assert clear.has_clear_best


BEST_AT_4 = {4: 40.0, 8: 31.0, 16: 32.0, 32: 33.0}


class TestHeldOut:
    """What is chosen on the other data sets."""

    def test_one_data_set_has_no_other(self) -> None:
        comparison = compared(pairs(3))
        for name in (HELD_OUT_CONSTANT, HELD_OUT_PREDICTOR):
            assert comparison.chosen(name) == {"data": None}
            assert comparison.skills[name].regret.reason == ONE_DATA_SET

    def test_a_data_set_has_no_say_in_what_it_is_judged_by(self) -> None:
        comparison = compared([*pairs(2, "one"), *pairs(2, "two", scores=BEST_AT_4)])
        assert comparison.chosen(HELD_OUT_CONSTANT) == {"one": "os4", "two": "os8"}
        assert comparison.skills[HELD_OUT_CONSTANT].on("one").regret.mean == 4
        assert comparison.skills[HELD_OUT_CONSTANT].on("two").regret.mean == 9
        # On `two` EF takes OS 32 and loses 7, RankMe takes OS 8 and loses 9.
        assert comparison.chosen(HELD_OUT_PREDICTOR) == {"one": "ef.paper", "two": "rankme"}
        assert comparison.skills[HELD_OUT_PREDICTOR].on("one").regret.mean == 5

    def test_a_score_that_learns_from_labels_is_no_candidate(self) -> None:
        predicted = {name: PREDICTED[name] for name in ("ef.paper", "probe")}
        comparison = compared([*pairs(2, "one", predicted=predicted), *pairs(2, "two", predicted=predicted)])
        assert {*comparison.chosen(HELD_OUT_PREDICTOR).values()} == {"ef.paper"}

    def test_a_candidate_is_defined_wherever_any_is(self) -> None:
        partly = PREDICTED | {"rankme": {}}
        frames = [*pairs(2, "one"), *pairs(1, "one", predicted=partly, master="c"), *pairs(1, "two")]
        assert compared(frames).chosen(HELD_OUT_PREDICTOR) == {"one": "rankme", "two": "ef.paper"}
        nowhere = [pairs(1, name, predicted={"rankme": {}})[0] for name in ("one", "two")]
        comparison = compared(nowhere)
        assert comparison.skills[HELD_OUT_PREDICTOR].regret.reason == NO_CANDIDATE
        assert comparison.best(comparison.label_free) is None
        assert comparison.reference is None


def test_settings_of_a_pair_are_resampled_together() -> None:
    regrets = np.array([0.0, 0.0, 9.0])
    apart = compared(pairs(3)).settings
    together = (apart[0], apart[0], apart[2])
    own, joint = (mean_over_settings(regrets, of, Bootstrap(2000, 0)) for of in (apart, together))
    assert own.mean == joint.mean == 3
    assert (joint.low, joint.high) == (0, 9)
    assert own.high < 9 + 1e-9
    modes = compared([*pairs(2), *pairs(2, study="again"), *pairs(2, task="semantic")])
    assert len(modes.settings) == 6
    assert modes.skills[RANDOM].pairs_behind(modes.skills["rankme"]) == 2
    one = mean_over_settings(regrets, (apart[0],) * 3, Bootstrap(2000, 0))
    assert (one.mean, one.n, one.sign) == (3, 3, None)


scores = st.dictionaries(st.sampled_from(STRIDES), st.floats(0, 100), min_size=2, max_size=4)
values = st.dictionaries(st.sampled_from(STRIDES), st.floats(-9, 9) | st.just(NAN), max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(scores, values), min_size=1, max_size=5))
def test_what_holds_for_any_points(found: list[tuple[dict[int, float], dict[int, float]]]) -> None:
    frames = [
        sweep(of, {"ef.paper": said, "rankme": of}, dataset=f"d{index % 2}", auxiliary=f"b{index}")
        for index, (of, said) in enumerate(found)
    ]
    comparison = compared(frames)
    expected = [max(of.values()) - statistics.fmean(of.values()) for of, _ in found]
    assert comparison.skills[RANDOM].regret.mean == pytest.approx(statistics.fmean(expected))
    assert comparison.skills["rankme"].regret.mean == 0  # it is the result itself
    for skill in comparison.skills.values():
        for one in skill.taken:
            assert math.isnan(one.regret) == bool(one.reason)
            assert not one.regret < 0
            assert (one.hit == 1) <= (one.regret == 0)
        for value in (skill.hits, skill.regret, skill.rho):
            assert math.isnan(value.mean) == bool(value.reason)
            assert math.isnan(value.low) or value.low - 1e-9 <= value.mean <= value.high + 1e-9
    own, random = comparison.skills["rankme"], comparison.skills[RANDOM]
    there, back = own.over(random), random.over(own)
    assert (there.mean, there.sign) == (pytest.approx(-back.mean), None if back.sign is None else -back.sign)


class TestReading:
    """Points of several experiments."""

    def test_studies_are_pooled_and_absent_predictors_are_undefined(self, tmp_path: Path) -> None:
        own = written(tmp_path / "a.csv", pairs(2))
        other = written(tmp_path / "b.csv", pairs(1, predicted={"ef.other": {4: 1.0}}, study="second"))
        comparison = read_comparison([own, other], {"definitions": ["paper"], "bootstrap": [100, 0]})
        assert comparison.predictors == ("ef.paper", "rankme", "probe", "ef.other")
        assert [s.study for s in comparison.settings] == ["study", "study", "second"]
        assert comparison.skills["rankme"].taken[2].reason == "not computed there"
        assert comparison.skills["ef.other"].taken[2].stride == 4

    def test_an_empty_table_of_points_is_no_error(self, tmp_path: Path) -> None:
        empty = written(tmp_path / "a.csv", [pairs(1)[0].iloc[:0]])
        comparison = read_comparison([empty], {"definitions": ["paper"], "bootstrap": [100, 0]})
        assert (comparison.settings, comparison.strides) == ((), [])
        both = read_points([empty, written(tmp_path / "b.csv", pairs(1))])
        assert len(both) == len(STRIDES)

    def test_what_cannot_be_pooled_is_refused(self, tmp_path: Path) -> None:
        own = written(tmp_path / "a.csv", pairs(1))
        with pytest.raises(ReportingError, match=r"more_points: .*'study': 'study'.* occurs twice"):
            read_points([own, own])
        lacking = written(tmp_path / "b.csv", [frame.drop(columns="seed") for frame in pairs(1)])
        with pytest.raises(ReportingError, match=r"b.csv: columns \['seed'\] are missing"):
            read_points([lacking])
        foreign = written(tmp_path / "c.csv", [frame.assign(magic=1.0) for frame in pairs(1)])
        with pytest.raises(ReportingError, match=r"c.csv: column 'magic' is no predictor"):
            read_points([foreign])

    def test_the_written_points_are_read_again(self, tmp_path: Path) -> None:
        frames = mixed()
        path = written(tmp_path / "a.csv", frames)
        pd.testing.assert_frame_equal(read_points([path]), pd.concat(frames, ignore_index=True))
