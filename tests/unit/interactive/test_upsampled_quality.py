"""What upsampled maps are worth before any click: scores, probe and cost of known maps, and odd images."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from interactive_toys import encoder_of as seeded
from labelled_blocks import Blocks
from torch import Tensor

from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.errors import ConfigError
from vfm_fusion.features.profiled import profiled_image
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.interactive.seen_maps import see
from vfm_fusion.interactive.upsampled_quality import SCORES, Measured, Measuring, measure_upsampler
from vfm_fusion.metrics.profile import profile_image
from vfm_fusion.profiles.stored_maps import map_pyramid
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.interpolation import Bilinear
from vfm_fusion.upsampling.memory import predict

SIZES = ((64, 96), (96, 64), (64, 128))
VIT = "toy_dinov2_vits14"


def encoder_of(name: str) -> Encoder:
    """An untrained encoder whose vectors differ in length, unlike those behind an untrained norm."""
    encoder = seeded(name)
    norms = [module for module in encoder.modules() if isinstance(module, torch.nn.LayerNorm)]
    with torch.no_grad():
        norms[-1].weight.copy_(torch.linspace(0, 2, len(norms[-1].weight)))
    return encoder


def featurizer_of(name: str = VIT, **reads: Any) -> Featurizer:
    return Featurizer(encoder_of(name), ClickModelConfig(inject="none", **reads)).eval()


def measuring(stride: int = 4, **more: Any) -> Measuring:
    definitions = {"paper": MetricConfig(clusters=(3,), n_init=1, null_draws=1)}
    metrics = ProfileConfig(strides=(stride,), definitions=definitions, bootstrap=100)
    plain = {"images": 9, "probe_images": 9, "pixels": 256, "ridge": 0.01, "image_size": None, **more}
    return Measuring.model_validate_json(json.dumps({**plain, "metrics": metrics.model_dump(mode="json")}))


def measured(
    upsampler: str = "none",
    encoder: str = VIT,
    dataset: Blocks | None = None,
    train: Blocks | None = None,
    **more: Any,
) -> Measured:
    featurizer = featurizer_of(encoder)
    made = build_upsampler(upsampler, featurizer.width).eval().requires_grad_(False)
    images = dataset or Blocks(*SIZES)
    return measure_upsampler(featurizer, made, images, train, measuring(**more), (encoder, upsampler))


@pytest.mark.parametrize("encoder", ["mini_vit", "mini_hiera"])
def test_without_upsampling_the_scores_are_those_of_the_main_system(encoder: str) -> None:
    photos, config = Blocks(*SIZES), measuring().metrics
    found = measured(encoder=encoder, dataset=photos)
    model = encoder_of(encoder)
    with torch.inference_mode():
        native = {16: model(profiled_image(photos.image(0), None), [16])[16][0]}
    table = profile_image(map_pyramid(native, config), profiled_image(photos.image(0), None), config)
    expected = table.set_index("score")["value"]
    row = found.images.set_index("image_id").loc[photos.ids[0]]
    np.testing.assert_allclose(row[[*SCORES.values()]].astype(float), expected[[*SCORES]])
    assert row[["SC", "EF"]].gt(0).all()
    assert found.quality["size"] == [16, 32]
    assert found.quality["scores"]["EF"]["mean"] == pytest.approx(found.images["EF"].mean())


def test_repeating_cells_is_what_the_encoders_own_map_is_derived_by_but_for_the_null_floor() -> None:
    own, nearest = (
        measured(name, "mini_vit", Blocks((64, 96)), Blocks((64, 96), seed=1)) for name in ("none", "nearest")
    )
    for score in ("SC", "EF"):
        assert own.images[score][0] == pytest.approx(nearest.images[score][0], rel=1e-4)
    assert own.quality["scores"]["probe_mIoU"] == nearest.quality["scores"]["probe_mIoU"]
    assert own.images["SC_null"][0] > 1.5 * nearest.images["SC_null"][0]


def test_the_same_twice_and_no_times_but_in_the_cost() -> None:
    first, second = (measured("jbu_classic", train=Blocks(*SIZES, seed=1)) for _ in range(2))
    assert first.quality == second.quality
    assert first.images.equals(second.images)
    assert json.loads(json.dumps(first.quality, allow_nan=False))["scores"]["probe_mIoU"] > 0
    assert first.cost.keys() == {"device", "threads", "seconds"}
    assert first.cost["seconds"] > 0
    assert "seconds" not in first.quality


class Oracle(Bilinear):
    """Gives the colours of the image in place of features."""

    def upsample(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        colors = torch.nn.functional.adaptive_avg_pool2d(image, size)
        return colors.repeat(1, features.shape[1] // 3 + 1, 1, 1)[:, : features.shape[1]]


class Spoiled(Bilinear):
    """Gives a map with one pixel that is not a number."""

    def upsample(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        spoiled = super().upsample(features, image, size).clone()
        spoiled[..., 0, 0] = np.nan
        return spoiled


def by_hand(upsampler: Bilinear, train: Blocks | None, dataset: Blocks | None = None) -> Measured:
    featurizer = featurizer_of()
    photos = dataset or Blocks(*SIZES)
    return measure_upsampler(featurizer, upsampler, photos, train, measuring(pixels=4096), (VIT, "by hand"))


def test_a_probe_of_maps_that_show_the_classes_is_perfect_and_one_of_a_random_encoder_is_not() -> None:
    train = Blocks(*SIZES, seed=1)
    assert by_hand(Oracle(32), train).quality["scores"]["probe_mIoU"] == 100
    random = by_hand(Bilinear(32), train).quality
    assert 0 < random["scores"]["probe_mIoU"] < 95
    assert random["probe"] == {"learnt": 3, "scored": 3, "reason": None}


def test_objects_alone_are_probed_against_their_background() -> None:
    found = by_hand(Oracle(32), Blocks(*SIZES, labels="objects", seed=1), Blocks(*SIZES, labels="objects"))
    assert found.quality["scores"]["probe_mIoU"] == 100


@pytest.mark.parametrize(
    ("train", "labels", "reason", "learnt"),
    [
        (None, "classes", "no_training_images", 0),
        ("none", "classes", "not_annotated", 0),
        ("classes", "none", "not_annotated", 3),
    ],
)
def test_without_labels_there_are_scores_but_no_probe(
    train: str | None, labels: str, reason: str, learnt: int
) -> None:
    learnt_from = None if train is None else Blocks(*SIZES, labels=train, seed=1)
    found = measured("bilinear", dataset=Blocks(*SIZES, labels=labels), train=learnt_from).quality
    assert found["scores"]["probe_mIoU"] is None
    assert found["probe"] == {"learnt": learnt, "scored": 0, "reason": reason}
    assert found["scores"]["SC"]["mean"] > 0


def test_a_map_that_is_not_finite_has_neither_scores_nor_probe() -> None:
    found = by_hand(Spoiled(32), Blocks(*SIZES, seed=1))
    assert found.quality["scores"]["SC"] == {
        **dict.fromkeys(("mean", "low", "high")),
        "images": 0,
        "reason": "nan_features",
    }
    assert found.images["EF"].isna().all()
    assert found.quality["scores"]["probe_mIoU"] is None
    assert found.quality["probe"]["reason"] == "nan_features"


def test_images_of_odd_sizes_are_fitted_and_those_too_small_for_the_upsampler_are_named() -> None:
    photos = Blocks((61, 99), (16, 64), (23, 70), (64, 75))
    found = measured("jbu", dataset=photos, train=Blocks((64, 64), (15, 64), seed=1))
    assert [*found.images["reason"].fillna("")] == ["", "map_too_small", "map_too_small", ""]
    assert [*found.images["EF"].isna()] == [False, True, True, False]
    assert [*found.images["image_id"]] == [*photos.ids]
    scores = found.quality["scores"]["EF"]
    assert (scores["images"], scores["reason"]) == (2, "map_too_small")
    assert found.quality["size"] == [16, 24]
    assert found.quality["probe"] == {"learnt": 1, "scored": 2, "reason": None}


def test_nothing_but_images_that_are_too_small() -> None:
    found = measured("jbu", dataset=Blocks((16, 64)), train=Blocks((16, 64), seed=1))
    assert (found.quality["size"], found.quality["peak_bytes"], found.cost["seconds"]) == (None, None, None)
    assert found.quality["scores"]["SC"]["mean"] is None
    assert found.quality["probe"]["reason"] == "map_too_small"


def test_cost_counts_parameters_and_predicts_memory_of_the_largest_map() -> None:
    found, naf = measured("naf").quality, build_upsampler("naf", 32).eval().requires_grad_(False)
    assert found["parameters"] == sum(parameter.numel() for parameter in naf.parameters())
    needed = predict(naf, (1, 32, 4, 8), (64, 128), (16, 32))
    assert found["peak_bytes"] == needed.result + needed.beyond
    assert found["notes"] == ["NAF's window of 9 x 9 cells is cut to 4 x 8 on a map of 4 x 8"]
    assert measured("nearest").quality["peak_bytes"] == 4 * 32 * 16 * 32


def test_only_so_many_images_evenly_spaced() -> None:
    photos = Blocks(*SIZES, *SIZES)
    found = measured("bilinear", dataset=photos, images=3)
    assert [*found.images["image_id"]] == [photos.ids[at] for at in (0, 2, 4)]
    assert found.quality["images"] == 3


def test_images_are_profiled_at_their_size() -> None:
    found = measured("bilinear", dataset=Blocks((72, 96)), image_size={"long_side": 64})
    assert found.quality["size"] == [12, 16]


def test_a_stride_that_the_encoder_has_already_beaten_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"interactive\.quality\.stride: 32 gives maps of 2 x 3, but"):
        measured("bilinear", stride=32)


@pytest.mark.parametrize("reads", [{"tap": "keys"}, {"statistics": "imagenet"}])
def test_maps_are_what_click_models_read(reads: dict[str, str]) -> None:
    featurizer, photo = featurizer_of("toy_clip_vitb16", **reads), Blocks((61, 99)).image(0)
    seen, plain = see(featurizer, photo, None), see(featurizer_of("toy_clip_vitb16"), photo, None)
    assert seen.image.shape == (1, 3, 64, 96)
    assert seen.grid == (4, 6)
    assert not torch.equal(seen.features, plain.features)
