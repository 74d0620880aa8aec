"""An experiment as the workflow sees it: targets of runs, files, settings of stages, and what is optional."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from vfm_fusion.config import document
from vfm_fusion.config.merge import deep_merge
from vfm_fusion.config.schema import Config
from vfm_fusion.config.systems import SystemConfig
from vfm_fusion.errors import ConfigError
from vfm_fusion.study import places, resolve
from vfm_fusion.study.owned import Owned
from vfm_fusion.study.settings import Settings
from vfm_fusion.study.study import Study

OVERLAYS = Path(__file__).parents[3] / "experiments"
OTHER = {"kind": "miniscapes", "style": "real", "train": 8, "val": 4}
ALONE = {"runs": dict.fromkeys(("master", "auxiliary-frozen", "fused", "fused-reverse"))}
BOTH = {"master": "master", "dataset": "miniscapes", "evaluated_on": ["elsewhere", "miniscapes"]}


def quick(**changes: Any) -> Config:
    """The quick experiment with a second data set and some changes."""
    base = {"experiment": "quick", "datasets": {"elsewhere": OTHER}}
    return resolve.resolve(deep_merge(base, changes), OVERLAYS)


def test_a_run_with_several_targets_is_trained_once_and_scored_on_each() -> None:
    study = Study(quick(runs={"both": BOTH}))
    assert ("elsewhere", "val") in study.splits
    assert ("elsewhere", "train") not in study.splits
    settings = Settings(study)
    there, here = (json.loads(settings.evaluation("both", name)) for name in ("elsewhere", "miniscapes"))
    assert (there["name"], there["dataset"]["style"], there["trained_on"]) == (
        "elsewhere",
        "real",
        "miniscapes",
    )
    assert here == json.loads(settings.evaluation("master", "miniscapes"))
    assert settings.training("both") == settings.training("master")


def test_the_maps_that_frozen_runs_read_are_planned_and_used_and_no_others() -> None:
    study = Study(quick(runs={"both": BOTH | {"train_master": False}}))
    manifests = study.maps_of_views()
    assert {Path(name).parts[-3] for name in manifests} == {"miniscapes", "elsewhere"}
    assert {views.split for views, _ in manifests.values()} == {"train", "val"}
    planned = {plan["manifest"]: plan for plan in json.loads(Settings(study).planned_features())}
    assert manifests.keys() < planned.keys() < set(study.feature_manifests())
    for name, (views, _) in manifests.items():
        assert planned[name]["views"] == views.views
        assert planned[name]["index"].endswith(f"{views.dataset}/{views.split}.parquet")
    trained = {"train_master": True, "train_auxiliary": True}
    none = {name: trained if "fused" in name else {"train_master": True} for name in ALONE["runs"]}
    assert not Study(quick(runs=none)).maps_of_views()


def test_runs_of_the_same_targets_are_compared_whatever_their_order() -> None:
    again = BOTH | {"master": "mini-swin", "evaluated_on": ["miniscapes", "elsewhere"]}
    study = Study(quick(runs={"both": BOTH, "again": again}))
    assert study.elsewhere == ["miniscapes-to-miniscapes-and-elsewhere-panoptic"]
    assert study.comparisons[study.elsewhere[0]][1] == ("both", "again")


def test_runs_with_further_targets_are_the_main_ones_where_there_are_no_others() -> None:
    study = Study(quick(**deep_merge(ALONE, {"runs": {"both": BOTH}})))
    assert {name: runs for name, (_, runs) in study.comparisons.items()} == {
        "miniscapes-panoptic": ("both",),
        "miniscapes-to-miniscapes-and-elsewhere-panoptic": ("both",),
    }
    assert study.main == "miniscapes-panoptic"
    assert study.finetuned_runs(study.main) == ["both"]


def test_a_run_stands_in_every_comparison_all_of_whose_targets_it_is_evaluated_on() -> None:
    runs = {
        "fused": {"evaluated_on": ["elsewhere", "miniscapes"]},
        "moved": {"master": "master", "evaluated_on": "elsewhere"},
        "semantic": {"master": "master", "recipe": "classes", "evaluated_on": ["elsewhere", "miniscapes"]},
        "from-elsewhere": {"master": "master", "dataset": "elsewhere"},
    }
    study = Study(quick(runs=runs, recipes={"classes": {"training": {"task": "semantic"}}}))
    assert [(name, runs) for name, (_, runs) in study.comparisons.items()] == [
        ("miniscapes-panoptic", ("master", "auxiliary-frozen", "fused", "fused-reverse")),
        ("miniscapes-to-miniscapes-and-elsewhere-panoptic", ("fused",)),
        ("miniscapes-to-elsewhere-panoptic", ("fused", "moved")),
        ("miniscapes-to-miniscapes-and-elsewhere-semantic", ("semantic",)),
        ("elsewhere-panoptic", ("from-elsewhere",)),
    ]


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([], "no data set to evaluate on"),
        (["elsewhere", "elsewhere"], "'elsewhere' occurs 2 times"),
        (["miniscapes", "nowhere"], "runs.master.evaluated_on: 'nowhere' is not defined"),
        (["miniscapes", "roads"], "'roads' has other classes than 'miniscapes'"),
    ],
)
def test_bad_targets_are_refused_by_name(targets: list[str], said: str) -> None:
    roads = {"roads": {"kind": "camvid", "root": "x"}}
    with pytest.raises(ConfigError, match=said):
        quick(datasets=roads, runs={"master": {"evaluated_on": targets}})


def test_a_run_to_show_is_one_of_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="'x' is no run; choose from: master, auxiliary-frozen, fused"):
        quick(reporting={"shown": ["x"]})
    with pytest.raises(ConfigError, match="'fused' is no run; there are no runs; leave it out"):
        quick(**ALONE, reporting={"shown": ["fused"]})


def test_comparisons_that_would_share_files_are_refused() -> None:
    name = "miniscapes-to-elsewhere"
    runs = {
        "moved": {"master": "master", "evaluated_on": "elsewhere"},
        "other": {"master": "master", "dataset": name},
    }
    with pytest.raises(ConfigError, match=r"runs\.other and runs\.moved would share"):
        quick(datasets={name: OTHER}, runs=runs)


def test_a_stage_depends_on_no_name_and_on_nothing_of_how_work_is_done() -> None:
    before, after = (
        Settings(Study(quick(**changes)))
        for changes in (
            {},
            {
                "encoders": {"mini-dino": {"label": "Renamed"}},
                "runs": {"fused": {"label": "Renamed"}},
                "features": {"threads": 3, "parts": 2},
                "training": {"workers": 3},
            },
        )
    )
    assert before.features("miniscapes", "mini-dino") == after.features("miniscapes", "mini-dino")
    assert before.training("fused") == after.training("fused")
    assert before.pairs("miniscapes") == after.pairs("miniscapes")
    changed = Settings(Study(quick(training={"steps": 7})))
    assert before.training("fused") != changed.training("fused")
    assert before.prediction("fused", "miniscapes") == changed.prediction("fused", "miniscapes")


def test_the_comparison_of_pairs_depends_on_maps_and_not_on_what_is_made_of_them_elsewhere() -> None:
    before, same, probed, derived = (
        Settings(Study(quick(**changes)))
        for changes in (
            {},
            {"metrics": {"definitions": {"paper": {"grid": 3}}}, "training": {"steps": 7}},
            {"pairs": {"ridge": 0.5}},
            {"metrics": {"interpolation": "bilinear"}},
        )
    )
    assert before.pairs("miniscapes") == same.pairs("miniscapes")
    assert before.profile("miniscapes") == probed.profile("miniscapes")
    assert len({settings.pairs("miniscapes") for settings in (before, probed, derived)}) == 3


def test_memory_of_the_comparison_of_pairs_holds_the_products_of_all_channels() -> None:
    study, channels = Study(quick()), 4 * (128 + 192 + 192)
    assert study.pairs_mb == 3000 + channels * (8 * channels + 16 * 4096) // 1_000_000


def test_memory_and_threads_of_a_training_grow_with_its_processes() -> None:
    study = Study(quick(training={"batch_size": 4, "devices": 2, "workers": 3}, compute={"gpu": True}))
    assert (study.training_gpus("fused"), study.training_threads("fused")) == (2, 8)
    assert study.training_mb("fused") == 2 * (16_000 + 3 * 2000)
    assert Study(quick()).training_gpus("fused") == 0


def test_what_is_not_here_is_said_and_does_not_stop_a_plan(tmp_path: Path) -> None:
    weights = {"source": "file", "path": str(tmp_path / "none.safetensors"), "pretraining": "none"}
    config = quick(
        datasets={"roads": {"kind": "camvid", "root": str(tmp_path / "none")}},
        also_profiled={"roads": {}},
        encoders={"mini-dino": {"weights": weights}},
    )
    owned = Owned(Study(config))
    assert [line.partition(":")[0] for line in owned.absent] == ["DatasetLayoutError", "WeightsError"]
    assert owned.weight_files(["mini-dino", "mini-sam"]) == [owned.weights["mini-sam"]]
    owned.check_weights()


class ToyConfig(SystemConfig):
    """A system that plays with an encoder."""

    encoder: str = Field(description="The encoder.")
    rounds: int = Field(2, ge=1, description="How often.")

    def check(self, config: Config) -> None:
        if self.encoder not in config.encoders:
            raise ConfigError(f"toy.encoder: {self.encoder!r} is not defined")

    def splits(self, config: Config) -> list[tuple[str, str]]:
        return [(config.dataset, "train")]


class WithToy(Config):
    """The configuration with a section of another system."""

    toy: ToyConfig | None = Field(None, description="A toy.")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (resolve, places, document):
        monkeypatch.setattr(module, "Config", WithToy)


@pytest.mark.usefixtures("toy")
def test_a_section_of_another_system_needs_neither_runs_nor_a_pair() -> None:
    changes = deep_merge(
        ALONE, {"toy": {"encoder": "mini-dino"}, "encoders": {"mini-sam": None, "mini-swin": None}}
    )
    study = Study(quick(**changes))
    assert (study.has_profiles, study.has_pair, study.has_runs) == (True, False, False)
    assert list(study.config.systems) == ["toy"]
    assert study.splits == [("miniscapes", "val"), ("miniscapes", "train")]
    assert study.feature_manifests() == ["results/quick/features/miniscapes/mini-dino.zarr.manifest.json"]
    assert resolve.resolve(study.config.model_dump(mode="json"), OVERLAYS) == study.config


@pytest.mark.usefixtures("toy")
def test_an_experiment_without_the_section_says_nothing_of_it() -> None:
    config = quick()
    assert config.systems == {}
    assert "toy" not in config.model_dump(mode="json")
    assert "toy" not in config.model_dump_json()
    assert resolve.resolve(config.model_dump(mode="json"), OVERLAYS) == config


@pytest.mark.usefixtures("toy")
def test_settings_of_another_system_are_documented() -> None:
    assert "# toy:\n#   # The encoder.\n#   encoder: # required\n" in document.documented_defaults()
    assert "ToyConfig" in json.loads(document.json_schema())["$defs"]


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"toy": {"encoder": "mini-x"}}, "toy.encoder: 'mini-x' is not defined"),
        ({"toy": {"encoder": "mini-sam", "round": 3}}, "toy.round: unknown key; did you mean 'rounds'"),
        ({"toy": {"encoder": "mini-sam", "rounds": 0}}, "toy.rounds: input should be greater"),
        ({"toi": {}}, "toi: unknown key; did you mean 'toy'"),
        ({"encoders": {"mini-sam": None, "mini-swin": None}}, "encoders: mini-dino is too few for runs"),
        (
            deep_merge(ALONE, {"encoders": dict.fromkeys(("mini-dino", "mini-sam", "mini-swin"))}),
            "encoders: none, .* or give a section of another system: interactive, toy",
        ),
    ],
)
def test_an_experiment_that_asks_for_nothing_possible_is_refused_by_name(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        quick(**changes)
