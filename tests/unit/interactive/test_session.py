"""Sessions: the evaluator's bits by hand, undone and redone, object after object."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from interactive_toys import Scripted, bilinear, photo, toy_model

from vfm_fusion.config.clicks import ClickProtocolConfig, ZoomConfig
from vfm_fusion.errors import SessionError, ShapeError
from vfm_fusion.interactive.click_predictor import ClickPredictor, Prediction
from vfm_fusion.interactive.click_protocol import ClickedObject, play
from vfm_fusion.interactive.clicks import Click
from vfm_fusion.interactive.session import Session

SIZE = (48, 64)
ZOOM = ZoomConfig(side=48, min_side=20)


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


class Recording:
    """A predictor that keeps what another one predicts."""

    def __init__(self, predictor: ClickPredictor) -> None:
        self.predictor, self.found = predictor, []

    def set_image(self, image: np.ndarray) -> None:
        self.predictor.set_image(image)

    def predict(self, clicks: list[Click], last: Prediction) -> Prediction:
        self.found.append(self.predictor.predict(clicks, last))
        return self.found[-1]


def scripted(*masks: np.ndarray) -> Session:
    session = Session(Scripted(masks))
    session.set_image(photo(*SIZE))
    return session


def live() -> Session:
    session = Session(ClickPredictor(toy_model(upsampler=bilinear), ZOOM))
    session.set_image(photo(*SIZE))
    return session


@pytest.mark.parametrize("inject", ["early", "late_hr"])
def test_scripted_clicks_give_the_evaluators_predictions_to_the_bit(inject: str) -> None:
    model = toy_model("mini_vit", bilinear, inject=inject)
    model.head[-1].bias.data -= 15  # else nearly every pixel is predicted, and the whole image seen
    zoom = ZoomConfig(side=48, min_side=16, expansion=1.0, recompute_iou=1.0)
    recording, config = Recording(ClickPredictor(model, zoom)), ClickProtocolConfig(max_clicks=6)
    recording.set_image(photo(*SIZE))
    result = play(recording, ClickedObject("a", 1, box(10, 40, 5, 30), np.zeros(SIZE, bool)), config)
    session = Session(ClickPredictor(model, zoom), config.threshold)
    session.set_image(photo(*SIZE))
    for each, expected in zip(result.rounds, recording.found, strict=True):
        np.testing.assert_array_equal(session.click(*each.placement.click), expected.probability)
    assert len({prediction.box for prediction in recording.found}) > 1
    assert session.clicks == tuple(each.placement.click for each in result.rounds)


def test_undone_and_redone_clicks_give_the_same_bits() -> None:
    session = live()
    first = session.click(10, 20)
    second = session.click(30, 50, positive=False)
    session.click(5, 5)
    session.undo()
    np.testing.assert_array_equal(session.probability, second)
    session.undo()
    np.testing.assert_array_equal(session.probability, first)
    np.testing.assert_array_equal(session.click(30, 50, positive=False), second)
    for _ in range(4):
        session.undo()
    assert session.clicks == ()
    assert not session.probability.any()


def test_reset_begins_the_object_again() -> None:
    session = live()
    first = session.click(10, 20)
    session.click(30, 50)
    session.reset()
    assert not session.mask.any()
    np.testing.assert_array_equal(session.click(10, 20), first)


def test_finished_objects_are_numbered_and_later_ones_lie_above() -> None:
    one, two = box(0, 20, 0, 20), box(10, 30, 10, 30)
    session = scripted(one)
    session.click(5, 5)
    assert session.finish_object() == 1
    assert session.clicks == ()
    session.set_image(photo(*SIZE))
    assert not session.label_map.any()
    for number, mask in ((1, one), (2, two)):
        session._predictor.masks = [mask.astype(np.float32)]
        session.click(15, 15)
        assert session.finish_object() == number
    expected = np.where(two, 2, np.where(one, 1, 0))
    np.testing.assert_array_equal(session.label_map, expected)
    assert session.label_map.dtype == np.int32
    session.label_map[:] = 7  # a copy
    np.testing.assert_array_equal(session.label_map, expected)


def test_an_object_of_parts_is_as_probable_as_its_likeliest_part() -> None:
    one, two = 0.9 * box(0, 20, 0, 20), 0.7 * box(10, 30, 10, 30)
    session = scripted(one)
    session.click(5, 5)
    session.keep_part()
    assert session.clicks == ()
    np.testing.assert_array_equal(session.probability, one.astype(np.float32))
    session._predictor.masks = [two.astype(np.float32)]
    np.testing.assert_array_equal(session.click(25, 25), np.maximum(one, two).astype(np.float32))
    assert session._predictor.calls[-1] == [Click(25, 25, True)]
    session.undo()
    np.testing.assert_array_equal(session.probability, one.astype(np.float32))
    session.click(25, 25)
    session.finish_object()
    np.testing.assert_array_equal(session.label_map > 0, (one > 0) | (two > 0))
    assert not session.probability.any()


def test_a_loaded_mask_is_what_the_first_click_corrects() -> None:
    session, mask = live(), box(10, 30, 20, 50)
    plain = session.click(15, 30)
    session.reset()
    session.load_mask(mask)
    np.testing.assert_array_equal(session.mask, mask)
    corrected = session.click(15, 30)
    assert not np.array_equal(corrected, plain)
    assert not corrected[:, 62:].any()  # the part around the mask was seen
    session.undo()
    np.testing.assert_array_equal(session.mask, mask)
    session.click(15, 30)
    with pytest.raises(SessionError, match="before an object's first click"):
        session.load_mask(mask)


def test_the_overlay_shows_objects_and_clicks_and_leaves_the_rest() -> None:
    one, two = box(0, 20, 0, 20), box(25, 40, 25, 60)
    session, image = scripted(one), photo(*SIZE)
    np.testing.assert_array_equal(session.overlay(), image)
    session.click(5, 5)
    session.finish_object()
    session._predictor.masks = [two.astype(np.float32)]
    session.click(30, 30)
    session.click(10, 50, positive=False)
    drawn = session.overlay(alpha=1.0, radius=0)
    assert (drawn[one] == (128, 0, 0)).all()
    assert (drawn[two] == (0, 128, 0)).all()
    np.testing.assert_array_equal(drawn[~one & ~two], image[~one & ~two])
    half = session.overlay(alpha=0.5, radius=0).astype(int)
    assert np.abs(2 * half[one] - image[one] - np.array([128, 0, 0])).max() <= 1
    dotted = session.overlay(radius=2)
    assert tuple(dotted[30, 30]) == (0, 255, 0)
    assert tuple(dotted[10, 50]) == (255, 0, 0)
    np.testing.assert_array_equal(session.overlay(alpha=0.0, radius=0), image)


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session.click(1, 1),
        lambda session: session.undo(),
        lambda session: session.reset(),
        lambda session: session.finish_object(),
        lambda session: session.keep_part(),
        lambda session: session.load_mask(np.zeros(SIZE, bool)),
        lambda session: session.overlay(),
        lambda session: session.label_map,
        lambda session: session.probability,
        lambda session: session.clicks,
    ],
)
def test_nothing_can_be_done_without_an_image(use: Callable[[Session], object]) -> None:
    with pytest.raises(SessionError, match="call set_image first"):
        use(Session(Scripted([])))


@pytest.mark.parametrize("place", [(-1, 0), (48, 0), (0, 64), (0, -1)])
def test_clicks_outside_the_image_are_refused(place: tuple[int, int]) -> None:
    session = scripted(box(0, 5, 0, 5))
    with pytest.raises(SessionError, match="outside the image of 48 x 64"):
        session.click(*place)
    assert session.clicks == ()


def test_bad_input_is_named_and_changes_nothing() -> None:
    session = live()
    before = session.click(10, 20)
    with pytest.raises(ShapeError, match="expected an RGB image"):
        session.set_image(photo()[..., 0])
    for mask in (np.zeros((64, 48), bool), np.zeros(SIZE)):
        with pytest.raises(ShapeError, match="expected a bool mask"):
            session.load_mask(mask)
    np.testing.assert_array_equal(session.probability, before)
    empty = scripted(np.zeros(SIZE))
    empty.click(3, 3)
    with pytest.raises(SessionError, match="mask is empty"):
        empty.finish_object()
    assert empty.clicks == (Click(3, 3, True),)
