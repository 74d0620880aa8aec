"""``python -m vfm_fusion init``: what it writes is planned as asked for; mistakes write nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from vfm_fusion.__main__ import main
from vfm_fusion.config.schema import Config
from vfm_fusion.study import init_command
from vfm_fusion.study.owned import Owned
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

MINI = Path(__file__).parents[3] / "resources/encoders/mini-dino.safetensors"
TWO = ["--encoders", "dinov2_vits14", "sam_vitb16"]
MASKS = ["--images", "own/photos", "--masks", "own/masks/{}.png", "--classes", "ground", "car"]
JSON = ["--images", "own/photos", "--coco", "own/all.json"]


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of experiments, three photos with masks of their own, and a JSON of two of them."""
    monkeypatch.setattr(init_command, "ROOT", tmp_path)
    monkeypatch.setenv("OWN", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    for folder in ("experiments", "own/photos/deep", "own/masks/deep"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("a", "b", "deep/c"):
        Image.fromarray(np.full((8, 9, 3), 90, np.uint8)).save(tmp_path / f"own/photos/{name}.jpg")
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / f"own/masks/{name}.png")
    images = [{"id": k, "file_name": n, "height": 8, "width": 9} for k, n in enumerate(("a.jpg", "b.jpg"))]
    content = {"images": images, "annotations": [], "categories": [{"id": 7, "name": "car"}]}
    (tmp_path / "own/all.json").write_text(json.dumps(content))
    return tmp_path


def written(clone: Path, *arguments: str) -> Config:
    assert main(["init", "mine", *arguments]) == 0
    return resolve({"experiment": "mine"}, clone / "experiments")


def as_if_asked_for(path: Path) -> dict:
    """The settings of a file whose commented training and runs are made settings."""
    text, _, runs = path.read_text().partition("# Training runs")
    first, *lines = runs.splitlines()
    return yaml.safe_load("\n".join([text, f"# {first}", *(line.removeprefix("# ") for line in lines)]))


def test_photos_and_two_encoders(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = written(clone, "--images", "own/photos", *TWO)
    said = capsys.readouterr().out
    assert config.model_dump(exclude_unset=True).keys() == {
        "experiment", "paths", "datasets", "dataset", "encoders"
    }  # fmt: skip
    assert config.paths.results == "results/mine"
    assert config.datasets["mine"].root == "own/photos"
    assert list(config.encoders) == ["dinov2_vits14", "sam_vitb16"]
    assert "images: 3 for profiles and validation" in said
    absent = Owned(Study(config)).absent
    assert absent
    assert all(f"needed before a run: {line}\n" in said for line in absent)
    assert said.endswith("Next, the plan: .venv/bin/snakemake -n --config experiment=mine -- select\n")


def test_one_encoder_with_weights_of_a_file(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = written(clone, "--images", "$OWN/photos", "--encoders", f"mini_vit={MINI}")
    assert config.datasets["mine"].root == "$OWN/photos"
    assert Owned(Study(config)).weights == {"mini_vit": MINI}
    said = capsys.readouterr().out
    assert "needed before" not in said
    assert said.endswith("-- profiles\n")


def test_a_mini_encoder_by_its_name(clone: Path) -> None:
    config = written(clone, "--images", "own/photos", "--encoders", "mini-dino", "mini-sam")
    assert list(config.encoders) == ["mini-dino", "mini-sam"]
    first = config.encoders["mini-dino"]
    assert (first.architecture, first.weights.path) == (
        "mini_vit",
        "resources/encoders/mini-dino.safetensors",
    )
    assert first.weights.pretraining == "generated scenes, self-distilled"


def test_a_timm_model_and_one_architecture_twice(clone: Path) -> None:
    config = written(
        clone, "--images", "own", "--encoders", "timm:test_convnext.r160_in1k", "sam_vitb16",
        "sam_vitb16=weights/sam_vit_b_01ec64.pth",
    )  # fmt: skip
    assert list(config.encoders) == ["test_convnext-r160_in1k", "sam_vitb16", "sam_vitb16-2"]
    assert config.encoders["sam_vitb16-2"].weights.format == "official"
    assert config.encoders["sam_vitb16-2"].weights.path == "weights/sam_vit_b_01ec64.pth"


@pytest.mark.parametrize(
    ("data", "kind", "task", "train", "val"),
    [(MASKS, "folder", "semantic", 2, 1), (JSON, "coco", "instance", 1, 1)],
    ids=["masks", "coco"],
)
def test_runs_as_settings_or_as_comments(
    data: list[str], kind: str, task: str, train: int, val: int, clone: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config = written(clone, *data, *TWO, "--runs")
    said = capsys.readouterr().out
    assert (config.datasets["mine"].kind, config.datasets["mine"].root) == (kind, "own")
    assert config.training.task == task
    assert list(config.runs) == ["master", "auxiliary-frozen", "fused", "fused-reverse"]
    assert f"images: {train} for training" in said
    assert f"images: {val} for profiles and validation" in said
    assert said.endswith("-- all\n")

    asked = clone / "experiments/mine.yaml"
    asked = asked.rename(asked.with_suffix(".asked"))
    assert not written(clone, *data, *TWO).runs
    runs = {"training", "evaluation", "runs"}
    possible, settings = as_if_asked_for(clone / "experiments/mine.yaml"), yaml.safe_load(asked.read_text())
    assert {key: possible[key] for key in runs} == {key: settings[key] for key in runs}


def test_classes_by_id_and_by_color(clone: Path) -> None:
    config = written(clone, *MASKS[:-2], "ground=255,0,0", "two words=0,0,9", *TWO).datasets["mine"]
    assert [(entry.name, entry.color) for entry in config.table] == [
        ("ground", (255, 0, 0)), ("two words", (0, 0, 9))
    ]  # fmt: skip


def test_paths_that_name_the_split(clone: Path) -> None:
    (clone / "own").rename(clone / "val")
    photos, masks = "{split}/photos", "{split}/masks/{}.png"
    config = written(clone, "--images", photos, "--masks", masks, "--classes", "x", *TWO).datasets["mine"]
    assert (config.root, config.images, config.masks, config.split) == (".", photos, masks, None)


def test_called_from_elsewhere(
    clone: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    away = tmp_path_factory.mktemp("away")
    (clone / "own").rename(away / "own")
    monkeypatch.chdir(away)
    config = written(clone, *MASKS, "--encoders", "sam_vitb16=w.pth", f"sam_vitb16={clone}/w.pth")
    assert config.datasets["mine"].root == str(away / "own")
    assert [encoder.weights.path for encoder in config.encoders.values()] == [f"{away}/w.pth", "w.pth"]
    assert f"Next (in {clone}), the plan" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mine", "--images", "own/photo", *TWO], "DatasetLayoutError: datasets.mine.root"),
        (["mine", "--images", "$NOWHERE", *TWO], "NOWHERE, which is not set"),
        (["mine", *MASKS[:2], "--masks", "own/mask/{}.png", "--classes", "x", *TWO], "own/mask"),
        (["mine", *JSON[:3], "own/none.json", *TWO], "own/none.json: no such file"),
        (["mine", *JSON, "--classes", "cat", *TWO], "cat"),
        (["mine", *MASKS[:-2], "car=red", *TWO], "expected NAME, NAME=ID or NAME=RED,GREEN,BLUE"),
        (["mine", "--images", "$OWN/photos", *MASKS[2:], *TWO], "no folder in common"),
        (["mine", *MASKS, "--encoders", "dinov2_vits41"], "did you mean 'dinov2_vits14'?"),
        (["mine", *MASKS, "--encoders", "timm:convnext_tyni"], "did you mean"),
        (["mine", *MASKS, "--encoders", "sam_vitb16", "--runs"], "too few for runs"),
        (["mine", *MASKS[:2], *TWO, "--runs"], "ConfigError: datasets.mine."),
        (["own/mine", *MASKS, *TWO], "name 'own/mine': use letters"),
        (["2024", *MASKS, *TWO], "begin with a letter"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    arguments: list[str], said: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not list(clone.glob("experiments/*"))


def test_an_experiment_that_is_there_stays(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "experiments/mine.yaml").write_text("mine")
    assert main(["init", "mine", *MASKS, *TWO]) == 1
    assert "mine.yaml: is there already" in capsys.readouterr().err
    assert (clone / "experiments/mine.yaml").read_text() == "mine"
