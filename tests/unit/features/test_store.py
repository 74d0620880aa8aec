"""The feature store: what it holds, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import torch
from stores import ENCODER, Photos, run

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.datasets.base import subset
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features import extract as extract_module
from vfm_fusion.features import partial
from vfm_fusion.features.layout import StoreLayout
from vfm_fusion.features.manifest import Manifest, store_path
from vfm_fusion.features.profiled import image_tensor
from vfm_fusion.features.store import FeatureStore


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was extracted without interruption; tests must not change it."""
    return run(tmp_path_factory.mktemp("whole"))


def test_the_store_holds_the_encoders_maps(whole: Path) -> None:
    store, encoder, photos = FeatureStore(whole), build_encoder(ENCODER), Photos()
    assert store.manifest.pretraining == "untrained (seed 1)"
    assert store.image_ids == photos.ids
    for index in range(len(photos)):
        with torch.inference_mode():
            expected = encoder(image_tensor(photos.image(index)))
        for stride, array in store.read(index).items():
            assert array.dtype == np.float32
            np.testing.assert_allclose(array, expected[stride][0].numpy(), rtol=2e-3, atol=1e-3)


def test_a_lost_array_or_store_is_refused(tmp_path: Path) -> None:
    manifest = run(tmp_path)
    (store_path(manifest) / "os8" / "zarr.json").unlink()
    with pytest.raises(FeatureStoreError, match="OS=8"):
        FeatureStore(manifest)
    store_path(manifest).rename(tmp_path / "elsewhere")
    with pytest.raises(FeatureStoreError, match="no such store"):
        FeatureStore(manifest)
    manifest.unlink()
    with pytest.raises(FeatureStoreError, match="no such manifest"):
        FeatureStore(manifest)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 3}', '{"format": 2}', '{"format": 1}'])
def test_a_foreign_manifest_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.zarr.manifest.json"
    path.write_text(text)
    with pytest.raises(FeatureStoreError, match="manifest"):
        FeatureStore(path)


def test_a_second_extraction_is_identical(tmp_path: Path, whole: Path) -> None:
    assert json.loads(run(tmp_path).read_text()) == json.loads(whole.read_text())


def test_an_image_that_is_not_what_was_indexed_is_refused(tmp_path: Path) -> None:
    photos = Photos(3)
    photos._images[1] = photos._images[1][:32]
    with pytest.raises(FeatureStoreError, match=r"image 1 ü is \(32, 96\).*was \(64, 96\).*index"):
        run(tmp_path, photos)


def test_a_size_that_does_not_divide_is_resized_and_recorded(tmp_path: Path) -> None:
    manifest = run(tmp_path, Photos(2, (70, 90)))
    assert Manifest.read(manifest).image_size == (70, 90)
    assert Manifest.read(manifest).input_size == (64, 96)
    with torch.inference_mode():
        expected = build_encoder(ENCODER)(resize_to(image_tensor(Photos(2, (70, 90)).image(0)), (64, 96)))
    np.testing.assert_allclose(
        FeatureStore(manifest).read(0)[4], expected[4][0].numpy(), rtol=2e-3, atol=1e-3
    )


def test_features_that_overflow_the_dtype_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loud(config: EncoderConfig) -> torch.nn.Module:
        encoder = build_encoder(config)
        encoder.register_forward_hook(lambda module, args, maps: {s: 1e6 * m for s, m in maps.items()})
        return encoder

    monkeypatch.setattr(extract_module, "build_encoder", loud)
    with pytest.raises(FeatureStoreError, match=r"image 0 ü, OS=4.*float16.*features\.dtype"):
        run(tmp_path)
    assert run(tmp_path, dtype="float32", token="u").exists()


def test_a_disk_that_loses_what_is_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = partial.write_map

    def lose(descriptor: int, layout: StoreLayout, index: int, stride: int, stored: np.ndarray) -> int:
        kept = np.zeros_like(stored) if (index, stride) == (3, 8) else stored
        write(descriptor, layout, index, stride, kept)
        return google_crc32c.value(stored.tobytes())

    monkeypatch.setattr(partial, "write_map", lose)
    with pytest.raises(FeatureStoreError, match=r"1 images read back otherwise"):
        run(tmp_path)
    assert not (tmp_path / "mini.zarr.manifest.json").exists()
    assert not (tmp_path / "mini.zarr").exists()


def test_subset_is_evenly_spaced() -> None:
    assert subset(10, 4) == [0, 2, 5, 7]
    assert subset(3, None) == subset(3, 9) == [0, 1, 2]


@pytest.mark.parametrize(
    ("dtype", "stored", "relative"),
    [("float32", "float32", 0), ("float16", "float16", 2**-11), ("bfloat16", "uint16", 2**-8)],
)
def test_every_element_type_is_read_back_as_it_was_rounded(
    tmp_path: Path, dtype: str, stored: str, relative: float
) -> None:
    manifest = run(tmp_path, Photos(2), dtype=dtype)
    store = FeatureStore(manifest)
    assert json.loads(manifest.read_text())["stored_as"] == stored
    assert {array.dtype for array in store.read_stored(0).values()} == {np.dtype(stored)}
    with torch.inference_mode():
        native = build_encoder(ENCODER)(torch.cat([image_tensor(Photos(2).image(index)) for index in (0, 1)]))
    for index in (0, 1):
        for stride, array in store.read(index).items():
            exact = native[stride][index]
            assert torch.equal(torch.from_numpy(array), exact.to(getattr(torch, dtype)).float())
            assert (np.abs(array - exact.numpy()) <= relative * np.abs(exact.numpy()) + 1e-7).all()


def test_autocast_gives_the_features_of_bfloat16_arithmetic(tmp_path: Path, whole: Path) -> None:
    manifest = run(tmp_path, precision="bfloat16")
    ours, exact = FeatureStore(manifest).read(0), FeatureStore(whole).read(0)
    assert Manifest.read(manifest).precision == "bfloat16"
    for stride, features in exact.items():
        error = np.linalg.norm(ours[stride] - features) / np.linalg.norm(features)
        assert 0 < error < 0.03, stride


def test_random_images_are_drawn_by_a_seed(tmp_path: Path) -> None:
    def drawn(seed: int) -> tuple[str, ...]:
        folder = tmp_path / str(seed)
        manifest = run(folder, Photos(20), max_images=5, sampling="random", seed=seed, image_size=(32, 32))
        return FeatureStore(manifest).image_ids

    first = drawn(0)
    assert len(set(first)) == 5
    assert list(first) == sorted(first, key=Photos(20).ids.index)
    assert first == drawn(0) != drawn(1)


def test_an_encoder_that_breaks_its_promise_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(config: EncoderConfig) -> torch.nn.Module:
        encoder = build_encoder(config)
        encoder.register_forward_hook(lambda module, args, maps: {s: m[..., 1:] for s, m in maps.items()})
        return encoder

    monkeypatch.setattr(extract_module, "build_encoder", short)
    promise = r"image 0 ü, OS=4: the encoder gave a map \(24, 16, 23\), .* \(24, 16, 24\)"
    with pytest.raises(FeatureStoreError, match=promise):
        run(tmp_path)

    def few(config: EncoderConfig) -> torch.nn.Module:
        encoder = build_encoder(config)
        encoder.register_forward_hook(lambda module, args, maps: {4: maps[4]})
        return encoder

    monkeypatch.setattr(extract_module, "build_encoder", few)
    with pytest.raises(FeatureStoreError, match=r"gave maps at OS \[4\].* \[4, 8, 16, 32\]"):
        run(tmp_path)
