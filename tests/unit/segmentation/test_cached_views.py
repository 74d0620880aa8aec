"""Runs whose frozen encoders never run: the same results, to the bit, as when they do."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from segmentation_toys import ToyDataset

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig, ResizeConfig, segmented_size
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Sample
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.evaluation.predict import predict_run
from vfm_fusion.features.extract import extraction
from vfm_fusion.segmentation.data import Batch
from vfm_fusion.segmentation.encoded import Encoded, stack
from vfm_fusion.segmentation.job import train_run
from vfm_fusion.training.views import Views

FROZEN = {
    "alone": (RunConfig(master="vit", train_master=False), ()),
    "fused": (RunConfig(master="vit", train_master=False, auxiliary="hiera"), (8,)),
    "reversed": (RunConfig(master="hiera", train_master=False, auxiliary="vit"), (16,)),
}
SMALLER = ResizeConfig(short_side=48, max_side=96)


@pytest.fixture
def stored(tmp_path: Path, encoders: dict[str, EncoderConfig]):
    """Stores what the encoders make of a data set; returns the manifests."""

    def extract(name: str, dataset: object, **settings: object) -> dict[str, Path]:
        manifests = {encoder: tmp_path / name / f"{encoder}.zarr.manifest.json" for encoder in encoders}
        for encoder, manifest in manifests.items():
            extraction(
                dataset=dataset,
                dataset_name="toys",
                encoder_name=encoder,
                encoder_config=encoders[encoder],
                settings=FeaturesConfig(dtype="float32", shard_images=4, **({"batch_size": 1} | settings)),
                token="t",
                manifest_path=manifest,
                state_dir=tmp_path / name / "state" / encoder,
            ).run()
        return manifests

    return extract


@pytest.fixture
def train(tmp_path: Path, encoders: dict[str, EncoderConfig]):
    """Trains a run and returns its folder."""

    def train(name: str, run: str, recipe: TrainingConfig, maps: dict[str, Path] | None = None) -> Path:
        settings, strides = FROZEN[run]
        out = tmp_path / name / run / "seed0"
        train_run(
            run=settings,
            encoders=encoders,
            strides=strides,
            training=recipe,
            seed=0,
            dataset=ToyDataset(),
            out_dir=out,
            state_dir=tmp_path / name / "state",
            token="t",
            maps=maps,
        )
        return out

    return train


@pytest.fixture
def no_encoder_runs(monkeypatch: pytest.MonkeyPatch):
    """From its call on, an encoder that is run is an error."""

    def refuse() -> None:
        def run(self: Encoder, *_: object) -> None:
            raise AssertionError(f"{self.spec.name} was run")

        monkeypatch.setattr(Encoder, "forward", run)

    return refuse


def views_of(recipe: TrainingConfig) -> Views:
    return Views(ToyDataset(), recipe.augmentation, recipe.cached_views)


@pytest.mark.parametrize("task", ["panoptic", "instance"])
@pytest.mark.parametrize("run", FROZEN)
def test_training_and_prediction_are_the_same_to_the_bit(
    train, stored, encoders, recipe: TrainingConfig, no_encoder_runs, run: str, task: str
) -> None:
    recipe = recipe.model_copy(update={"cached_views": 3, "batch_size": 1, "task": task})
    inference = EvaluationConfig(resize=SMALLER)
    shared = {"dataset": ToyDataset(), "encoders": encoders, "inference": inference}
    expected = train("pixels", run, recipe)
    predict_run(run_dir=expected, predictions=expected / "predictions.h5", **shared)

    maps = stored("views", views_of(recipe))
    seen = stored("seen", ToyDataset(), image_size=segmented_size(inference.resize))
    no_encoder_runs()
    found = train("maps", run, recipe, maps)
    predict_run(run_dir=found, predictions=found / "predictions.h5", maps=seen, **shared)
    for name in ("model.safetensors", "metrics.csv", "run.json", "predictions.h5"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name


def test_a_batch_of_maps_is_divided_as_one_of_pixels_is() -> None:
    maps = torch.arange(4 * 3 * 2 * 2.0).view(4, 3, 2, 2)
    whole = stack([Encoded((64, 64), {32: one[None]}, {16: one[None] + 1}) for one in maps])
    masks, labels = list(torch.zeros(4, 1, 64, 64, dtype=torch.bool)), list(torch.zeros(4, 1).long())
    first, second = Batch(whole, masks, labels).split(2)
    assert (len(first.images), len(second.images), len(second.masks)) == (2, 2, 2)
    assert torch.equal(second.images.master[32], maps[2:])
    assert torch.equal(first.images.auxiliary[16], maps[:2] + 1)


class MixedSizes(ToyDataset):
    """Toys of which every second one is higher than wide."""

    def size_of(self, index: int) -> tuple[int, int]:
        return (64, 96) if index % 2 else (96, 64)

    def __getitem__(self, index: int) -> Sample:
        return ToyDataset(size=self.size_of(index))[index]


@pytest.mark.parametrize("images", [None, 3])
def test_images_of_several_sizes_are_segmented_as_they_are(
    train, stored, encoders, recipe: TrainingConfig, no_encoder_runs, images: int | None
) -> None:
    run = train("run", "fused", recipe.model_copy(update={"cached_views": 2}))
    inference = EvaluationConfig(resize=SMALLER, batch_size=1, max_images=images)
    shared = {"run_dir": run, "dataset": MixedSizes(), "encoders": encoders, "inference": inference}
    predict_run(predictions=run / "pixels.h5", **shared)
    size = segmented_size(SMALLER)
    maps = stored("seen", MixedSizes(), image_size=size, max_images=images)
    no_encoder_runs()
    predict_run(predictions=run / "maps.h5", maps=maps, **shared)
    assert (run / "maps.h5").read_bytes() == (run / "pixels.h5").read_bytes()


def test_maps_in_bfloat16_train_as_encoders_do_that_run_so(
    train, stored, recipe: TrainingConfig, no_encoder_runs
) -> None:
    recipe = recipe.model_copy(
        update={"cached_views": 2, "batch_size": 1, "precision": "bf16-mixed", "log_every": 1}
    )
    expected = pd.read_csv(train("pixels", "fused", recipe) / "metrics.csv")
    maps = stored("views", views_of(recipe), precision="bfloat16")
    no_encoder_runs()
    found = pd.read_csv(train("maps", "fused", recipe, maps) / "metrics.csv")
    pd.testing.assert_frame_equal(found, expected, rtol=1e-3)


def test_other_processes_load_the_same_maps(train, stored, recipe: TrainingConfig) -> None:
    recipe = recipe.model_copy(update={"cached_views": 2})
    maps = stored("views", views_of(recipe), batch_size=2)
    alone = train("alone", "fused", recipe, maps)
    loaded = train("loaded", "fused", recipe.model_copy(update={"workers": 2}), maps)
    assert (alone / "model.safetensors").read_bytes() == (loaded / "model.safetensors").read_bytes()


def test_maps_of_other_images_are_refused(train, stored, recipe: TrainingConfig) -> None:
    recipe = recipe.model_copy(update={"cached_views": 3})
    maps = stored("views", views_of(recipe.model_copy(update={"cached_views": 2})))
    with pytest.raises(
        FeatureStoreError, match=r"holds maps of 10 images, such as 'toy 0.view2', and 15 oth"
    ):
        train("maps", "alone", recipe, maps)


def test_a_damaged_map_ends_the_training_with_its_name(train, stored, recipe: TrainingConfig) -> None:
    recipe = recipe.model_copy(update={"cached_views": 1})
    maps = stored("views", views_of(recipe))
    for shard in maps["vit"].parent.rglob("vit.zarr/os*/c/*/0/0/0"):
        shard.write_bytes(shard.read_bytes()[:100] + b"\0" * 8 + shard.read_bytes()[108:])
    with pytest.raises(FeatureStoreError, match=r"vit.zarr: image toy \d.view0, OS=16"):
        train("maps", "alone", recipe, maps)
