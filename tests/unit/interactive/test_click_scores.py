"""NoC, NoF and IoU by clicks of hand-written curves, and the tables they are kept in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vfm_fusion.config.clicks import ClickProtocolConfig
from vfm_fusion.errors import ConfigError
from vfm_fusion.interactive.click_protocol import EMPTY, ClickedResult, Round
from vfm_fusion.interactive.click_robot import Placement
from vfm_fusion.interactive.click_scores import (
    click_scores,
    click_table,
    iou_auc,
    object_table,
    timing_table,
)
from vfm_fusion.interactive.clicks import Click

PROTOCOL = ClickProtocolConfig()


def result(ious: list[float], number: int = 1, boundary: float = 0.5) -> ClickedResult:
    """A curve, carried on by its last value to 20 clicks."""
    rounds = [Round(Placement(Click(1, 2, True)), iou, seconds=0.5) for iou in ious]
    rounds += [Round(Placement(None, "no_error_left"), ious[-1], carried=True)] * (20 - len(ious))
    return ClickedResult("a", number, 30, tuple(rounds), boundary)


AT_ONCE = result([0.97])
LAST = result([0.1] * 19 + [0.9], 2)
NEVER = result([0.5] * 10 + [0.84] * 10, 3)
DIPS = result([0.1, 0.86, 0.2, 0.92, 0.3], 4, 0.25)
UNDEFINED = ClickedResult("b", 1, 0, (), float("nan"), EMPTY)


def scores_of(results: list[ClickedResult], config: ClickProtocolConfig = PROTOCOL) -> dict[str, float]:
    return click_scores(click_table(results), object_table(results, config), config)


ALL = [AT_ONCE, LAST, NEVER, DIPS, UNDEFINED]


def test_clicks_are_counted_to_the_first_that_reaches_the_target() -> None:
    table = object_table(ALL, PROTOCOL)
    assert table["NoC@80"].tolist()[:4] == [1, 20, 11, 2]
    assert table["NoC@85"].tolist()[:4] == [1, 20, 20, 2]
    assert table["NoC@90"].tolist()[:4] == [1, 20, 20, 4]
    assert table["NoC@95"].tolist()[:4] == [1, 20, 20, 20]
    assert table["reached@90"].tolist()[:4] == [True, True, False, True]
    assert table["carried"].tolist() == [19, 0, 0, 15, 0]
    assert table["no_error_left"].tolist() == [19, 0, 0, 15, 0]
    assert table[["IoU@1", "final_IoU"]].to_numpy()[:4].tolist() == [
        [0.97, 0.97], [0.1, 0.9], [0.5, 0.84], [0.1, 0.3],
    ]  # fmt: skip


def test_an_undefined_object_has_a_reason_and_no_scores() -> None:
    row = object_table(ALL, PROTOCOL).iloc[4]
    assert row["undefined"] == EMPTY
    missing = ["NoC@80", "NoC@90", "reached@90", "IoU@1", "final_IoU", "boundary_IoU"]
    assert all(pd.isna(row[name]) for name in missing)


def test_scores_of_a_data_set() -> None:
    scores = scores_of(ALL)
    assert (scores["objects"], scores["undefined"]) == (4, 1)
    assert scores["NoC@80"] == (1 + 20 + 11 + 2) / 4
    assert scores["NoC@90"] == (1 + 20 + 20 + 4) / 4
    assert (scores["NoF@90"], scores["strict_NoF@90"]) == (2, 1)  # the one reached at click 20 and the other
    assert (scores["NoF@95"], scores["strict_NoF@95"]) == (3, 3)
    assert scores["IoU@1"] == scores["mIoU@1"] == pytest.approx(100 * (0.97 + 0.1 + 0.5 + 0.1) / 4)
    assert scores["mIoU@5"] == pytest.approx(100 * (0.97 + 0.1 + 0.5 + 0.3) / 4)  # SegNext's 5-mIoU
    assert scores["mIoU@20"] == pytest.approx(100 * (0.97 + 0.9 + 0.84 + 0.3) / 4)
    assert scores["boundary_IoU"] == pytest.approx(100 * 1.75 / 4)
    assert (scores["carried"], scores["no_error_left"], scores["equal_errors"]) == (34, 34, 0)


def test_a_data_set_without_defined_object_has_no_means() -> None:
    for results in ([UNDEFINED], []):
        scores = scores_of(results)
        assert scores["objects"] == 0
        assert np.isnan([scores[name] for name in ("NoC@90", "IoU@1", "mIoU@20", "boundary_IoU")]).all()
        assert timing_table(results).empty


def test_targets_between_percents_keep_their_names() -> None:
    config = ClickProtocolConfig(targets=(0.8, 0.925))
    assert {"NoC@80", "NoC@92.5", "NoF@92.5"} <= scores_of(ALL, config).keys()
    with pytest.raises(ValueError, match="must be IoUs"):
        ClickProtocolConfig(targets=(90.0,))


def test_only_predictions_take_time() -> None:
    timings = timing_table(ALL)
    assert timings["seconds"].tolist() == [0.5] * (1 + 20 + 20 + 5)
    assert timings["click"].tolist()[:3] == [1, 1, 2]


def test_scores_of_tables_kept_in_pieces_are_those_of_the_whole() -> None:
    rounds = pd.concat([click_table(ALL[:2]), click_table(ALL[2:])])
    objects = pd.concat([object_table(ALL[:2], PROTOCOL), object_table(ALL[2:], PROTOCOL)])
    assert click_scores(rounds, objects, PROTOCOL) == scores_of(ALL)


def test_areas_under_curves() -> None:
    assert iou_auc(np.full(20, 0.7)) == pytest.approx(0.7)
    assert iou_auc(np.linspace(0, 1, 20)) == pytest.approx(0.5)
    assert iou_auc(np.array([0, 1, 1])) == pytest.approx(1.5 / 2)
    assert np.isnan(iou_auc(np.zeros(0)))
    with pytest.raises(ConfigError, match="at least 2"):
        iou_auc(np.array([0.3]))


def test_tables_come_back_from_parquet_as_they_were(tmp_path: Path) -> None:
    for name, table in (("clicks", click_table(ALL)), ("objects", object_table(ALL, PROTOCOL))):
        table.to_parquet(tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{name}.parquet"), table)


def test_every_round_is_a_row() -> None:
    table = click_table(ALL)
    assert len(table) == 80
    assert table.columns.tolist() == [
        "image_id", "object", "click", "row", "col", "positive", "iou", "carried", "case",
    ]  # fmt: skip
    first, second = table.iloc[0], table.iloc[1]
    assert (first["click"], first["row"], first["col"], first["positive"]) == (1, 1, 2, True)
    assert pd.isna(second["row"])
    assert second["carried"]
    assert second["case"] == "no_error_left"
    assert click_table([]).dtypes.equals(table.dtypes)
    assert object_table([], PROTOCOL).columns.equals(object_table(ALL, PROTOCOL).columns)
