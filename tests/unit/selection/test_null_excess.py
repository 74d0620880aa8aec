"""Excess over the null floor, image by image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from vfm_fusion.metrics.profile import summarise
from vfm_fusion.profiles.null_excess import with_excess

NAN = float("nan")


def scores(values: dict[str, list[float]], definition: str = "paper", stride: int = 4) -> pd.DataFrame:
    rows = [
        (f"image{image}", definition, stride, score, value, "no_edges" if np.isnan(value) else None)
        for score, column in values.items()
        for image, value in enumerate(column)
    ]
    return pd.DataFrame(
        rows, columns=["image_id", "definition", "stride", "score", "value", "reason"]
    ).astype({"reason": "str"})


def test_the_difference_is_taken_within_each_image_definition_and_stride() -> None:
    parts = [
        scores({"ef": [5.0, 7.0], "ef_null": [4.0, 9.0]}),
        scores({"ef": [1.0, 1.0], "ef_null": [0.0, 0.5]}, definition="calibrated"),
        scores({"ef_null": [3.0, 3.0], "ef": [3.0, 10.0]}, stride=8),
    ]
    table = pd.concat(parts, ignore_index=True)
    extended = with_excess(table)
    pd.testing.assert_frame_equal(extended.iloc[: len(table)], table)
    added = extended.iloc[len(table) :]
    assert set(added["score"]) == {"ef_excess"}
    values = added.set_index(["definition", "stride", "image_id"])["value"]
    assert values.to_dict() == {
        ("paper", 4, "image0"): 1.0,
        ("paper", 4, "image1"): -2.0,
        ("calibrated", 4, "image0"): 1.0,
        ("calibrated", 4, "image1"): 0.5,
        ("paper", 8, "image0"): 0.0,
        ("paper", 8, "image1"): 7.0,
    }


def test_it_is_undefined_with_a_reason_where_either_is() -> None:
    values = {"sc": [NAN, 0.5, 0.5], "sc_null": [0.1, NAN, 0.1]}
    added = with_excess(scores(values)).query("score == 'sc_excess'").set_index("image_id")
    assert added["value"].isna().tolist() == [True, True, False]
    assert added.loc[["image0", "image1"], "reason"].tolist() == ["no_edges", "no_edges"]
    assert pd.isna(added.loc["image2", "reason"])


def test_without_nulls_nothing_is_added() -> None:
    table = scores({"sc": [0.5], "ef": [5.0]})
    pd.testing.assert_frame_equal(with_excess(table), table)


def test_its_interval_sees_what_the_interval_of_the_score_hides() -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.uniform(5, 50, 20)
    table = scores({"ef": list(difficulty + rng.uniform(1, 3, 20)), "ef_null": list(difficulty)})
    summary = summarise(with_excess(table), bootstrap=1000, seed=0).set_index("score")
    assert summary.loc["ef", "ci_low"] < summary.loc["ef_null", "mean"]
    assert summary.loc["ef_excess", "mean"] == pytest.approx(2, abs=0.4)
    assert summary.loc["ef_excess", "ci_low"] > 1
