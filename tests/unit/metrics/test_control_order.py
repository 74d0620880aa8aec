"""The order of the controls: means, comparisons and shares of images with known answers."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from vfm_fusion.metrics.controls import CONTROLS
from vfm_fusion.profiles.control_order import COMPARISONS, TOLERANCE, check_controls, control_means

RIGHT = {
    "ef": {"edges": 9.0, "blurred": 5.0, "smooth": 1.0, "noise": 0.5, "shuffled": 0.5},
    "sc": {"edges": 0.5, "blurred": 0.6, "smooth": 0.9, "noise": 0.1, "shuffled": 0.2},
}


def table(values: dict[str, dict[str, list[float]]], stride: int = 8) -> pd.DataFrame:
    """Scores of one definition and stride: score -> control -> a value per image."""
    rows = [
        (f"i{index}", "paper", control, stride, score, value, "grid_too_fine" if math.isnan(value) else None)
        for score, by_control in values.items()
        for control in CONTROLS
        for index, value in enumerate(by_control[control])
    ]
    columns = ["image_id", "definition", "control", "stride", "score", "value", "reason"]
    return pd.DataFrame(rows, columns=columns).astype({"value": "float64"})


def ordered(images: int = 4, **changes: list[float]) -> pd.DataFrame:
    """Controls in the right order, the same on every image; EF of some replaced."""
    values = {
        score: {name: [of.get(name, math.nan)] * images for name in CONTROLS} for score, of in RIGHT.items()
    }
    values["ef"] |= changes
    return table(values)


def check(scores: pd.DataFrame, control: str, other: str, score: str = "ef") -> pd.Series:
    checks = check_controls(scores)
    rows = checks[(checks["control"] == control) & (checks["other"] == other) & (checks["score"] == score)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_the_right_order_holds_on_every_image() -> None:
    checks = check_controls(ordered())
    assert len(checks) == len(COMPARISONS) + 2
    assert checks["holds"].all()
    assert (checks["agreeing"] == checks["images"]).all()
    assert checks["reason"].isna().all()


def test_a_difference_is_that_of_the_paired_images() -> None:
    found = check(ordered(edges=[9.0, 3.0, math.nan, 6.0], blurred=[5.0, 4.0, 5.0, 5.0]), "edges", "blurred")
    assert found["difference"] == pytest.approx((4 - 1 + 1) / 3)
    assert found["standard_error"] == pytest.approx(math.sqrt(19 / 3) / math.sqrt(3))
    assert (found["images"], found["agreeing"], found["holds"]) == (3, 2, True)


def test_above_is_strict_on_the_mean_whatever_most_images_say() -> None:
    equal = check(ordered(edges=[5.0] * 4), "edges", "blurred")
    assert not equal["holds"]
    assert equal["agreeing"] == 0
    outvoted = check(ordered(edges=[6.0, 6.0, 6.0, 0.0]), "edges", "blurred")
    assert (outvoted["difference"], outvoted["agreeing"], outvoted["holds"]) == (-0.5, 3, False)


def test_noise_may_be_above_shuffled_by_chance_only() -> None:
    """d = m + 1, m - 1, m + 1, m - 1 has a standard error of 1 / sqrt(3)."""
    error = 1 / math.sqrt(3)
    for mean, expected in ((TOLERANCE * error - 1e-6, True), (TOLERANCE * error + 1e-6, False)):
        noise = [5 + mean + sign for sign in (1, -1, 1, -1)]
        found = check(ordered(noise=noise, shuffled=[5.0] * 4), "noise", "shuffled")
        assert found["standard_error"] == pytest.approx(error)
        assert found["holds"] == expected
        assert found["agreeing"] == 0


def test_one_image_has_no_tolerance() -> None:
    assert check(ordered(1), "noise", "shuffled")["holds"]
    found = check(ordered(1, noise=[0.6]), "noise", "shuffled")
    assert (found["standard_error"], found["holds"]) == (0.0, False)


def test_what_no_image_has_is_not_known_and_says_why() -> None:
    scores = ordered(smooth=[math.nan] * 4)
    found = check(scores, "blurred", "smooth")
    assert pd.isna(found["holds"])
    assert (found["images"], found["reason"]) == (0, "grid_too_fine")
    assert check(scores, "edges", "blurred")["holds"]


def test_a_constant_map_with_a_score_is_wrong() -> None:
    found = check(ordered(constant=[math.nan, math.nan, 1.0, math.nan]), "constant", "")
    assert (found["images"], found["agreeing"], found["holds"]) == (4, 3, False)


def test_sc_wants_regions_above_what_has_no_places() -> None:
    assert check(ordered(), "smooth", "noise", "sc")["difference"] == pytest.approx(0.8)
    assert check(ordered(), "smooth", "shuffled", "sc")["difference"] == pytest.approx(0.7)


def test_means_are_over_the_defined_images_in_the_order_of_the_controls() -> None:
    means = control_means(ordered(edges=[9.0, math.nan, 3.0, 6.0]))
    assert list(means["control"]) == [*CONTROLS, *CONTROLS]
    assert list(means["score"].unique()) == ["ef", "sc"]
    edges, constant = means.iloc[0], means.iloc[5]
    assert (edges["mean"], edges["images"], edges["undefined"], edges["reason"]) == (6, 3, 1, "grid_too_fine")
    assert math.isnan(constant["mean"])
    assert (constant["images"], constant["undefined"]) == (0, 4)


def test_strides_and_definitions_are_kept_apart() -> None:
    wrong = ordered(edges=[0.0] * 4).assign(stride=4)
    other = ordered().assign(definition="calibrated")
    checks = check_controls(pd.concat([ordered(), wrong, other], ignore_index=True))
    failing = checks[~checks["holds"]]
    assert set(failing["definition"]) == {"paper"}
    assert set(failing["stride"]) == {4}
    assert list(failing["other"]) == ["blurred", "noise"]
    assert list(checks["definition"].unique()) == ["paper", "calibrated"]
