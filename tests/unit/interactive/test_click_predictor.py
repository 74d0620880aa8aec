"""Predictions of an image: mirrored, zoomed in, and the same however they came about."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from interactive_toys import bilinear, photo, toy_model

from vfm_fusion.config.clicks import ZoomConfig
from vfm_fusion.errors import ConfigError, ShapeError
from vfm_fusion.interactive.click_model import ClickModel
from vfm_fusion.interactive.click_predictor import ClickPredictor, Prediction, first_prediction
from vfm_fusion.interactive.clicks import Click, points_tensor

ZOOM = ZoomConfig(side=48, min_side=20)
CLICKS = [Click(10, 20, True), Click(30, 50, False)]


def predictor(model: ClickModel, image: np.ndarray | None = None, **settings: object) -> ClickPredictor:
    made = ClickPredictor(model, **{"zoom": ZOOM, **settings})
    made.set_image(photo() if image is None else image)
    return made


@pytest.mark.parametrize("inject", ["early", "late_lr", "late_hr"])
def test_logits_of_the_image_and_its_mirror_are_averaged_before_the_sigmoid(inject: str) -> None:
    model, size = toy_model(upsampler=bilinear, inject=inject).eval(), (48, 48)
    image = photo(*size)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    clicks = [Click(10, 20, True), Click(30, 45, False)]
    mirrored = [Click(10, 27, True), Click(30, 2, False)]
    found = predictor(model, image).predict(clicks, first_prediction(size))
    with torch.no_grad():
        zeros = torch.zeros(1, 1, *size)
        own = model(pixels, zeros, points_tensor([clicks]))
        other = model(pixels.flip(3), zeros, points_tensor([mirrored])).flip(3)
    expected = ((own + other) / 2).sigmoid()[0, 0].numpy()
    np.testing.assert_allclose(found.probability, expected, atol=1e-6)
    assert not np.allclose(
        found.probability, ((own.sigmoid() + other.sigmoid()) / 2).numpy()[0, 0], atol=1e-7
    )
    plain = predictor(model, image, flip=False).predict(clicks, first_prediction(size))
    np.testing.assert_allclose(plain.probability, own.sigmoid()[0, 0].numpy(), atol=1e-6)


def test_a_mirrored_image_has_a_mirrored_answer() -> None:
    model, image = toy_model(inject="late_lr"), photo(48, 48)
    found = predictor(model, image).predict([Click(10, 20, True)], first_prediction((48, 48)))
    mirrored = predictor(model, image[:, ::-1]).predict([Click(10, 27, True)], first_prediction((48, 48)))
    np.testing.assert_allclose(mirrored.probability, found.probability[:, ::-1], atol=1e-6)


def test_beyond_the_box_nothing_is_predicted() -> None:
    model, last = toy_model(), np.zeros((48, 64), np.float32)
    last[10:20, 30:40] = 1
    found = predictor(model).predict([Click(15, 35, True)], Prediction(last))
    assert found.box == (4, 24, 24, 44)
    inside = np.zeros((48, 64), bool)
    inside[found.box.pixels] = True
    assert (found.probability[inside] > 0).all()
    assert (found.probability[~inside] == 0).all()


def test_the_last_probability_is_seen_through_the_box() -> None:
    model, last = toy_model(), np.zeros((48, 64), np.float32)
    last[10:20, 30:40] = 1
    softer = np.where(last > 0, 0.7, 0.2).astype(np.float32)
    hard, soft = (
        predictor(model).predict([Click(15, 35, True)], Prediction(each)) for each in (last, softer)
    )
    assert hard.box == soft.box
    assert not np.array_equal(hard.probability, soft.probability)


@pytest.mark.parametrize("inject", ["early", "late_lr", "late_hr", "none"])
def test_what_is_kept_of_a_box_changes_no_bit(inject: str) -> None:
    model = toy_model(upsampler=bilinear, inject=inject)
    walked, state = predictor(model), first_prediction((48, 64))
    for count in range(1, 4):
        clicks = [*CLICKS, Click(5, 60, True)][:count]
        fresh = predictor(model).predict(clicks, state)
        state = walked.predict(clicks, state)
        assert state.box == fresh.box
        np.testing.assert_array_equal(state.probability, fresh.probability)
    walked.set_image(photo(seed=1))
    other = walked.predict(CLICKS, first_prediction((48, 64)))
    expected = predictor(model, photo(seed=1)).predict(CLICKS, first_prediction((48, 64)))
    np.testing.assert_array_equal(other.probability, expected.probability)


def test_the_encoder_runs_once_for_a_box() -> None:
    model, runs = toy_model("mini_hiera", inject="late_lr"), []
    model.featurizer.encoder.register_forward_hook(lambda *_: runs.append(1))
    walked = predictor(model, zoom=ZoomConfig(side=64, follow_object=False))
    state = first_prediction((48, 64))
    for count in (1, 2):
        state = walked.predict(CLICKS[:count], state)
    assert len(runs) == 1


def test_a_part_may_keep_its_own_size() -> None:
    sizes = []
    model = toy_model()
    see = model.see
    model.see = lambda images: sizes.append(tuple(images.shape)) or see(images)
    found = predictor(model, photo(45, 70), zoom=ZoomConfig(side=None)).predict(
        CLICKS, first_prediction((45, 70))
    )
    assert sizes == [(2, 3, 48, 64)]
    assert found.probability.shape == (45, 70)


def test_bad_input_is_named() -> None:
    made = ClickPredictor(toy_model(), ZOOM)
    with pytest.raises(ShapeError, match="call set_image first"):
        made.predict(CLICKS, first_prediction((48, 64)))
    for image in (photo()[..., 0], photo() / 255, photo()[:0]):
        with pytest.raises(ShapeError, match="expected an RGB image"):
            made.set_image(image)
    with pytest.raises(ConfigError, match=r"zoom.side: mini_hiera takes multiples of 32 as sides, found 48"):
        ClickPredictor(toy_model("mini_hiera", inject="late_lr"), ZOOM)
    made.set_image(photo())
    with pytest.raises(ShapeError, match=r"is \(64, 48\), the image \(48, 64\)"):
        made.predict(CLICKS, first_prediction((64, 48)))
