"""Training crops of click models: each augmentation alone, and which objects are left."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from interactive_toys import photo

from vfm_fusion.config.clicks import ClickCropConfig
from vfm_fusion.datasets.base import VOID, Category, Instances, Sample
from vfm_fusion.errors import LabelError
from vfm_fusion.interactive.click_crops import ClickCrop, draw_click_crop
from vfm_fusion.interactive.distances import depth

SIZE = (48, 64)
BACKGROUND = Category(0, "background", False, (0, 0, 0))
THING = Category(1, "thing", True, (255, 0, 0))
STILL = {
    "side": 64,
    "scale": (1.0, 1.0),
    "flip_share": 0,
    "turn_share": 0,
    "move_share": 0,
    "color_share": 0,
    "least_area": 1,
}


def sample(ids: np.ndarray | None = None, crowd: tuple[int, ...] = (), **more: object) -> Sample:
    """An image whose pixels say where its objects are: red over an object, blue elsewhere."""
    if ids is None:
        ids = np.zeros(SIZE, np.int32)
        ids[5:25, 10:30], ids[30:40, 40:60] = 1, 2
    image = np.where(ids[..., None] > 0, [200, 0, 0], [0, 0, 200]).astype(np.uint8)
    count = int(ids.max())
    instances = Instances(ids, np.ones(count, int), np.isin(np.arange(1, count + 1), crowd), **more)
    return Sample("a", image, np.where(ids > 0, 1, 0).astype(np.uint8), instances)


def draw(settings: dict[str, object], seed: int = 0, given: Sample | None = None) -> ClickCrop:
    config = ClickCropConfig(**{**STILL, **settings})
    given = sample() if given is None else given
    return draw_click_crop(given, (BACKGROUND, THING), config, np.random.default_rng(seed))


def test_small_images_are_padded_all_around_with_black() -> None:
    crop = draw({"side": 80})
    assert crop.image.shape == (80, 80, 3)
    np.testing.assert_array_equal(crop.image[16:64, 8:72], sample().image)
    assert not crop.image[:16].any()
    assert not crop.image[:, 72:].any()
    assert [mask.sum() for mask in crop.objects] == [400, 200]
    assert crop.objects[0, 16 + 5, 8 + 10]
    assert not crop.ignored.any()


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": (0.75, 1.25)},
        {"flip_share": 1},
        {"turn_share": 1},
        {"move_share": 1},
        {"side": 32},
        {"scale": (0.75, 1.25), "flip_share": 1, "turn_share": 1, "move_share": 1},
    ],
)
def test_objects_go_the_way_of_their_pixels(settings: dict[str, object]) -> None:
    looks = set()
    for seed in range(12):
        crop = draw(settings, seed)
        shown = crop.image[..., 0] > crop.image[..., 2]
        mismatch = shown != crop.objects.any(axis=0)
        assert depth(mismatch).max() <= 1  # rims are blended in the image, and nearest in the masks
        assert mismatch.sum() < 0.15 * shown.sum()
        looks.add(crop.image.tobytes())
    assert len(looks) > 2


def test_flips_and_turns_are_as_often_as_said() -> None:
    """Without flips and turns the image is as it was; half of the turns turn nothing or back."""
    kept = Counter(
        (
            np.array_equal(draw({"flip_share": 0.5}, seed).image, draw({}).image),
            np.array_equal(draw({"turn_share": 0.5}, seed).image, draw({}).image),
        )
        for seed in range(400)
    )
    flipped = sum(count for (same, _), count in kept.items() if not same) / 400
    turned = sum(count for (_, same), count in kept.items() if not same) / 400
    assert flipped == pytest.approx(0.5, abs=0.08)
    assert turned == pytest.approx(0.5 * 0.75, abs=0.08)


def test_colours_change_within_their_bounds() -> None:
    grey = np.full((*SIZE, 3), 100, np.uint8)
    given = Sample("a", grey, sample().semantic, sample().instances)
    values = []
    for seed in range(300):
        inside = draw({"color_share": 1}, seed, given).image[8:56]
        assert (inside == inside[0, 0]).all()
        values.append(inside[0, 0].astype(int))
    values = np.array(values)
    assert values.min() >= 100 * 0.85 - 64 - 11
    assert values.max() <= 100 * 1.4 + 64 + 11
    assert np.ptp(values) > 120
    spread = np.ptp(values, axis=1)
    assert 10 < spread.max() <= 21  # only the shift of colours differs among channels
    shares = np.mean([(draw({"color_share": 0.75}, s, given).image[32, 32] == 100).all() for s in range(300)])
    assert shares == pytest.approx(0.25**2, abs=0.04)


def test_small_objects_are_left_out() -> None:
    assert len(draw({"least_area": 200}).objects) == 2
    assert [mask.sum() for mask in draw({"least_area": 201}).objects] == [400]


def test_objects_that_do_not_fill_their_box_are_left_out() -> None:
    ids = np.zeros(SIZE, np.int32)
    ids[np.arange(40), np.arange(40)], ids[0:10, 50:60] = 1, 2  # a diagonal fills a 40th of its box
    given = sample(ids)
    assert [m.sum() for m in draw({"least_fill": 0.024}, given=given).objects] == [40, 100]
    assert [m.sum() for m in draw({"least_fill": 0.026}, given=given).objects] == [100]


def test_covered_objects_are_whole_and_crowds_are_unknown() -> None:
    covered = np.zeros((1, *SIZE), np.int32)
    covered[0, 5:15, 10:20] = 2  # lies below object 1
    crop = draw({}, given=sample(covered=covered))
    assert [mask.sum() for mask in crop.objects] == [400, 300]
    crop = draw({}, given=sample(crowd=(2,)))
    assert [mask.sum() for mask in crop.objects] == [400]
    assert crop.ignored.sum() == 200


def test_void_is_unknown_only_where_background_is_a_class() -> None:
    given = sample()
    given.semantic[:5] = VOID
    config = ClickCropConfig(**STILL)
    for categories, expected in (((BACKGROUND, THING), 5 * 64), ((THING,), 0)):
        crop = draw_click_crop(given, categories, config, np.random.default_rng(0))
        assert crop.ignored.sum() == expected


def test_crops_are_drawn_again_until_they_show_an_object() -> None:
    ids = np.zeros((200, 200), np.int32)
    ids[:60, :60] = 1
    given = sample(ids)
    shown = [len(draw({"side": 48, "empty": 0.0}, seed, given).objects) for seed in range(40)]
    assert sum(shown) == 40
    shown = [len(draw({"side": 48, "empty": 1.0}, seed, given).objects) for seed in range(40)]
    assert sum(shown) < 20


def test_images_without_objects_end() -> None:
    crop = draw({"empty": 0.0}, given=sample(np.zeros(SIZE, np.int32)))
    assert crop.objects.shape == (0, 64, 64)
    with pytest.raises(LabelError, match="'b' has no labels of objects"):
        draw({}, given=Sample("b", photo(*SIZE), np.zeros(SIZE, np.uint8), None))
