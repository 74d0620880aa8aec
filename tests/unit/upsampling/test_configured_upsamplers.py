"""Upsamplers as experiments describe them: with weights from a file, trained by the workflow, or without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.config.upsampling import LEARNED, UpsamplerConfig
from vfm_fusion.errors import ConfigError, WeightsError
from vfm_fusion.upsampling.build import build_upsampler, facts_of
from vfm_fusion.upsampling.configured import configured_upsampler

TRAINED = {"source": "trained", "dataset": "photos", "recipe": {"steps": 3}}


def described(architecture: str, **keys: Any) -> UpsamplerConfig:
    return UpsamplerConfig(architecture=architecture, **keys)


def saved(path: Path, name: str = "lift", **settings: bool) -> Path:
    torch.manual_seed(0)
    save_file(build_upsampler(name, 8, **settings).state_dict(), path)
    return path


def test_what_learns_is_known_before_anything_is_built() -> None:
    assert [*LEARNED] == [name for name in UPSAMPLERS if facts_of(name).learned]


@pytest.mark.parametrize("name", ["bilinear", "jbu_classic"])
def test_what_does_not_learn_needs_no_weights(name: str) -> None:
    assert not configured_upsampler("mine", described(name), "dino", 8, None).training
    with pytest.raises(ValidationError, match=f"{name} does not learn; leave out its weights"):
        described(name, weights=TRAINED)


def test_a_file_of_each_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "lift.dino.safetensors")
    monkeypatch.setenv("UPSAMPLERS", str(tmp_path))
    keys = {"source": "file", "path": "$UPSAMPLERS/lift.{encoder}.safetensors", "sha256": file_sha256(path)}
    upsampler = configured_upsampler("mine", described("lift", weights=keys), "dino", 8, tmp_path / "unread")
    assert not upsampler.training
    assert not any(parameter.requires_grad for parameter in upsampler.parameters())
    with pytest.raises(
        WeightsError, match=r"upsamplers\.mine\.weights\.path: no weight file at .*lift\.sam\.safetensors"
    ):
        configured_upsampler("mine", described("lift", weights=keys), "sam", 8, None)
    keys["sha256"] = "0" * 64
    with pytest.raises(WeightsError, match=r"SHA-256 is [0-9a-f]{64}, .*weights\.sha256 expects 000"):
        configured_upsampler("mine", described("lift", weights=keys), "dino", 8, None)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="its header announces"):
        configured_upsampler("mine", described("lift", weights=keys), "dino", 8, None)


def test_one_that_is_trained_here_has_the_settings_that_it_is_trained_with(tmp_path: Path) -> None:
    config = described("jbu", weights=TRAINED)
    path = saved(tmp_path / "jbu.safetensors", "jbu", input_norm=True)
    assert config.class_settings == {"input_norm": True}
    assert not configured_upsampler("mine", config, "dino", 8, path).training
    with pytest.raises(ValidationError, match=r"settings\.input_norm is False, but a jbu that is trained"):
        described("jbu", weights=TRAINED, settings={"input_norm": False})


def test_channels_that_an_upsampler_cannot_share_are_refused_by_its_key_and_the_encoder() -> None:
    with pytest.raises(ConfigError, match=r"upsamplers\.mine, for encoder 'dino': NAF shares the channels"):
        configured_upsampler("mine", described("naf", weights=TRAINED), "dino", 30, Path("unread"))


def test_a_learned_one_without_weights_is_refused() -> None:
    with pytest.raises(ValidationError, match="lift learns, so it needs weights"):
        described("lift")
    with pytest.raises(ConfigError, match=r"upsamplers\.mine: lift has no weights for 'dino'"):
        configured_upsampler("mine", described("lift", weights=TRAINED), "dino", 8, None)
    with pytest.raises(
        ConfigError, match=r"upsamplers\.mine, for encoder 'dino': .*unexpected keyword argument 'stages'"
    ):
        configured_upsampler(
            "mine", described("jafar", weights=TRAINED, settings={"stages": 2}), "dino", 8, Path("x")
        )
