"""Upsamplers that the workflow trains: what their training depends on, and what is refused before it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from vfm_fusion.config.merge import deep_merge
from vfm_fusion.config.schema import Config
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.interactive_settings import ClickSettings
from vfm_fusion.study.loaded import loaded_by_name
from vfm_fusion.study.owned import Owned
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsampled_runs import trained_weights
from vfm_fusion.study.upsamplers import UpsamplerSettings, shipped_pairs
from vfm_fusion.upsampling.build import build_upsampler

OVERLAYS = Path(__file__).parents[3] / "experiments"
UPSAMPLERS = {
    "low-res": {"architecture": "none"},
    "lift-a": {
        "architecture": "lift",
        "weights": {"source": "trained", "dataset": "miniscapes", "recipe": {"steps": 3, "side": 128}},
    },
}
CLICKS = {
    "trained_on": "miniscapes",
    "tested_on": ["miniscapes"],
    "click_models": {"late": {"inject": "late_hr"}},
    "grid": [{"encoders": ["mini-sam"], "upsamplers": ["low-res", "lift-a"], "clicks": ["late"]}],
}

TWICE = [{**CLICKS["grid"][0], "upsamplers": ["low-res", "again"]}]


def experiment(**changes: Any) -> Config:
    base = {"experiment": "quick", "runs": None, "upsamplers": UPSAMPLERS}
    return resolve(deep_merge(base, changes), OVERLAYS)


def training(**changes: Any) -> str:
    return UpsamplerSettings(Study(experiment(**changes))).training("lift-a", "mini-dino")


def test_training_depends_on_what_it_learns_from_and_on_no_label() -> None:
    before = training()
    weights = {"shipped_for": ["mini-dino"], "recipe": {"workers": 3}}
    assert training(upsamplers={"lift-a": {"label": "LiFT", "weights": weights}}) == before
    assert training(encoders={"mini-dino": {"label": "DINO"}, "mini-sam": None}) == before
    for changes in (
        {"upsamplers": {"lift-a": {"weights": {"recipe": {"seed": 1}}}}},
        {"encoders": {"mini-dino": {"weights": {"source": "seeded"}}}},
        {"datasets": {"miniscapes": {"train": 9}}},
    ):
        assert training(**changes) != before
    assert json.loads(before)["names"] == {
        "upsampler": "lift-a",
        "encoder": "mini-dino",
        "dataset": "miniscapes",
    }


def test_only_those_with_trained_weights_are_trained_and_their_images_indexed() -> None:
    config = experiment(datasets={"photos": {"kind": "miniscapes", "train": 8, "val": 4}})
    assert [*trained_weights(config)] == ["lift-a"]
    assert shipped_pairs(config) == []
    learning = {"lift-a": {"weights": {"dataset": "photos", "shipped_for": ["mini-sam", "mini-sam"]}}}
    config = experiment(
        datasets={"photos": {"kind": "miniscapes", "train": 8, "val": 4}}, upsamplers=learning
    )
    assert shipped_pairs(config) == [("lift-a", "mini-sam")]
    assert ("photos", "train") in Study(config).splits
    assert UpsamplerSettings(Study(config)).index("lift-a").endswith("photos/train.parquet")


def test_upsamplers_count_as_code_where_they_are_used() -> None:
    loaded = loaded_by_name(Study(experiment()))["vfm_fusion.upsampling.build"]
    assert loaded == ["vfm_fusion.upsampling.lift:LiFT", "vfm_fusion.upsampling.interpolation:NoUpsampling"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"upsamplers": {"lift-a": {"weights": {"shipped_for": ["mini-dinos"]}}}},
            r"lift-a\.weights\.shipped_for: 'mini-dinos' is not defined; encoders has: mini-dino",
        ),
        (
            {
                "datasets": {"camvid": {"kind": "camvid", "root": "/data"}},
                "upsamplers": {"lift-a": {"weights": {"dataset": "camvid", "shipped_for": ["mini-dino"]}}},
            },
            r"shipped_for: it learns from camvid, which belongs to others",
        ),
        (
            {"upsamplers": {"lift-a": {"weights": {"recipe": {"side": 192}}}}, "interactive": CLICKS},
            r"lift-a\.weights\.recipe\.side: lift .* with mini_hiera it is a multiple of 128",
        ),
        (
            {"interactive": {**CLICKS, "click_models": {"late": {"inject": "late_hr", "stride": 8}}}},
            r"recipe\.stride: it learns from maps of stride 16, but click model 'late' reads stride 8",
        ),
        (
            {"upsamplers": {"lift-a": {"architecture": "bilinear"}}},
            r"upsamplers\.lift-a: bilinear does not learn; leave out its weights",
        ),
        (
            {"upsamplers": {"low-res": {"architecture": "bilinear"}}, "interactive": CLICKS},
            r"upsamplers\.low-res: that is what files of upsampled maps call the encoder's own map",
        ),
        (
            {
                "upsamplers": {"image": {"architecture": "bilinear"}},
                "interactive": {**CLICKS, "grid": [{**CLICKS["grid"][0], "upsamplers": ["image"]}]},
            },
            r"upsamplers\.image: that is what files of upsampled maps call the image; call the upsampler",
        ),
        (
            {"upsamplers": {"lift-a": {"weights": {"recipe": {"crop": [0.5, 1.5]}}}}},
            r"recipe: crop: \[0\.5, 1\.5\] are shares of the image's shorter side, 1 at most",
        ),
        (
            {"upsamplers": {"again": {"architecture": "none"}}, "interactive": {**CLICKS, "grid": TWICE}},
            r"upsamplers\.again: is called 'low-res' in print, as low-res is; .* give it a label",
        ),
        (
            {"interactive": {**CLICKS, "tested_on": ["miniscapes"] * 2}},
            r"interactive: tested_on: 'miniscapes' occurs 2 times; name each once",
        ),
        (
            {"interactive": {**CLICKS, "robustness": {}, "protocol": {"max_clicks": 1}}},
            r"interactive: robustness: it scores curves .* but protocol\.max_clicks is 1",
        ),
        (
            {
                "datasets": {"mine": {"kind": "folder", "root": "/data", "images": "photos"}},
                "interactive": {**CLICKS, "tested_on": ["mine"]},
            },
            r"objects are clicked, but datasets\.mine tells none apart; set its objects\.path",
        ),
        (
            {"interactive": {**CLICKS, "click_models": {"late": {}, "a/b": {}}}},
            r"name 'a/b': use letters, digits",
        ),
        (
            {"interactive": {**CLICKS, "click_models": {"late": {"inject": "early"}}}},
            r"interactive\.click_models\.late\.inject: early, but mini_hiera has no tokens",
        ),
        (
            {"interactive": {**CLICKS, "click_models": {"late": {"inject": "none", "tap": "keys"}}}},
            r"interactive\.click_models\.late\.tap: keys, but mini_hiera does not show its attention",
        ),
        (
            {"interactive": {**CLICKS, "protocol": {"zoom": {"side": 48}}}},
            r"interactive\.protocol\.zoom\.side: mini_hiera takes multiples of 32 as sides, found 48",
        ),
        (
            {"interactive": {**CLICKS, "training": {"crops": {"side": 48}}}},
            r"interactive\.training\.crops\.side: mini_hiera takes multiples of 32 as sides, found 48",
        ),
        (
            {"interactive": {**CLICKS, "training": {"crops": {"scale": [2, 1]}}}},
            r"interactive\.training\.crops\.scale: .* must be positive, finite and in order",
        ),
    ],
)
def test_what_could_not_be_trained_is_refused_before_anything_runs(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        experiment(**changes)


def test_what_clicks_use_and_can_be_trained_is_planned() -> None:
    assert experiment(interactive=CLICKS).interactive is not None


def test_weight_files_of_used_upsamplers_are_looked_for_before_anything_runs(tmp_path: Path) -> None:
    weights = {"source": "file", "path": str(tmp_path / "lift.{encoder}.safetensors")}
    save_file(build_upsampler("lift", 8).state_dict(), tmp_path / "lift.mini-sam.safetensors")
    unused = {**UPSAMPLERS["lift-a"], "weights": {"source": "file", "path": "nowhere"}}
    upsamplers = {"lift-a": {"weights": weights}, "unused": unused}
    owned = Owned(Study(experiment(interactive=CLICKS, upsamplers=upsamplers)))
    assert owned.upsamplers == {("lift-a", "mini-sam"): tmp_path / "lift.mini-sam.safetensors"}
    assert owned.absent == []
    grid = [{"encoders": ["mini-dino"], "upsamplers": ["lift-a"], "clicks": ["late"]}]
    owned = Owned(Study(experiment(interactive={**CLICKS, "grid": grid}, upsamplers=upsamplers)))
    assert len(owned.absent) == 1
    assert "upsamplers.lift-a.weights.path: no weight file at" in owned.absent[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("image_id,score\na,0.5\n", None),
        ("image_id,score\na,5\n", r"scores\.csv, line 2: a score must be an IoU in \[0, 1\], found '5'"),
        (None, r"interactive\.training\.scores: no table at .*scores\.csv; correct the path, make the table"),
    ],
)
def test_a_table_of_scores_is_looked_for_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, said: str | None
) -> None:
    monkeypatch.setenv("SCORES", str(tmp_path))
    if content:
        (tmp_path / "scores.csv").write_text(content)
    study = Study(experiment(interactive={**CLICKS, "training": {"scores": "$SCORES/scores.csv"}}))
    owned = Owned(study)
    assert owned.scores == (None if said else tmp_path / "scores.csv")
    assert bool(re.search(said or "^$", "".join(owned.absent)))
    plain = Study(experiment(interactive=CLICKS))
    assert Owned(plain).scores is None
    cell = ("mini-sam", "low-res", "late")
    assert ClickSettings(study).training(*cell) == ClickSettings(plain).training(*cell)
