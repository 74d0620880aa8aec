"""What scores know of upsamplers: cases with a known answer."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.upsampler_skill import (
    ENCODER,
    POOLED,
    WITHIN,
    rank_correlations,
    upsampler_skills,
    winners,
)

NAN = float("nan")
BOOTSTRAP = Bootstrap(200, 0)
CLICKS = {"none": 10.0, "bilinear": 9.0, "jbu": 7.0, "lift": 12.0, "naf": 5.0, "loftup": 4.0}


def cells(
    noc: dict[str, float] = CLICKS, *, dataset: str = "photos", encoder: str = "dino", **scores: list[float]
) -> pd.DataFrame:
    """Cells of one encoder; by default SC knows, EF is wrong everywhere and the probe is undefined."""
    values = {"SC": [-n for n in noc.values()], "EF": list(noc.values()), "probe_mIoU": [NAN] * len(noc)}
    return pd.DataFrame(
        {"dataset": dataset, "clicks": "late", "encoder": encoder, "upsampler": list(noc)}
        | {"NoC": list(noc.values())}
        | (values | scores)
    )


def row_of(frame: pd.DataFrame, **where: str) -> pd.Series:
    """The one row with these values."""
    found = frame[(frame[list(where)] == pd.Series(where)).all(axis=1)]
    assert len(found) == 1
    return found.iloc[0]


def test_a_score_that_knows_and_one_that_is_wrong() -> None:
    found = rank_correlations(cells(), BOOTSTRAP)
    knows = row_of(found, score="SC", scope=ENCODER)
    assert (knows.rho, knows.low, knows.high, knows.n, knows.encoder) == (1, 1, 1, 6, "dino")
    assert knows.p == pytest.approx(2 / 720)
    wrong = row_of(found, score="EF", scope=POOLED)
    assert (wrong.rho, wrong.low, wrong.high, wrong.reason) == (-1, -1, -1, "")
    nothing = row_of(found, score="probe_mIoU", scope=WITHIN)
    assert math.isnan(nothing.rho)
    assert nothing.reason == "a rank correlation needs 3 pairs, there are 0"


def test_encoders_apart_and_together() -> None:
    """Each encoder's upsamplers are ordered wrongly; as one list, the better encoder has the better score."""
    one = cells({"a": 10.0, "b": 11.0, "c": 12.0}, SC=[1.0, 2.0, 3.0])
    two = cells({"a": 1.0, "b": 2.0, "c": 3.0}, encoder="sam", SC=[11.0, 12.0, 13.0])
    found = rank_correlations(pd.concat([one, two]), BOOTSTRAP, ["SC"])
    assert [*found["scope"]] == [ENCODER, ENCODER, WITHIN, POOLED]
    assert [*found["n"]] == [3, 3, 6, 6]
    # ranks 1 to 6 of the scores, 3, 2, 1, 6, 5, 4 of fewer clicks: rho = 1 - 6 sum d^2 / 210
    assert [*found["rho"]] == pytest.approx([-1, -1, -1, 19 / 35])


def test_the_interval_is_that_of_resampled_cells() -> None:
    values = [3.0, 1.0, 2.0, 0.0, 5.0, 4.0]
    found = row_of(rank_correlations(cells(SC=values), BOOTSTRAP, ["SC"]), scope=ENCODER)
    assert -1 <= found.low < found.rho < found.high <= 1
    again = row_of(rank_correlations(cells(SC=values)[::-1], BOOTSTRAP, ["SC"]), scope=ENCODER)
    assert (again.low, again.high) == (found.low, found.high)


def test_undefined_cells_are_left_out_of_correlations() -> None:
    values = [-10.0, NAN, -7.0, -12.0, -5.0, NAN]
    found = row_of(rank_correlations(cells(SC=values), BOOTSTRAP, ["SC"]), scope=WITHIN)
    assert (found.rho, found.n) == (1, 4)


def test_winners_and_what_the_others_cost() -> None:
    found = winners(cells())
    knew = row_of(found, score="SC")
    assert (knew.taken, knew.best, knew.hit, knew.regret, knew.n) == ("loftup", "loftup", 1, 0, 6)
    assert (knew.chance, knew.random_regret) == (pytest.approx(1 / 6), pytest.approx(47 / 6 - 4))
    wrong = row_of(found, score="EF")
    assert (wrong.taken, wrong.best, wrong.hit, wrong.regret) == ("lift", "loftup", 0, 8)
    assert row_of(found, score="probe_mIoU").reason == "probe_mIoU is undefined"


@pytest.mark.parametrize(
    ("noc", "reason"),
    [
        ({"none": 10.0}, "there is one upsampler"),
        ({"none": 10.0, "jbu": NAN, "lift": NAN}, "no NoC of jbu, lift"),
    ],
)
def test_nothing_can_be_said(noc: dict[str, float], reason: str) -> None:
    found = row_of(winners(cells(noc), ["SC"]), score="SC")
    assert (found.reason, found.taken) == (reason, "")
    assert math.isnan(found.regret)


def test_equal_scores_take_the_first_and_equal_clicks_are_all_hits() -> None:
    found = winners(cells({"none": 5.0, "jbu": 4.0, "lift": 4.0}, SC=[1.0, 1.0, 1.0], EF=[0.0, 1.0, 2.0]))
    assert (row_of(found, score="SC").taken, row_of(found, score="SC").regret) == ("none", 1)
    assert (row_of(found, score="EF").hit, row_of(found, score="EF").taken) == (1, "lift")


def test_the_verdict_needs_seeds_cells_and_a_side_in_most_parts() -> None:
    both = pd.concat([cells(), cells(dataset="grabcut")])
    skills = upsampler_skills(both, BOOTSTRAP, seeds=2)
    assert {name: skill.outcome for name, skill in skills.items()} == {
        "SC": "agrees",
        "EF": "opposite",
        "probe_mIoU": "missing",
    }
    assert (skills["SC"].rho.mean, skills["SC"].rho.n) == (1, 2)
    assert (skills["SC"].rate.hits, skills["SC"].rate.trials, skills["EF"].rate.regret) == (2, 2, 8)
    assert skills["probe_mIoU"].rate.trials == 0
    assert upsampler_skills(both, BOOTSTRAP, seeds=1)["SC"].outcome == "one seed"
    few = cells({"a": 1.0, "b": 2.0, "c": 3.0})
    assert upsampler_skills(few, BOOTSTRAP, seeds=2)["SC"].outcome == "few settings"
    split = pd.concat([cells(), cells(dataset="grabcut", SC=[*CLICKS.values()])])
    assert upsampler_skills(split, BOOTSTRAP, seeds=2)["SC"].outcome == "mixed"


def test_any_column_can_be_a_score() -> None:
    sizes = cells(parameters=[0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    assert row_of(winners(sizes, ["parameters"]), score="parameters").hit == 1


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (cells().drop(columns="EF"), r"\['EF'\] are missing"),
        (pd.concat([cells(), cells()]), "'upsampler': 'none'.*occurs twice; average NoC over seeds"),
    ],
)
def test_wrong_tables_are_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(ReportingError, match=message):
        winners(frame)
