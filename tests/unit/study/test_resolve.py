"""The configuration: overlays, refusals with key paths and hints, documents in sync."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vfm_fusion.config import document
from vfm_fusion.config.base import Section, canonical
from vfm_fusion.config.merge import deep_merge
from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.resolve import experiments, from_command_line, resolve, validate

OVERLAYS = Path(__file__).parents[3] / "experiments"


@pytest.mark.parametrize("name", experiments(OVERLAYS))
def test_every_experiment_resolves_and_its_resolved_form_gives_itself_back(name: str) -> None:
    config = resolve({"experiment": name}, OVERLAYS)
    assert resolve(config.model_dump(mode="json"), OVERLAYS) == config
    assert validate(yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))) == config


def test_user_keys_win_over_the_overlay() -> None:
    config = resolve({"experiment": "quick", "training": {"steps": 7}}, OVERLAYS)
    assert config.training.steps == 7
    assert config.training.batch_size == 2


def test_null_removes_an_entry_of_the_overlay() -> None:
    config = resolve({"experiment": "quick", "runs": {"fused-reverse": None}}, OVERLAYS)
    assert "fused-reverse" not in config.runs


def test_another_form_of_a_size_replaces_the_one_of_the_overlay() -> None:
    sizes = {"short_side": 512, "max_side": 1024}, {"pad": [64, 96]}, {"long_side": 640}, [64, 64], None
    for below in sizes:
        for above in sizes:
            merged = deep_merge({"features": {"image_size": below}}, {"features": {"image_size": above}})
            assert merged["features"].get("image_size") == above
    assert deep_merge({"resize": {"short_side": 64, "max_side": 96}}, {"resize": {"short_side": 32}}) == {
        "resize": {"short_side": 32, "max_side": 96}
    }


def test_a_resolved_configuration_does_not_get_removed_entries_back() -> None:
    config = resolve({"experiment": "quick", "runs": {"fused-reverse": None}}, OVERLAYS)
    assert resolve(config.model_dump(mode="json"), OVERLAYS) == config


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ({"experiment": "huge"}, ["experiment", "'huge'", "miniature, paper, quick, realdata"]),
        ({"trainin": {}}, ["trainin: unknown key", "did you mean 'training'"]),
        (
            {"training": {"learning_rate": yaml.safe_load("1e-4")}},
            ["training.learning_rate", "YAML reads 1e-4 as text", "write 1.0e-4"],
        ),
        (
            {"evaluation": {"window": {"size": [64, 64], "stride": [32, 32]}}},
            ["evaluation.window", "objects cannot be merged", "trained for task panoptic"],
        ),
        (
            {"training": {"head": {"matcher": "identity"}}},
            ["head.matcher: identity", "several objects of a class", "hungarian"],
        ),
        (
            {"training": {"task": "semantic", "head": {"matcher": "identity", "queries": 5}}},
            ["training.head.queries: 5 are too few for runs.dino-fz", "each of the 19 classes of miniscapes"],
        ),
        ({"training": {"steps": "3"}}, ["training.steps", "a number in quotes"]),
        ({"training": {"steps": 0}}, ["training.steps", "greater than or equal to 1"]),
        ({"training": {"augmentation": {"crop": [100, 256]}}}, ["training.augmentation", "multiples of 32"]),
        ({"dataset": "coco"}, ["dataset", "'coco'", "miniscapes"]),
        ({"datasets": {"miniscapes": {"styl": "real"}}}, ["datasets.miniscapes.styl", "'style'"]),
        ({"encoders": {"mini-dino": {"architecture": "vit_huge"}}}, ["encoders.mini-dino", "mini_hiera"]),
        (
            {"encoders": {"mini-dino": {"weights": {"source": "net"}}}},
            ["encoders.mini-dino.weights", "'seeded'"],
        ),
        ({"encoders": {"master": {"architecture": "mini_vit", "weights": {"source": "seeded"}}}}, ["role"]),
        ({"metrics": {"strides": [4, 5]}}, ["metrics.strides", "[5]", "[4, 8, 16, 32]"]),
        ({"runs": {"b-os8": {"fusion": {"stride": 7}}}}, ["runs.b-os8.fusion.stride", "7 is impossible"]),
        ({"runs": {"b-os8": {"auxiliary": "sam3"}}}, ["runs.b-os8.auxiliary", "'sam3'", "mini-sam"]),
        ({"runs": {"b-os8": {"auxiliary": "master"}}}, ["runs.b-os8", "a fusion needs two encoders"]),
        ({"runs": {"b-os8": {"label": "B at OS 4"}}}, ["runs", "'B at OS 4'", "tell them apart"]),
        ({"runs": {"a/b": {"master": "master"}}}, ["'a/b'", "file name"]),
    ],
)
def test_a_bad_setting_is_refused_by_name(raw: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        resolve(raw, OVERLAYS)
    for part in parts:
        assert part in str(error.value)


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        resolve({"training": {"steps": "3", "batchsize": 2}, "metrics": {"bootstrap": 1}}, OVERLAYS)
    assert str(error.value).count("\n") == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_canonical_text_ignores_key_order(data: dict[str, Any]) -> None:
    assert canonical(data) == canonical(dict(reversed(data.items())))


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_merging_nothing_changes_nothing(data: dict[str, Any]) -> None:
    assert deep_merge(data, {}) == data


def test_nested_values_of_the_command_line_get_their_types_back() -> None:
    given = {"training": {"steps": "6", "augmentation": {"crop": ["128", "128"], "flip": "false"}}}
    config = resolve({"experiment": "quick", **from_command_line(given)}, OVERLAYS)
    assert config.training.steps == 6
    assert config.training.augmentation.crop == (128, 128)
    assert not config.training.augmentation.flip


def test_canonical_text_tells_swapped_values_apart() -> None:
    assert canonical({"a": 1, "b": 2}) != canonical({"a": 2, "b": 1})


def test_generated_documents_are_in_sync(repository: Path) -> None:
    assert (repository / document.SCHEMA).read_text(encoding="utf-8") == document.json_schema()
    assert (repository / document.DEFAULTS).read_text(encoding="utf-8") == document.documented_defaults()


def test_every_setting_is_described() -> None:
    sections = [s for s in Section.__subclasses__() if s.__module__.startswith("vfm_fusion.config.")]
    assert len(sections) > 10
    for section in sections:
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name} has no description"


def test_the_paper_preset_is_the_default_and_unknown_presets_are_named() -> None:
    assert MetricConfig.of("paper") == MetricConfig()
    with pytest.raises(ValidationError, match="paper"):
        MetricConfig.of("papr")


@pytest.mark.parametrize(
    ("bases", "circle"),
    [
        ({"one": "one"}, "one -> one"),
        ({"one": "two", "two": "three", "three": "two"}, "one -> two -> three -> two"),
    ],
)
def test_overlays_that_rest_on_each_other_are_refused(
    tmp_path: Path, bases: dict[str, str], circle: str
) -> None:
    for name, base in bases.items():
        (tmp_path / f"{name}.yaml").write_text(f"base: {base}\n")
    with pytest.raises(ConfigError, match=rf"rests on this overlay again \({circle}\)"):
        resolve({"experiment": "one"}, tmp_path)


def test_an_overlay_says_only_what_differs_from_its_base(tmp_path: Path) -> None:
    for name in ("miniature", "study"):
        (tmp_path / f"{name}.yaml").write_bytes((OVERLAYS / f"{name}.yaml").read_bytes())
    base, study = (resolve({"experiment": name}, tmp_path) for name in ("miniature", "study"))
    assert study.encoders == base.encoders
    assert study.training.seeds == (0, 1, 2, 3, 4)
    assert study.training == base.training.model_copy(update={"seeds": (0, 1, 2, 3, 4), "steps": 600})
    assert "a-os8" not in base.runs
    assert "a-os8" in study.runs
    assert study.runs["b-os8"] == base.runs["b-os8"]


def test_the_default_experiment_is_the_story_in_seven_trainings() -> None:
    config = resolve({"experiment": "miniature"}, OVERLAYS)
    frozen = [run for run in config.runs.values() if not run.train_master]
    assert len(config.runs) * len(config.training.seeds) == 7
    assert {run.fusion.stride for run in frozen if run.auxiliary} == {4, 8, 16, 32}
    assert {run.master for run in frozen if not run.auxiliary} == {"mini-dino", "mini-swin"}


def test_an_unknown_base_is_named_with_the_file_that_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("base: minature\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"experiments/mine.yaml: base: 'minature' is unknown; choose from: mine"
    ):
        resolve({"experiment": "mine"}, tmp_path)


def test_the_study_holds_every_setting_of_table_6_and_every_baseline() -> None:
    runs = resolve({"experiment": "study"}, OVERLAYS).runs
    settings = {
        "a": ("master", True, "auxiliary"),
        "b": ("master", False, "auxiliary"),
        "c": ("auxiliary", True, "master"),
        "d": ("auxiliary", False, "master"),
    }
    for letter, (master, trained, auxiliary) in settings.items():
        for stride in (4, 8, 16, 32):
            run = runs.pop(f"{letter}-os{stride}")
            assert (run.master, run.train_master, run.auxiliary) == (master, trained, auxiliary)
            assert (run.train_auxiliary, run.fusion.stride, run.fusion.operator) == (False, stride, "replace")
    assert {(run.master, run.train_master) for run in runs.values()} == {
        (encoder, trained) for encoder in ("mini-dino", "mini-sam", "mini-swin") for trained in (False, True)
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "encoders:\n  dino: {architecture: mini_vit}\n  dino: {architecture: mini_hiera}\n",
            "dino: is given in lines 2 and 3; keep one",
        ),
        ("features: {batch_size: 2}\npaths: {}\nfeatures: {}\n", "features: is given in lines 1 and 3"),
        ("paths:\n\tresults: x\n", r"is no YAML: .* line 2, column 1"),
        ("- quick\n", r"expected keys, each with what it stands for; found \['quick'\]"),
    ],
)
def test_an_overlay_that_yaml_would_cut_or_cannot_read_is_named(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"^{tmp_path.name}/mine\.yaml: {message}"):
        resolve({"experiment": "mine"}, tmp_path)
