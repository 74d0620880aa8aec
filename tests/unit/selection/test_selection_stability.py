"""Stability of a selection: cases with a known share, agreement with the selection, bad input."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.errors import SelectionError
from vfm_fusion.metrics.profile import summarise
from vfm_fusion.selection.select import select
from vfm_fusion.selection.stability import (
    ONE_IMAGE,
    PARTS,
    assess_stability,
    image_scores,
    resample_weights,
    shares,
    subset_sizes,
    subset_weights,
)

NAN = float("nan")
STRIDES = (4, 8)


def table(sc: np.ndarray, ef: np.ndarray, definition: str = "paper") -> pd.DataFrame:
    """Per-image scores from arrays ``(strides, images)``."""
    rows = [
        (f"image{image}", definition, stride, score, values[index, image])
        for score, values in (("sc", sc), ("ef", ef))
        for index, stride in enumerate(STRIDES)
        for image in range(values.shape[1])
    ]
    frame = pd.DataFrame(rows, columns=["image_id", "definition", "stride", "score", "value"])
    return frame.assign(reason=frame["value"].isna().map({True: "no_edges", False: None}))


def constant(sc: float, ef: tuple[float, float], images: int) -> pd.DataFrame:
    return table(np.full((2, images), sc), np.repeat(np.array(ef)[:, None], images, axis=1))


def selected(tables: dict[str, pd.DataFrame]) -> dict:
    summaries = {name: summarise(frame, bootstrap=100, seed=0) for name, frame in tables.items()}
    return select(summaries, "data", SelectionConfig())


def assessed(tables: dict[str, pd.DataFrame], **more: object) -> dict:
    stability = assess_stability(tables, selected(tables), **({"draws": 1000, "seed": 0} | more))
    assert json.loads(json.dumps(stability, allow_nan=False)) == stability
    return stability


def of_kind(stability: dict, kind: str) -> list[dict]:
    return [repetition for repetition in stability["repetitions"] if repetition["kind"] == kind]


def test_a_clear_winner_is_chosen_every_time() -> None:
    stability = assessed({"a": constant(0.9, (1, 2), 20), "b": constant(0.2, (9, 8), 20)})
    assert (stability["master"], stability["auxiliary"], stability["stride"]) == ("a", "b", 4)
    assert [(r["kind"], r["images"]) for r in stability["repetitions"]] == [
        ("resamples", 20),
        ("subsets", 2),
        ("subsets", 4),
        ("subsets", 8),
        ("subsets", 16),
    ]
    for repetition in stability["repetitions"]:
        assert repetition["agreement"] == dict.fromkeys(PARTS, 1.0)
        assert repetition["outcomes"] == [{"master": "a", "auxiliary": "b", "stride": 4, "share": 1.0}]


def test_a_tie_between_strides_goes_either_way_in_about_half_of_the_resamples() -> None:
    half = np.tile([1.0, 0.0], 50)
    mirrored = table(np.full((2, 100), 0.2), np.stack([half, 1 - half]) + 5)
    (repetition,) = of_kind(assessed({"a": constant(0.9, (1, 1), 100), "b": mirrored}), "resamples")
    tied = math.comb(100, 50) / 2**100  # both halves equally often: the finer stride wins
    assert repetition["agreement"]["stride"] == pytest.approx((1 + tied) / 2, abs=0.05)
    assert repetition["agreement"]["pair"] == 1.0
    assert repetition["agreement"]["pair_and_stride"] == repetition["agreement"]["stride"]


def test_a_tie_between_encoders_swaps_the_roles_in_about_half_of_the_resamples() -> None:
    half = np.tile([1.0, 0.0], 50)
    tables = {
        "a": table(np.stack([half, half]), np.ones((2, 100))),
        "b": table(np.stack([1 - half, 1 - half]), np.ones((2, 100))),
    }
    (repetition,) = of_kind(assessed(tables), "resamples")
    assert repetition["agreement"]["master"] == pytest.approx(0.54, abs=0.05)
    assert repetition["agreement"]["auxiliary"] == repetition["agreement"]["master"]


def test_equal_encoders_are_told_apart_by_name_not_by_rounding() -> None:
    values = np.random.default_rng(0).random((2, 30))
    tables = {name: table(values, 10 * values) for name in ("b", "c", "a")}
    for repetition in assessed(tables)["repetitions"]:
        assert repetition["agreement"]["pair"] == 1.0
        assert {(o["master"], o["auxiliary"]) for o in repetition["outcomes"]} == {("a", "b")}


def test_the_share_of_a_subset_is_the_known_one() -> None:
    sc = np.zeros((2, 4))
    sc[:, 0] = 10.0  # b leads wherever image 0 is drawn: 2 images of 4 hold it in half of the cases
    stability = assessed({"a": constant(1.0, (1, 1), 4), "b": table(sc, np.full((2, 4), 2.0))}, draws=4000)
    (repetition,) = of_kind(stability, "subsets")
    assert stability["master"] == "b"
    assert repetition["images"] == 2
    assert repetition["agreement"]["master"] == pytest.approx(0.5, abs=0.03)


def test_images_are_shared_by_all_encoders() -> None:
    difficulty = 100 * np.random.default_rng(1).random((1, 30))
    tables = {
        "a": table(np.repeat(difficulty + 0.01, 2, axis=0), np.ones((2, 30))),
        "b": table(np.repeat(difficulty, 2, axis=0), np.ones((2, 30))),
    }
    for repetition in assessed(tables)["repetitions"]:
        assert repetition["agreement"]["master"] == 1.0


def test_one_image_is_degenerate_and_says_so() -> None:
    stability = assessed({"a": constant(0.9, (1, 2), 1), "b": constant(0.2, (9, 8), 1)})
    (repetition,) = stability["repetitions"]
    assert repetition["reason"] == ONE_IMAGE
    assert repetition["agreement"] == dict.fromkeys(PARTS)


def test_subsets_in_which_nothing_is_defined_count_as_disagreement() -> None:
    sc = np.full((2, 4), 0.9)
    sc[:, 1:] = NAN  # two images of four hold the defined one in half of the cases
    tables = {"a": table(sc, np.ones((2, 4))), "b": constant(0.2, (9, 8), 4)}
    (repetition,) = of_kind(assessed(tables, draws=4000), "subsets")
    assert repetition["agreement"]["master"] == pytest.approx(0.5, abs=0.03)
    undecided = shares(repetition["outcomes"], "pair_and_stride")[(None, None, None)]
    assert undecided == pytest.approx(1 - repetition["agreement"]["pair_and_stride"])


def test_seeds_are_compared_with_the_metrics_own_on_the_same_images() -> None:
    base = {"a": constant(0.9, (1, 2), 4), "b": constant(0.2, (9, 8), 4)}
    other = base | {"b": constant(0.2, (7, 8), 4)}
    seeds = {0: base, 1: base, 2: other, 3: base}
    (repetition,) = of_kind(assessed(base, tables_of_seeds=seeds), "seeds")
    assert (repetition["draws"], repetition["images"]) == (3, 4)
    share = pytest.approx(2 / 3)
    assert repetition["agreement"] == dict.fromkeys(PARTS, 1.0) | {"stride": share, "pair_and_stride": share}
    assert shares(repetition["outcomes"], "stride") == {(4,): share, (8,): pytest.approx(1 / 3)}
    (repetition,) = of_kind(assessed(base, tables_of_seeds=seeds, metric_seed=2), "seeds")
    assert repetition["reference"] == {"master": "a", "auxiliary": "b", "stride": 8}
    assert repetition["agreement"]["stride"] == 0.0
    assert of_kind(assessed(base, tables_of_seeds={0: base}), "seeds") == []


def test_different_images_and_a_missing_definition_are_refused() -> None:
    tables = {"a": constant(0.9, (1, 2), 3), "b": constant(0.2, (9, 8), 4)}
    with pytest.raises(SelectionError, match=r"scored on different images \(3 and 4\)"):
        image_scores(tables, "paper")
    with pytest.raises(SelectionError, match="a: there is no score by definition 'calibrated'"):
        image_scores(tables, "calibrated")


def test_draws_are_what_they_are_called() -> None:
    generator = np.random.default_rng(0)
    resamples = resample_weights(7, 500, generator)
    assert (resamples.sum(axis=1) == 7).all()
    assert resamples.mean(axis=0) == pytest.approx(1, abs=0.2)
    subsets = subset_weights(7, 4, 500, generator)
    assert set(np.unique(subsets)) == {0.0, 1.0}
    assert (subsets.sum(axis=1) == 4).all()
    assert subsets.mean(axis=0) == pytest.approx(4 / 7, abs=0.1)
    assert [subset_sizes(count) for count in (1, 2, 3, 8, 9)] == [[], [], [2], [2, 4], [2, 4, 8]]


cells = st.one_of(st.just(NAN), st.integers(0, 5).map(float))
arrays = st.lists(cells, min_size=12, max_size=12).map(lambda values: np.array(values).reshape(2, 6))


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(arrays, arrays), min_size=2))
def test_all_images_give_the_selection_itself(profiles: dict) -> None:
    tables = {name: table(*arrays) for name, arrays in profiles.items()}
    try:
        selection = selected(tables)
    except SelectionError:
        return
    stability = assess_stability(tables, selection, draws=10, seed=0, tables_of_seeds={0: tables, 1: tables})
    (repetition,) = of_kind(stability, "seeds")
    assert repetition["agreement"] == dict.fromkeys(PARTS, 1.0)
    for other in stability["repetitions"]:
        assert sum(outcome["share"] for outcome in other["outcomes"]) == pytest.approx(1)
        assert all(
            other["agreement"]["pair_and_stride"] <= other["agreement"][part] + 1e-12 for part in PARTS
        )
