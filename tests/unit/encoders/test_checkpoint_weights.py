"""The encoder that a run has fine-tuned, as an encoder of another study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from encoder_zoo import seeded
from safetensors.torch import load_file, save_file

from vfm_fusion.config.encoders import CheckpointWeights, EncoderConfig
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Category
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.describe import describe_pretraining, training_of
from vfm_fusion.encoders.weight_files import weight_file
from vfm_fusion.errors import WeightsError
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.trained import describe_run, save_run

HEAD = HeadConfig(
    pyramid_channels=(8, 8, 8, 8),
    hidden_dim=32,
    heads=2,
    pixel_decoder_layers=1,
    pixel_decoder_feedforward_dim=16,
    decoder_layers=1,
    feedforward_dim=16,
    queries=3,
    points=32,
)
ENCODERS = {"own": seeded("mini_vit", 1), "cnn": seeded("r2d2_n16", 2)}


def from_run(folder: Path | str, architecture: str = "mini_vit") -> EncoderConfig:
    weights = CheckpointWeights(source="checkpoint", path=str(folder), pretraining="toys")
    return EncoderConfig(architecture=architecture, weights=weights)


def write_run(folder: Path, **settings: object) -> dict[str, torch.Tensor]:
    """Writes a run whose parameters were all moved a bit; returns the state of its master."""
    run = RunConfig(**settings)
    model = build_segmenter(run, ENCODERS, (), HEAD, 2, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01
    description = describe_run(
        name="toy",
        run=run,
        encoders=ENCODERS,
        strides=(),
        training=TrainingConfig(head=HEAD),
        seed=0,
        categories=(Category(0, "road", False, (0, 0, 0)), Category(1, "car", True, (255, 0, 0))),
        model=model,
    )
    save_run(folder, model, description)
    return model.master.state_dict()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("run")
    return folder, write_run(folder, master="own")


@pytest.fixture
def own_copy(run: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(run[0], tmp_path / "copy"))


def test_the_encoder_is_the_one_that_training_left(run: tuple[Path, dict[str, torch.Tensor]]) -> None:
    folder, left = run
    found = build_encoder(from_run(folder)).state_dict()
    before = build_encoder(ENCODERS["own"]).state_dict()
    assert found.keys() == left.keys()
    assert all(torch.equal(found[key], left[key]) for key in left)
    assert not torch.equal(found["model.pos_embed"], before["model.pos_embed"])


def test_it_is_named_and_identified_as_what_it_is(run: tuple[Path, dict[str, torch.Tensor]]) -> None:
    config = from_run(run[0])
    assert weight_file("x", config) == run[0] / "model.safetensors"
    assert len(weights_digest(config)) == 64
    assert describe_pretraining(config) == "toys"
    assert training_of(config).supervision == "supervised"


def test_folders_that_are_no_such_run_are_refused(own_copy: Path) -> None:
    key = r"encoders\.x\.weights\.path: "
    with pytest.raises(WeightsError, match=key + r"the run in .* trained mini_vit, not mini_hiera"):
        weight_file("x", from_run(own_copy, "mini_hiera"))
    description = json.loads((own_copy / "run.json").read_text())
    description["settings"]["train_master"] = False
    (own_copy / "run.json").write_text(json.dumps(description))
    with pytest.raises(WeightsError, match=key + r"the run in .* kept 'own' frozen"):
        weight_file("x", from_run(own_copy))
    (own_copy / "run.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"run\.json: not the description of a run"):
        weight_file("x", from_run(own_copy))
    (own_copy / "run.json").unlink()
    with pytest.raises(WeightsError, match=key + r"no run\.json in"):
        weight_file("x", from_run(own_copy))


def test_a_truncated_or_incomplete_model_is_refused(own_copy: Path) -> None:
    path = own_copy / "model.safetensors"
    tensors = load_file(path)
    save_file({key: value for key, value in tensors.items() if "pos_embed" not in key}, path)
    with pytest.raises(WeightsError, match=r"missing model\.pos_embed"):
        build_encoder(from_run(own_copy))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="not a readable weight file"):
        weight_file("x", from_run(own_copy))


def test_batch_norm_statistics_are_not_made_up(tmp_path: Path) -> None:
    """A run keeps parameters only; the statistics of a frozen batch norm would be the initial ones."""
    write_run(tmp_path, master="cnn")
    with pytest.raises(WeightsError, match=r"missing .*running_mean"):
        build_encoder(from_run(tmp_path, "r2d2_n16"))
