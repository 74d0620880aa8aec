"""Bad input: one named error with file and remedy, and nothing half-written that a later run would trust."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save
from working_copy import Workflow

EXPERIMENT = """
dataset: mine
datasets:
  mine: {kind: camvid, root: $MY_DATA}
encoders:
  one:
    architecture: mini_vit
    weights: {source: seeded, seed: 1}
  two:
    architecture: mini_hiera
    weights: {source: file, path: $MY_DATA/two.safetensors, pretraining: a test}
metrics: {definitions: {paper: {grid: 2}, calibrated: {grid: 2}}, strides: [4, 8]}
runs:
  alone: {master: master}
"""


@pytest.fixture
def mine(fresh: Workflow, tmp_path: Path) -> Workflow:
    """A working copy with an experiment on a tiny data set of the user's, in CamVid's layout."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 2), ("val", 2)):
        for folder in (split, f"{split}annot"):
            (tmp_path / "my data" / folder).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            labels = rng.integers(0, 12, (64, 64), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / "my data" / split / f"{number}.png")
            Image.fromarray(labels).save(tmp_path / "my data" / f"{split}annot" / f"{number}.png")
    (fresh.folder / "experiments" / "mine.yaml").write_text(EXPERIMENT)
    (tmp_path / "my data" / "two.safetensors").write_bytes(save({"weight": np.zeros(1)}))
    fresh.config = {"experiment": "mine"}
    return fresh


def data(workflow: Workflow) -> Path:
    return workflow.folder.parent / "my data"


def corrupt_image(folder: Path) -> None:
    path = folder / "train" / "1.png"
    path.write_bytes(path.read_bytes()[:200])


def wrong_label(folder: Path) -> None:
    Image.fromarray(np.full((64, 64), 77, dtype=np.uint8)).save(folder / "valannot" / "0.png")


def lost_label(folder: Path) -> None:
    (folder / "trainannot" / "0.png").unlink()


def wrong_weights(folder: Path) -> None:
    (folder / "two.safetensors").write_bytes(b"<html>Not found</html>")


def other_weights(folder: Path) -> None:
    """Leaves the second encoder's weights as they are: a whole file, but of another model."""


@pytest.mark.parametrize(
    ("harm", "target", "error", "named"),
    [
        (corrupt_image, "datasets", "CorruptImageError", ["train/1.png"]),
        (wrong_label, "datasets", "LabelError", ["valannot/0.png", "77"]),
        (lost_label, "datasets", "DatasetLayoutError", ["0.png"]),
        (wrong_weights, "datasets", "WeightsError", ["two.safetensors"]),
        (other_weights, "select", "WeightsError", ["two.safetensors"]),
    ],
)
def test_bad_files_are_named_and_leave_nothing_behind(
    mine: Workflow, harm: Callable[[Path], None], target: str, error: str, named: list[str]
) -> None:
    harm(data(mine))
    done = mine.snakemake(target, environment={"MY_DATA": str(data(mine))})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert error in said, said
    assert all(part in said for part in named), said
    assert "Traceback" not in said.partition(error)[0]
    results = mine.folder / "results"
    assert not list(results.rglob("*.tmp*"))
    if target == "datasets":
        split = "val" if harm is wrong_label else "train"
        assert not list((results / "datasets").rglob(f"{split}.*"))
    else:
        assert not (results / "features" / "mine" / "two.zarr.manifest.json").exists()
        assert not list(results.rglob("selection.json"))


@pytest.mark.parametrize(
    ("config", "environment", "parts"),
    [
        ({"experiment": "mine"}, {}, ["datasets.mine.root", "MY_DATA", "not set"]),
        ({"experiment": "mine"}, {"MY_DATA": "nowhere"}, ["nowhere"]),
        ({"experiment": "quick", "training": "{stepps: 3}"}, {}, ["training.stepps", "'steps'"]),
        ({"experiment": "quick", "training": "{learning_rate: 1e-4}"}, {}, ["learning_rate", "1.0e-4"]),
        ({"experiment": "grand"}, {}, ["'grand'", "quick"]),
    ],
)
def test_bad_settings_stop_before_anything_starts(
    mine: Workflow, config: dict[str, str], environment: dict[str, str], parts: list[str]
) -> None:
    mine.config = config
    done = mine.snakemake("all", environment=environment)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for part in parts:
        assert part in said, said
    assert "Traceback" not in said
    assert [path.name for path in (mine.folder / "results").iterdir()] == ["README.md"]


def test_a_missing_weight_file_stops_before_anything_starts(mine: Workflow) -> None:
    (data(mine) / "two.safetensors").unlink()
    done = mine.snakemake("all", environment={"MY_DATA": str(data(mine))})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "encoders.two.weights.path: no weight file at" in said
    assert [path.name for path in (mine.folder / "results").iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    ("file", "right", "wrong", "named"),
    [
        (
            "config/registries.py",
            '"miniscapes": "vfm_fusion.datasets.cityscapes:READER"',
            "REEDER",
            "cityscapes",
        ),
        ("config/registries.py", '_OPERATORS}:Replace"', "Replase", "fusion/operators"),
        ("evaluation/registry.py", 'mean_iou:MeanIoU"', "MeanIOU", "evaluation/mean_iou"),
    ],
)
def test_a_misspelt_line_of_a_registry_ends_the_planning(
    fresh: Workflow, file: str, right: str, wrong: str, named: str
) -> None:
    name = right.rpartition(":")[2].strip('"')
    fresh.edit(f"vfm_fusion/{file}", right, right.replace(f":{name}", f":{wrong}"))
    done = fresh.snakemake("-n", "all")
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "ConfigError" in said
    assert f":{wrong}': " in said
    assert named.replace("/", ".") in said
    assert "Traceback" not in said
