"""What the tests of the feature cache share: images, an encoder, extractions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.features.extract import Extraction, extraction
from vfm_fusion.features.layout import StoreLayout
from vfm_fusion.features.manifest import store_path
from vfm_fusion.features.partial import PartialStore

ENCODER = EncoderConfig(architecture="mini_hiera", weights=SeededWeights(source="seeded", seed=1))
IMAGES, SHARD = 7, 3


class Photos:
    """Random images behind the methods of a data set that extraction uses."""

    def __init__(self, count: int = IMAGES, *sizes: tuple[int, int]) -> None:
        rng = np.random.default_rng(0)
        self.ids = tuple(f"image {i} ü" for i in range(count))
        self._sizes = [(sizes or ((64, 96),))[i % max(1, len(sizes))] for i in range(count)]
        self._images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in self._sizes]

    def __len__(self) -> int:
        return len(self.ids)

    def size_of(self, index: int) -> tuple[int, int]:
        return self._sizes[index]

    def image(self, index: int) -> np.ndarray:
        return self._images[index]


def job(
    folder: Path, photos: Photos | None = None, token: str = "t", weights_seed: int = 1, **settings: object
) -> Extraction:
    """An extraction of seven images in shards of three, batches of two."""
    weights = SeededWeights(source="seeded", seed=weights_seed)
    return extraction(
        dataset=photos or Photos(),
        dataset_name="photos",
        encoder_name="mini",
        encoder_config=ENCODER.model_copy(update={"weights": weights}),
        settings=FeaturesConfig(**{"batch_size": 2, "shard_images": SHARD, **settings}),
        token=token,
        manifest_path=folder / "mini.zarr.manifest.json",
        state_dir=folder / "state",
    )


def run(folder: Path, photos: Photos | None = None, token: str = "t", **settings: object) -> Path:
    """Runs an extraction and returns the manifest's path."""
    extracting = job(folder, photos, token, **settings)
    extracting.run()
    return extracting.manifest_path


def shard_of(manifest: Path, layout: StoreLayout, index: int, stride: int) -> Path:
    """The file that holds the map of an image."""
    return layout.shard_path(store_path(manifest), index // layout.shard_images, stride)


def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Positions of the images that are written from now on."""
    seen: list[int] = []
    write = PartialStore.write

    def spy(self: PartialStore, index: int, maps: dict[int, np.ndarray]) -> None:
        seen.append(index)
        write(self, index, maps)

    monkeypatch.setattr(PartialStore, "write", spy)
    return seen
