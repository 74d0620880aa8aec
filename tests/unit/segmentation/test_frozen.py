"""Frozen means frozen: through the real training loop, to the bit, for every operator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.runs import FusionConfig
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.trained import load_run
from vfm_fusion.training.checkpoints import load_checkpoint, stored_checkpoints


@pytest.fixture
def encoders(encoders: dict[str, EncoderConfig]) -> dict[str, EncoderConfig]:
    """A transformer and a CNN whose batch norms would follow every batch if they were let."""
    cnn = {"architecture": "mobilenetv2_100", "weights": {"source": "seeded", "seed": 1}}
    return {"hiera": encoders["hiera"], "cnn": EncoderConfig.model_validate(cnn)}


def moved(encoder: Encoder, config: EncoderConfig) -> set[str]:
    """Names of what training changed in an encoder, buffers included."""
    state, before = encoder.state_dict(), build_encoder(config).state_dict()
    assert state.keys() == before.keys()
    return {name for name in state if not torch.equal(state[name], before[name])}


@pytest.mark.parametrize("operator", ["replace", "concat", "gated"])
@pytest.mark.parametrize(("master", "auxiliary"), [("hiera", "cnn"), ("cnn", "hiera")])
def test_frozen_encoders_keep_every_bit_in_training(
    trained, encoders: dict[str, EncoderConfig], tmp_path: Path, operator: str, master: str, auxiliary: str
) -> None:
    fusion = FusionConfig(operator=operator, align="project")
    folder, model = trained((8, 16), fusion=fusion, master=master, train_master=False, auxiliary=auxiliary)
    assert moved(model.master, encoders[master]) == set()
    assert moved(model.auxiliary, encoders[auxiliary]) == set()
    assert statistics(model)
    assert not any(p.requires_grad for p in (*model.master.parameters(), *model.auxiliary.parameters()))
    for names in (set(load_file(folder / "model.safetensors")), *stored_names(tmp_path / "state")):
        assert {name.split(".")[0] for name in names} == {"fusion", "head"}


@pytest.mark.parametrize("tuned", ["hiera", "cnn"])
def test_what_is_trained_moves_and_the_other_does_not(
    trained, encoders: dict[str, EncoderConfig], tuned: str
) -> None:
    frozen = "cnn" if tuned == "hiera" else "hiera"
    folder, model = trained((8, 16), fusion=FusionConfig(operator="concat"), master=tuned, auxiliary=frozen)
    assert moved(model.auxiliary, encoders[frozen]) == set()
    assert moved(model.master, encoders[tuned]) == {name for name, _ in model.master.named_parameters()}
    names = set(load_file(folder / "model.safetensors"))
    assert {name.split(".")[0] for name in names} == {"master", "fusion", "head"}


def test_an_auxiliary_is_trained_if_that_is_asked_for(trained, encoders: dict[str, EncoderConfig]) -> None:
    folder, model = trained(
        (8, 16),
        fusion=FusionConfig(operator="concat"),
        master="hiera",
        train_master=False,
        auxiliary="cnn",
        train_auxiliary=True,
    )
    assert moved(model.master, encoders["hiera"]) == set()
    changed = moved(model.auxiliary, encoders["cnn"])
    assert changed
    assert changed <= {name for name, _ in model.auxiliary.named_parameters()}  # no running statistics
    rebuilt, description = load_run(folder, encoders)
    assert description["settings"]["train_auxiliary"]
    assert description["parameters"] == model.count_parameters()
    expected = model.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in rebuilt.state_dict().items())


def test_the_strides_of_a_run_are_on_record(trained) -> None:
    folder, _ = trained((8, 16), master="hiera", auxiliary="cnn")
    assert json.loads((folder / "run.json").read_text())["strides"] == [8, 16]


def statistics(model: FusedSegmenter) -> list[Tensor]:
    """Running means of all batch norms in the encoders."""
    encoders = nn.ModuleList([model.master, model.auxiliary])
    return [module.running_mean for module in encoders.modules() if isinstance(module, nn.BatchNorm2d)]


def stored_names(folder: Path) -> list[set[str]]:
    """Names of the weights in every checkpoint."""
    loaded = [load_checkpoint(found) for found in stored_checkpoints(folder)]
    assert loaded
    return [{name.removeprefix("model.") for name in checkpoint["learner"]["task"]} for checkpoint in loaded]
