"""What docs/your_data.md shows is executed: photos by the workflow, masks and JSON by their readers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from working_copy import Workflow

from vfm_fusion.__main__ import main
from vfm_fusion.config.schema import Config
from vfm_fusion.datasets.kinds import data_root
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.study import init_command
from vfm_fusion.study.resolve import resolve

OWN = {"architecture": "timm:test_convnext", "weights": {"source": "seeded"}}
PHOTOS, SIZE, PARTS, PAINTED, PENNFUDAN, NUMBERED, PEDESTRIANS = range(7)
"""The configuration examples of the page, in its order."""
OF_PHOTOS, OF_MASKS, OF_JSON = range(3)
"""The page's calls of init, in its order."""


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs/your_data.md").read_text(encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def examples(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)


def commands(page: str, program: str) -> list[list[str]]:
    """The commands of a program on the page, in words."""
    blocks = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.split() for line in lines if line.startswith(f"{program} ")]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def photo(path: Path, height: int = 64, width: int = 96) -> None:
    """Writes a photo of stripes, blocks and grain."""
    y, x = np.mgrid[:height, :width]
    bands = np.stack([x // 12 % 2 * 120, y // 16 % 2 * 90, (x + y > 80) * 150], axis=-1)
    grain = np.random.default_rng(len(path.name)).integers(0, 40, bands.shape)
    save(path, (bands + grain).astype(np.uint8))


@pytest.mark.timeout(600)
def test_a_folder_of_photos_ends_in_a_plan_of_the_pair_and_in_the_profile_of_one_encoder(
    page: str, data: Path, fresh: Workflow
) -> None:
    example = examples(page)[PHOTOS]
    assert len(example.splitlines()) == 6
    for name in ("one.jpg", "holiday/two.JPG", "holiday/sea/three.png"):
        photo(data / "photos" / name, 128, 160)
    (data / "photos/notes.txt").write_text("x")
    overlay = fresh.folder / "experiments/photos.yaml"
    plan, _, profiles = commands(page, ".venv/bin/snakemake")
    fresh.config = {"experiment": "photos"}
    assert (plan[-5:], profiles[-2:]) == (
        ["-n", "--config", "experiment=photos", "--", "select"],
        ["--", "profiles"],
    )

    overlay.write_text(example)
    done = fresh.snakemake("-n", "select")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(r"profile_encoder +2\n", said)
    assert re.search(r"select_pair +1\n", said)
    assert "train" not in re.findall(r"^(\w+) +\d+$", said, re.MULTILINE)

    settings = yaml.safe_load(example)
    labelled = yaml.safe_load(examples(page)[PEDESTRIANS])
    overlay.write_text(yaml.safe_dump({"base": "quick", "dataset": "pedestrians", **labelled}))
    done = fresh.snakemake("-n", "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"score_supervised +3\n", done.stdout + done.stderr)

    overlay.write_text(yaml.safe_dump({**settings, "encoders": {"own": OWN}}))
    done = fresh.snakemake("profiles")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Profiles: results/photos/tables/profiles.md" in done.stdout + done.stderr
    results = fresh.folder / "results/photos"
    table = (results / "tables/profiles.md").read_text()
    assert "n = 3 images" in table
    assert "One encoder: there is no pair to choose." in table
    assert all((results / f"figures/{name}.png").is_file() for name in ("profiles", "sc_ef_plane"))
    summary = json.loads((results / "datasets/photos/val.json").read_text())
    assert summary["left_out"] == {"files that are read as no image (.txt)": 1}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where init writes."""
    monkeypatch.setattr(init_command, "ROOT", tmp_path)
    (tmp_path / "experiments").mkdir()
    return tmp_path


def written(page: str, which: int, clone: Path) -> Config:
    """The experiment that a call of init on the page writes."""
    command = commands(page, ".venv/bin/python")[which]
    assert command[:4] == [".venv/bin/python", "-m", "vfm_fusion", "init"]
    assert main(command[3:]) == 0
    return resolve({"experiment": command[4]}, clone / "experiments")


def test_what_init_writes_for_photos(page: str, data: Path, clone: Path) -> None:
    photo(data / "photos/one.jpg")
    config, settings = written(page, OF_PHOTOS, clone), yaml.safe_load(examples(page)[PHOTOS])
    assert config.datasets["holiday"].root == settings["datasets"]["photos"]["root"]
    assert list(config.encoders) == ["dinov2_vitb14", "sam_vitb16"]


def counts(example: str, repository: Path) -> dict[str, tuple[int, list[str]]]:
    """Reads every split of the one data set of an example: number of images, and names of its classes."""
    settings: dict[str, Any] = yaml.safe_load(example)
    ((name, section),) = settings["datasets"].items()
    config = resolve(
        {"experiment": "quick", "dataset": name, "datasets": {name: section}, "runs": None},
        repository / "experiments",
    ).datasets[name]
    root, found = data_root(config, Path()), {}
    for split in ("train", "val") if config.has_training_split else ("val",):
        frame = index_split(config, root, split).frame
        dataset = open_dataset(config, root, frame)
        assert all(sample.semantic is not None for sample in dataset)
        found[split] = len(frame), [category.name for category in dataset.categories]
    return found


def test_masks_of_ids_and_of_colors(page: str, data: Path, repository: Path, clone: Path) -> None:
    ids = np.zeros((64, 96), np.uint8)
    ids[:9], ids[9:20], ids[60:] = 1, 2, 255
    painted = np.zeros((64, 96, 3), np.uint8)
    painted[:9, :, 0], painted[60:] = 255, 255
    for number in range(5):
        photo(data / f"parts/photos/day {number}/a.jpg")
        save(data / f"parts/masks/day {number}/a.png", ids)
        photo(data / f"painted/{number}.jpg")
        save(data / f"painted/{number}_mask.png", painted)
    classes = ["background", "wheel", "window"]
    assert counts(examples(page)[PARTS], repository) == {"train": (4, classes), "val": (1, classes)}
    assert counts(examples(page)[PAINTED], repository) == {"val": (5, classes[:2])}
    config = written(page, OF_MASKS, clone).datasets["wheels"]
    assert (config.root, config.images, config.masks) == ("$DATA/parts", "photos", "masks/{}.png")
    assert [(entry.name, entry.id) for entry in config.table] == list(zip(classes, range(3), strict=True))


def test_rasters_of_objects(page: str, data: Path, repository: Path) -> None:
    numbers, ids = np.zeros((64, 96), np.uint8), np.zeros((64, 96), np.uint8)
    numbers[:9, :20], numbers[30:50], ids[:9, :20], ids[30:50] = 1, 2, 1, 2
    for number in range(5):
        photo(data / f"PennFudanPed/PNGImages/{number}.png")
        save(data / f"PennFudanPed/PedMasks/{number}_mask.png", numbers)
        photo(data / f"parts/photos/{number}.jpg")
        save(data / f"parts/masks/{number}.png", ids)
        save(data / f"parts/objects/{number}.png", numbers)
    classes = ["background", "object"]
    assert counts(examples(page)[PENNFUDAN], repository) == {"train": (4, classes), "val": (1, classes)}
    classes = ["background", "wheel", "window"]
    assert counts(examples(page)[NUMBERED], repository) == {"val": (5, classes)}


def test_a_json_of_own_categories(page: str, data: Path, repository: Path, clone: Path) -> None:
    for split, number in (("train", 3), ("val", 2)):
        names = [f"{split} {k}.jpg" for k in range(number)]
        for name in names:
            photo(data / "pedestrians" / split / name)
        rows = [
            {"id": k, "image_id": k, "category_id": 9, "segmentation": [[1, 1, 30, 1, 30, 50]], "iscrowd": 0}
            for k in range(1, number)
        ]
        content = {
            "images": [{"id": k, "file_name": n, "height": 64, "width": 96} for k, n in enumerate(names)],
            "annotations": rows,
            "categories": [{"id": 9, "name": "person"}, {"id": 4, "name": "dog"}],
        }
        path = data / f"pedestrians/annotations/instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    classes = ["dog", "person"]
    assert counts(examples(page)[PEDESTRIANS], repository) == {"train": (3, classes), "val": (2, classes)}
    settings = yaml.safe_load(examples(page)[PEDESTRIANS])["datasets"]["pedestrians"]
    config = written(page, OF_JSON, clone)
    assert config.datasets["street"].model_dump(include=set(settings)) == settings
    assert len(config.runs) == 4


def test_the_size_of_many_photos(page: str, repository: Path) -> None:
    settings = yaml.safe_load(examples(page)[SIZE])
    features = resolve({"experiment": "quick", **settings}, repository / "experiments").features
    assert (features.max_images, features.image_size.short_side) == (500, 512)
