"""Upsamplers of runs: what stages depend on, which weights they need, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.config.merge import deep_merge
from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.config.schema import Config
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.errors import ConfigError
from vfm_fusion.study import reported, upsampled_runs
from vfm_fusion.study.loaded import loaded_by_name
from vfm_fusion.study.owned import Owned
from vfm_fusion.study.resolve import experiments, resolve
from vfm_fusion.study.settings import Settings
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsampled_runs import upsampled_encoders, upsamplers_of

OVERLAYS = Path(__file__).parents[3] / "experiments"
TRAINED = {"source": "trained", "dataset": "miniscapes", "recipe": {"steps": 7}}
DEFINED = {
    "bilinear": {"architecture": "bilinear", "label": "Bilinear"},
    "lift": {"architecture": "lift", "weights": TRAINED},
    "anyup": {"architecture": "anyup", "weights": {"source": "file", "path": "none/{encoder}.safetensors"}},
}
DINO = {"master": "mini-dino", "upsampling": {"master": "lift"}}


def quick(upsamplers: dict[str, Any] = DEFINED, **runs: Any) -> Config:
    """The quick experiment with upsamplers and some more runs."""
    added = {"experiment": "quick", "upsamplers": upsamplers, "runs": runs}
    return resolve(deep_merge({}, added), OVERLAYS)


@pytest.mark.parametrize("name", experiments(OVERLAYS))
def test_experiments_without_upsamplers_are_written_as_if_there_were_none(name: str) -> None:
    config = resolve({"experiment": name}, OVERLAYS)
    if not config.upsamplers:
        assert "upsampl" not in json.dumps(config.model_dump(mode="json", exclude={"interactive"}))
        assert "upsampl" not in "".join(map(Settings(Study(config)).training, config.runs))
        assert loaded_by_name(Study(config))["vfm_fusion.upsampling.build"] == []


def test_what_uses_an_upsampler_depends_on_it_and_on_nothing_else_of_it() -> None:
    def stages(label: str, steps: int) -> dict[str, str]:
        weights = deep_merge(TRAINED, {"recipe": {"steps": steps}})
        lift = {"architecture": "lift", "label": label, "weights": weights}
        settings = Settings(Study(quick({**DEFINED, "lift": lift}, up=DINO)))
        return {
            "training": settings.training("up"),
            "prediction": settings.prediction("up", "miniscapes"),
            "finetuned": settings.finetuned("miniscapes", "up"),
            "cost": settings.cost(),
            "other run": settings.training("master"),
        }

    found, relabelled, longer = stages("a", 7), stages("b", 7), stages("a", 8)
    assert relabelled == found
    differ = {name for name in found if longer[name] != found[name]}
    assert differ == {"training", "prediction", "finetuned"}
    said = json.loads(found["training"])
    assert said["run"]["upsampling"] == {"master": "lift", "auxiliary": None}
    assert said["upsamplers"].keys() == {"lift"}
    assert said["upsamplers"]["lift"]["trained"] == ["mini-dino"]


def test_upsamplers_are_trained_for_encoders_that_lack_a_stride() -> None:
    config = quick(
        up=DINO,
        roles={"master": "master", "auxiliary": "auxiliary", "upsampling": {"auxiliary": "lift"}},
        plain={"master": "mini-dino", "upsampling": {"master": "bilinear"}},
    )
    study = Study(config)
    trained = "results/quick/upsamplers/lift/mini-dino/upsampler.safetensors"
    assert study.trained_upsamplers("up") == study.trained_upsamplers("roles") == [trained]
    assert upsampled_encoders(config, "roles") == {"lift": ["mini-dino"]}
    assert study.trained_upsamplers("plain") == study.trained_upsamplers("master") == []
    assert ("miniscapes", "train") in study.splits
    assert loaded_by_name(study)["vfm_fusion.upsampling.build"] == [
        UPSAMPLERS[name] for name in ("anyup", "bilinear", "lift")
    ]


def test_tables_tell_upsampled_runs_apart() -> None:
    study = Study(quick(up=DINO, plain={"master": "mini-dino"}))
    said = dict(reported.compared_fusions(study, study.main)["fusions"])
    assert said["up"] == f"{said['plain']}, master upsampled by lift"


def test_a_file_of_weights_is_asked_for_once_by_its_key(tmp_path: Path) -> None:
    run = {"master": "mini-dino", "upsampling": {"master": "anyup"}}
    config = quick(one=run, two=run | {"train_master": False})
    owned = Owned(Study(config))
    assert len([line for line in owned.absent if "upsamplers.anyup.weights.path" in line]) == 1
    assert owned.upsampler_files(upsamplers_of(config, "one")) == []
    there = tmp_path / "mini-dino.safetensors"
    there.write_bytes((OVERLAYS.parent / "resources/encoders/mini-dino.safetensors").read_bytes())
    anyup = {
        "architecture": "anyup",
        "weights": {"source": "file", "path": f"{tmp_path}/{{encoder}}.safetensors"},
    }
    config = quick({"anyup": anyup}, one=run)
    found = {run: Owned(Study(config)).upsampler_files(upsamplers_of(config, run)) for run in config.runs}
    assert {run: files for run, files in found.items() if files} == {"one": [there]}


AUXILIARY = {"master": "mini-swin", "auxiliary": "mini-dino", "upsampling": {"auxiliary": "bilinear"}}


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({**DINO, "upsampling": {"master": "lif"}}, "runs.up.upsampling.master: 'lif' is not defined; upsam"),
        ({**DINO, "upsampling": {"auxiliary": "lift"}}, "there is no auxiliary to upsample"),
        ({**DINO, "upsampling": {"master": "as-it-is"}}, "is of architecture none, which leaves maps as"),
        ({**DINO, "master": "mini-swin"}, "nothing to upsample: mini-swin has maps of its own at every stri"),
        ({**AUXILIARY, "fusion": {"stride": [16, 32]}}, r"at every stride that is read of it \(16, 32\)"),
        (
            {**DINO, "auxiliary": "mini-sam", "fusion": {"stride": [4, 8]}},
            r"runs.up.upsampling.master: there is nothing .* \(16, 32\)",
        ),
    ],
)
def test_a_run_that_could_upsample_nothing_is_refused(run: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        quick({**DEFINED, "as-it-is": {"architecture": "none"}}, up=run)


@pytest.mark.parametrize("stride", ["selected", 8, [8, 16]])
def test_a_run_that_may_upsample_something_is_not(stride: Any) -> None:
    assert "up" in quick(up={**AUXILIARY, "fusion": {"stride": stride}}).runs


def test_a_trained_upsampler_has_to_know_the_map_that_is_upsampled(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = replace(spec_of("mini_swin"), channels={8: 48, 16: 96, 32: 192})
    monkeypatch.setattr(upsampled_runs, "spec_of", lambda _: coarse)
    with pytest.raises(
        ConfigError, match=r"maps of stride 16, but runs.up upsamples those of stride 8, the fi"
    ):
        quick(up=DINO)
    learned = deep_merge(TRAINED, {"recipe": {"stride": 8}})
    assert "up" in quick({"lift": {"architecture": "lift", "weights": learned}}, up=DINO).runs


@pytest.mark.parametrize(
    ("upsamplers", "said"),
    [
        ({"lift": {"architecture": "lift", "weights": {**TRAINED, "dataset": "scenes"}}}, "'scenes' is not"),
        ({"a/b": {"architecture": "bilinear"}}, "it becomes a file name"),
        ({"lift": {"architecture": "lift"}}, "lift learns, so it needs weights"),
    ],
)
def test_a_bad_upsampler_is_refused_by_name(upsamplers: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        quick(upsamplers)
