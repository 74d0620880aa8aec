"""The protocol's rounds with predictions that are known, every corner case among them."""

from __future__ import annotations

import numpy as np
import pytest
from interactive_toys import Scripted, photo

from vfm_fusion.config.clicks import ClickProtocolConfig, RobustnessConfig
from vfm_fusion.datasets.base import VOID, Category, Instances, Sample
from vfm_fusion.errors import ConfigError, LabelError, ShapeError
from vfm_fusion.interactive.click_protocol import (
    ClickedObject,
    ClickedResult,
    boundary_iou,
    mask_iou,
    objects_of,
    play,
)
from vfm_fusion.interactive.click_robustness import play_groups, robustness_scores

SIZE = (12, 14)
NOTHING = np.zeros(SIZE, bool)
FEW = ClickProtocolConfig(max_clicks=5)
CATEGORIES = (Category(0, "background", False, (0, 0, 0)), Category(1, "object", True, (255, 0, 0)))


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


TRUTH = box(2, 10, 2, 10)
HALF = box(2, 6, 2, 10)


def played(*masks: np.ndarray, ignored: np.ndarray = NOTHING, **settings: object) -> ClickedResult:
    config = FEW.model_copy(update=settings)
    return play(Scripted(masks), ClickedObject("a", 1, TRUTH, ignored), config)


def clicks(result: ClickedResult) -> list[tuple[int, int, bool] | None]:
    return [each.placement.click for each in result.rounds]


def cases(result: ClickedResult) -> list[str]:
    return [each.placement.case for each in result.rounds]


def test_each_click_follows_the_prediction_before_it() -> None:
    result = played(HALF, TRUTH | box(2, 10, 10, 14), TRUTH & ~box(4, 6, 4, 6))
    assert result.ious.tolist() == [0.5, 64 / 96, 60 / 64, 60 / 64, 60 / 64]
    assert clicks(result) == [(5, 5, True), (7, 3, True), (3, 11, False), (4, 4, True), (4, 5, True)]
    assert [each.carried for each in result.rounds] == [False] * 5
    assert all(each.seconds > 0 for each in result.rounds)


def test_the_predictor_gets_all_clicks_and_the_prediction_before_the_last() -> None:
    predictor = Scripted([HALF, TRUTH])
    play(predictor, ClickedObject("a", 1, TRUTH, NOTHING), FEW)
    assert [len(call) for call in predictor.calls] == [1, 2]
    assert predictor.calls[1][0] == predictor.calls[0][0]


def test_a_perfect_mask_ends_the_clicks_and_keeps_its_iou() -> None:
    result = played(HALF, TRUTH)
    assert result.ious.tolist() == [0.5, 1, 1, 1, 1]
    assert clicks(result)[2:] == [None] * 3
    assert cases(result) == ["", "", "no_error_left", "no_error_left", "no_error_left"]
    assert [each.carried for each in result.rounds] == [False, False, True, True, True]
    assert result.boundary_iou == 1


def test_as_released_a_perfect_mask_is_clicked_at_its_first_pixel_and_may_be_spoilt() -> None:
    result = played(HALF, TRUTH, HALF, TRUTH, perfect_mask="as_released")
    assert result.ious.tolist() == [0.5, 1, 0.5, 1, 1]
    assert clicks(result)[2] == clicks(result)[4] == (0, 0, False)
    assert cases(result) == ["", "", "no_error_left", "", "no_error_left"]
    assert not any(each.carried for each in result.rounds)


def test_as_released_noc_is_that_of_the_default() -> None:
    """Up to the first perfect mask both see the same."""
    default, released = (
        played(HALF, TRUTH, HALF, perfect_mask=mode) for mode in ("carry_forward", "as_released")
    )
    assert default.ious[:2].tolist() == released.ious[:2].tolist()
    assert default.ious.mean() > released.ious.mean()


def test_clicks_end_when_every_error_has_been_clicked() -> None:
    result = played(TRUTH & ~box(4, 5, 4, 6))  # two missed pixels, whatever is clicked
    assert cases(result) == ["", "", "", "all_clicked", "all_clicked"]
    assert result.ious.tolist() == [62 / 64] * 5


def test_equal_errors_are_counted() -> None:
    shifted = box(2, 10, 3, 11)
    result = played(shifted, shifted, equal_errors="negative")
    assert cases(result)[1] == "equal_errors"
    assert clicks(result)[1] == (2, 10, False)
    assert clicks(played(shifted, equal_errors="positive"))[1] == (2, 2, True)


def test_an_object_without_pixels_is_undefined_with_a_reason() -> None:
    for truth, ignored in ((NOTHING, NOTHING), (TRUTH, TRUTH)):
        target = ClickedObject("a", 3, truth, ignored)
        result = play(Scripted([TRUTH]), target, FEW)
        assert result.undefined == "the object has no labelled pixel"
        assert result.rounds == ()
        assert np.isnan(result.boundary_iou)
        with pytest.raises(LabelError, match="a, object 3: the object has no labelled pixel"):
            play(Scripted([TRUTH]), target, FEW.model_copy(update={"empty_truth": "refuse"}))


def test_the_threshold_decides() -> None:
    soft = np.where(TRUTH, 0.495, 0.1)
    assert played(soft).ious[-1] == 0
    assert played(soft, threshold=0.49).ious.tolist() == [1] * 5
    assert played(np.where(TRUTH, 0.5, 0)).ious[-1] == 0  # above, not at


def test_clicks_stop_at_a_set_iou() -> None:
    most, all_but_one = TRUTH & ~box(2, 4, 2, 4), TRUTH & ~box(2, 3, 2, 3)
    config = {"stop_at": 0.9, "targets": (0.9,)}
    result = played(HALF, most, all_but_one, **config)
    assert result.ious.tolist() == [0.5, 60 / 64, 60 / 64, 60 / 64, 60 / 64]
    assert [each.carried for each in result.rounds] == [False, False, True, True, True]
    with pytest.raises(ValueError, match=r"stop_at 0.9 ends the clicks before the target 0.95"):
        ClickProtocolConfig(stop_at=0.9)


def test_ignored_pixels_count_nowhere() -> None:
    ignored = box(6, 10, 0, 14)
    result = played(HALF, ignored=ignored)
    assert result.ious.tolist() == [1] * 5
    assert result.area == 32
    assert clicks(result)[0] == (3, 3, True)
    assert played(HALF | ignored, ignored=ignored).boundary_iou == 1


def test_the_approximate_distance_is_another_setting() -> None:
    assert clicks(played(HALF, distance="approximate"))[0] == (5, 5, True)


def test_iou_and_boundary_iou_by_hand() -> None:
    assert mask_iou(TRUTH, HALF, NOTHING) == 0.5
    assert np.isnan(mask_iou(NOTHING, NOTHING, NOTHING))
    # Rims of one pixel (the diagonal is 18, 2 percent of it less than one): 28 and 20 pixels, 14 shared.
    assert boundary_iou(TRUTH, HALF, NOTHING, 0.02) == pytest.approx(14 / (28 + 20 - 14))
    assert boundary_iou(TRUTH, NOTHING, NOTHING, 0.02) == 0


def test_predictions_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"a: the prediction is \(14, 12\)"):
        played(TRUTH.T)
    with pytest.raises(ShapeError, match="expected bool masks"):
        ClickedObject("a", 1, TRUTH, NOTHING[1:])
    with pytest.raises(ShapeError, match="expected bool masks"):
        ClickedObject("a", 1, TRUTH.astype(int), NOTHING)


def sample(with_objects: bool = True) -> Sample:
    """Two objects, a crowd, and void beside them."""
    ids = np.zeros(SIZE, np.int32)
    ids[TRUTH], ids[HALF], ids[box(0, 2, 0, 14)] = 1, 2, 3
    semantic = np.where(ids > 0, 1, 0).astype(np.uint8)
    semantic[10:] = VOID
    instances = Instances(ids, np.array([1, 1, 1]), np.array([False, False, True]))
    return Sample("s", photo(*SIZE), semantic, instances if with_objects else None)


def test_objects_are_those_annotated_one_by_one() -> None:
    found = list(objects_of(sample(), CATEGORIES, FEW))
    assert [(each.image_id, each.number, each.area) for each in found] == [("s", 1, 32), ("s", 2, 32)]
    assert np.array_equal(found[0].ignored, box(10, 12, 0, 14))
    with pytest.raises(LabelError, match="'s' has no labels of objects"):
        next(objects_of(sample(False), CATEGORIES, FEW))


@pytest.mark.parametrize(("least", "numbers"), [(32, [1, 2]), (33, [])])
def test_small_objects_are_passed_over(least: int, numbers: list[int]) -> None:
    config = FEW.model_copy(update={"least_area": least})
    assert [each.number for each in objects_of(sample(), CATEGORIES, config)] == numbers


def test_void_is_background_where_all_classes_are_things() -> None:
    things = next(objects_of(sample(), CATEGORIES[1:], FEW))
    kept = next(objects_of(sample(), CATEGORIES, FEW.model_copy(update={"ignore_void": False})))
    assert not things.ignored.any()
    assert not kept.ignored.any()


class Growing(Scripted):
    """Predicts squares around all positive clicks and nothing around negative ones."""

    def __init__(self) -> None:
        super().__init__([])

    def predict(self, clicks: list, last: object) -> object:
        mask = np.zeros(SIZE, np.float32)
        for row, col, positive in clicks:
            mask[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3] = positive
        self.masks = [mask]
        return super().predict([clicks[-1]], last)


def test_robustness_compares_groups_of_clicks() -> None:
    target, config = ClickedObject("a", 1, TRUTH, NOTHING), RobustnessConfig(groups=4)
    table = play_groups(Growing(), target, FEW, config)
    assert list(table["law"]) == ["distance"] * 4 + ["uniform"] * 4
    assert list(table["group"]) == [0, 1, 2, 3] * 2
    assert table["IoU_AUC"].between(0, 1).all()
    assert (
        table["IoU_AUC"].iloc[0] > table["IoU_AUC"].iloc[3]
    )  # deep clicks are worth more than those at rims
    again = play_groups(Growing(), target, FEW, RobustnessConfig(groups=4, laws=("uniform",)))
    assert again["IoU_AUC"].tolist() == table["IoU_AUC"].tolist()[4:]
    scores = robustness_scores([table])
    means = table.groupby("law")["IoU_AUC"]
    assert scores["IoU_AUC_distance"] == pytest.approx(100 * means.mean()["distance"])
    assert scores["IoU_AUC_spread_uniform"] == pytest.approx(
        100 * (means.max()["uniform"] - means.min()["uniform"])
    )


def test_robustness_leaves_undefined_objects_out() -> None:
    config = RobustnessConfig(groups=2, laws=("uniform",))
    defined = play_groups(Growing(), ClickedObject("a", 1, TRUTH, NOTHING), FEW, config)
    empty = play_groups(Growing(), ClickedObject("a", 2, NOTHING, NOTHING), FEW, config)
    assert empty["IoU_AUC"].isna().all()
    assert robustness_scores([defined, empty]) == robustness_scores([defined])
    with pytest.raises(ConfigError, match="at least 2"):
        play_groups(
            Growing(), ClickedObject("a", 1, TRUTH, NOTHING), ClickProtocolConfig(max_clicks=1), config
        )
