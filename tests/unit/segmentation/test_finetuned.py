"""The encoder taken out of a finished run: the very one that training left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from segmentation_toys import ToyDataset

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.errors import WeightsError
from vfm_fusion.features.extract import Extraction
from vfm_fusion.features.profiled import image_tensor
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.segmentation.finetuned import finetuned_encoder


class Scenes(ToyDataset):
    """The toy scenes as a data set whose images can be read alone."""

    def size_of(self, index: int) -> tuple[int, int]:
        return self[index].image.shape[:2]

    def image(self, index: int) -> np.ndarray:
        return self[index].image


@pytest.mark.parametrize("master", ["vit", "hiera"])
def test_the_rebuilt_encoder_is_the_trained_one_bit_by_bit(trained, encoders, master: str) -> None:
    auxiliary = "hiera" if master == "vit" else "vit"
    folder, model = trained((8,), master=master, auxiliary=auxiliary)
    left = model.master.state_dict()
    encoder, source = finetuned_encoder(folder, encoders, "toys")
    rebuilt = encoder.state_dict()
    assert rebuilt.keys() == left.keys()
    assert all(torch.equal(rebuilt[name], left[name]) for name in left)
    original = build_encoder(encoders[master])
    moved = [name for name, value in original.state_dict().items() if not torch.equal(value, left[name])]
    assert moved
    assert not encoder.training
    original.load_state_dict(left)
    image = image_tensor(Scenes()[0].image)
    with torch.inference_mode():
        for stride, expected in original(image).items():
            assert torch.equal(encoder(image)[stride], expected)
    assert (source.encoder, source.architecture) == (master, encoders[master].architecture)
    assert source.pretraining == "untrained (seed 1), fine-tuned"
    assert source.weights == file_sha256(folder / "model.safetensors")


def test_its_features_are_stored_like_any_other(tmp_path: Path, trained, encoders) -> None:
    folder, _ = trained(master="hiera")
    encoder, source = finetuned_encoder(folder, encoders, "toys")
    scenes, manifest = Scenes(3), tmp_path / "run.seed0.zarr.manifest.json"
    Extraction(
        dataset=scenes,
        encoder=encoder,
        source=source,
        settings=FeaturesConfig(dtype="float32", batch_size=1),
        token="t",
        manifest_path=manifest,
        state_dir=tmp_path / "building",
    ).run()
    store = FeatureStore(manifest)
    assert store.manifest.weights == source.weights
    assert store.image_ids == scenes.ids
    with torch.inference_mode():
        expected = encoder(image_tensor(scenes.image(1)))
    for stride, array in store.read(1).items():
        assert np.array_equal(array, expected[stride][0].numpy())


def test_a_frozen_master_was_not_fine_tuned(trained, encoders) -> None:
    folder, _ = trained(master="hiera", train_master=False)
    with pytest.raises(WeightsError, match="kept 'hiera' frozen"):
        finetuned_encoder(folder, encoders, "toys")


def test_a_damaged_run_is_refused(trained, encoders) -> None:
    folder, _ = trained(master="hiera")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="train the run again"):
        finetuned_encoder(folder, encoders, "toys")
