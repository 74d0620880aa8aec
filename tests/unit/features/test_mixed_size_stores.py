"""Images of mixed sizes, by every form of ``features.image_size``: maps, batches, scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from stores import ENCODER, Photos, job, run

from vfm_fusion.config.image_size import read_image_size
from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.datasets.base import Sample
from vfm_fusion.datasets.fitting import fit_image
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.features.encode import Images
from vfm_fusion.features.export import export_store
from vfm_fusion.features.manifest import Manifest
from vfm_fusion.features.profiled import image_tensor, profiled_image
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.profiles import control_scores
from vfm_fusion.profiles.encoder_profile import profile_store
from vfm_fusion.profiles.supervised_scores import supervised_store

SIZES = (96, 160), (160, 96), (80, 100)
CONFIG = ProfileConfig(
    strides=(4, 8),
    definitions={name: MetricConfig.of(name, grid=3, null_draws=1) for name in ("paper", "calibrated")},
)
MODES: dict[str, tuple[Any, list[tuple[int, int]]]] = {
    "own": (None, [(96, 160), (160, 96), (96, 96)]),  # 80 x 100 is fitted to multiples of 32
    "squash": ([96, 128], [(96, 128)] * 3),
    "short_side": ({"short_side": 96}, [(96, 160), (160, 96), (96, 128)]),
    "bounded": ({"short_side": 96, "max_side": 128}, [(64, 128), (128, 64), (96, 128)]),
    "long_side": ({"long_side": 128}, [(64, 128), (128, 64), (96, 128)]),
    "pad": ({"pad": [128, 128]}, [(64, 128), (128, 64), (96, 128)]),
    "crop": ({"crop": [96, 96]}, [(96, 96)] * 3),
}
"""Each setting, and the (height, width) of what is encoded of each image; its maps follow from it."""


class Scenes(Photos):
    """Images with blocks of colour on noise, and labels that are the blocks."""

    def __init__(self, count: int = 3) -> None:
        super().__init__(count, *SIZES)
        self.labels = []
        for image, (height, width) in zip(self._images, self._sizes, strict=True):
            rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
            blocks = (rows[:, None] * 4 + columns) * 7 % 16
            image[:] = image // 8 + (blocks * 13)[..., None].astype(np.uint8)
            self.labels.append(blocks.astype(np.uint8))

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.ids[index], self.image(index), self.labels[index], None)


@pytest.fixture(scope="module", params=list(MODES))
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def manifest(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp(mode), Scenes(), image_size=MODES[mode][0])


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return build_encoder(ENCODER)


def test_the_maps_are_the_encoders_own_of_what_is_profiled(mode: str, manifest: Path, encoder) -> None:
    plain, sizes = MODES[mode]
    scenes, store = Scenes(), FeatureStore(manifest)
    store.verify()
    for index, (height, width) in enumerate(sizes):
        pixels = resize_to(profiled_image(scenes.image(index), read_image_size(plain)), (height, width))
        if mode == "pad":
            mean = torch.tensor(encoder.spec.mean)[:, None, None]
            canvas = mean.expand(3, 128, 128).clone()[None]
            canvas[..., :height, :width] = pixels
            pixels = canvas
        with torch.inference_mode():
            expected = encoder(pixels)
        for stride, features in store.read(index).items():
            assert features.shape[1:] == (height // stride, width // stride)
            own = expected[stride][0, :, : height // stride, : width // stride]
            np.testing.assert_allclose(features, own.numpy(), rtol=2e-3, atol=2e-3)


def test_every_score_is_defined_and_finite(mode: str, manifest: Path) -> None:
    scenes = Scenes()
    scores = profile_store(FeatureStore(manifest), scenes, CONFIG)
    shown = scores[scores["score"].isin(["sc", "ef", "sc_null", "ef_null"])]
    assert len(shown) == 3 * 2 * 2 * 4
    assert np.isfinite(shown["value"]).all(), shown[shown["value"].isna()]
    supervised = supervised_store(FeatureStore(manifest), scenes, CONFIG, "calibrated")
    assert np.isfinite(supervised.loc[supervised["labels"] == "semantic", "value"]).all()


def test_controls_are_made_at_the_size_that_is_profiled(mode: str, monkeypatch) -> None:
    made: list[tuple[int, ...]] = []

    def spy(image: torch.Tensor, config: ProfileConfig, seed: int) -> pd.DataFrame:
        made.append(tuple(image.shape[-2:]))
        return pd.DataFrame({"value": [0.0]})

    monkeypatch.setattr(control_scores, "score_image_controls", spy)
    setting = read_image_size(MODES[mode][0])
    control_scores.score_controls(Scenes(), CONFIG, None, setting)
    assert made == [fit_image(*size, setting).size for size in SIZES]


def test_the_manifest_says_how_images_were_brought_to_which_size(mode: str, manifest: Path) -> None:
    plain, sizes = MODES[mode]
    written, read = json.loads(manifest.read_text()), Manifest.read(manifest)
    assert read.fit == read_image_size(plain)
    assert (written["image_size"] is None) == (mode not in ("squash", "crop"))
    assert read.shapes[4][1:] == tuple(max(sides) // 4 for sides in zip(*sizes, strict=True))


def test_what_lies_beside_a_map_is_not_a_number_for_other_readers(
    mode: str, manifest: Path, tmp_path
) -> None:
    store = FeatureStore(manifest)
    export_store(store, tmp_path / "maps.h5")
    array = zarr.open_array(store.path / "os4", mode="r")
    with h5py.File(tmp_path / "maps.h5") as file:
        for index, (height, width) in enumerate(MODES[mode][1]):
            for slot in (array[index], file["os4"][index]):
                np.testing.assert_array_equal(slot[:, : height // 4, : width // 4], store.read(index)[4])
                assert np.isfinite(slot).sum() == slot[:, : height // 4, : width // 4].size
        if store.layout.sizes is not None:
            assert file["image_size"][:].tolist() == [list(size) for size in MODES[mode][1]]


def test_padding_never_reaches_a_score(tmp_path: Path) -> None:
    """An image that fills the box is scored as if there were none; its neighbours change nothing."""
    scenes = Scenes(1)
    tables = [
        profile_store(FeatureStore(run(tmp_path / name, scenes, image_size=size)), scenes, CONFIG)
        for name, size in (("pad", {"pad": [96, 160]}), ("none", None))
    ]
    assert tables[0].equals(tables[1])


def test_only_what_is_kept_of_labels_and_image_counts(tmp_path: Path) -> None:
    scenes, changed = Scenes(1), Scenes(1)
    changed._images[0][:, :32], changed._images[0][:, 128:] = 0, 255
    changed.labels[0][:, :32], changed.labels[0][:, 128:] = 1, 2
    tables = []
    for name, photos in (("a", scenes), ("b", changed)):
        store = FeatureStore(run(tmp_path / name, photos, image_size={"crop": [96, 96]}))
        tables.append(
            (profile_store(store, photos, CONFIG), supervised_store(store, photos, CONFIG, "paper"))
        )
    assert tables[0][0].equals(tables[1][0])
    assert tables[0][1].equals(tables[1][1])


def test_a_batch_holds_images_of_one_size_and_is_the_same_for_any_part(tmp_path: Path) -> None:
    photos = Photos(9, *SIZES)
    extracting = job(tmp_path, photos, image_size={"short_side": 96}, shard_images=6, batch_size=2)
    images: Images = extracting.images
    every = images.batches(list(range(9)), extracting.layout, 2)
    assert every == [(0, 3), (1, 4), (2, 5), (6,), (7,), (8,)]
    assert images.batches([4, 8], extracting.layout, 2) == [(1, 4), (8,)]
    whole = FeatureStore(run(tmp_path / "whole", photos, image_size={"short_side": 96}))
    for part in (1, 2):
        job(tmp_path / "parts", photos, image_size={"short_side": 96}).run_part(part, 2)
    parts = FeatureStore(run(tmp_path / "parts", photos, image_size={"short_side": 96}))
    assert whole.manifest == parts.manifest


def test_a_profiled_image_at_its_own_size_is_the_image(encoder: Encoder) -> None:
    image = Scenes().image(0)
    assert torch.equal(profiled_image(image, None), image_tensor(image))
    crop = profiled_image(image, read_image_size({"crop": [96, 96]}))
    assert torch.equal(crop, image_tensor(image[:, 32:128]))
