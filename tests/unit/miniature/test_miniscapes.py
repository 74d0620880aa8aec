"""Generated scenes: reproducible, consistent, and what hides what."""

from __future__ import annotations

import errno
import json
from hashlib import sha256
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.datasets.cityscapes import (
    CATEGORIES,
    instances_from_instance_ids,
    semantic_from_label_ids,
)
from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.errors import DatasetLayoutError
from vfm_fusion.miniature.scenes import generate as generate_module
from vfm_fusion.miniature.scenes.annotate import annotate, owners
from vfm_fusion.miniature.scenes.camera import Camera
from vfm_fusion.miniature.scenes.canvas import Canvas, Entity
from vfm_fusion.miniature.scenes.generate import generate, generate_with_manifest
from vfm_fusion.miniature.scenes.look import Look, sample_look
from vfm_fusion.miniature.scenes.people import Clothes, Crowd, Person
from vfm_fusion.miniature.scenes.render import SMALLEST, Rendered, paint_scene, render, stream
from vfm_fusion.miniature.scenes.scene import Scene, sample_scene
from vfm_fusion.miniature.scenes.solid import Pose, Thing
from vfm_fusion.miniature.scenes.vehicles import Vehicle


def _config(**changes: object) -> MiniscapesConfig:
    settings = {"kind": "miniscapes", "train": 3, "val": 2, "height": 64, "width": 128}
    return MiniscapesConfig(**(settings | changes))


def _files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes") / "mini"
    generate(_config(), root, workers=1)
    return root


@pytest.fixture(scope="module")
def small_set() -> list[Rendered]:
    """The miniature's smallest size."""
    config = _config(train=24, height=128, width=256)
    return [render(config, "train", number) for number in range(24)]


def test_the_same_bytes_again_and_with_workers(generated: Path, tmp_path: Path) -> None:
    generate(_config(), tmp_path / "again", workers=2)
    assert _files(tmp_path / "again") == _files(generated)
    assert len(_files(generated)) == 15
    assert [folder.name for folder in tmp_path.iterdir()] == ["again"]


def test_an_image_does_not_depend_on_the_number_of_images(generated: Path, tmp_path: Path) -> None:
    generate(_config(train=1, val=1), tmp_path / "fewer", workers=1)
    fewer, all_files = _files(tmp_path / "fewer"), _files(generated)
    assert len(fewer) == 6
    assert all(all_files[name] == content for name, content in fewer.items())


def test_seed_and_split_change_every_image(generated: Path) -> None:
    images = [render(_config(seed=seed), split, 0).image for seed in (0, 1) for split in ("train", "val")]
    for i, first in enumerate(images):
        for second in images[i + 1 :]:
            assert np.abs(first.astype(int) - second).mean() > 10
    ids = [set(index_split(_config(), generated, split).frame["image_id"]) for split in ("train", "val")]
    assert not ids[0] & ids[1]


def test_streams_are_disjoint() -> None:
    draws = [
        stream(seed, split, number, purpose).integers(2**62)
        for seed in (0, 1)
        for split in ("train", "val")
        for number in range(20)
        for purpose in range(3)
    ]
    assert len(set(draws)) == len(draws)


def test_the_cityscapes_reader_reads_it(generated: Path) -> None:
    frame = index_split(_config(), generated, "val").frame
    dataset = open_dataset(_config(), generated, frame)
    assert dataset.ids == ("minival_000000_000019", "minival_000001_000019")
    sample = dataset[0]
    expected = render(_config(), "val", 0)
    assert np.array_equal(sample.image, expected.image)
    assert np.array_equal(
        sample.semantic, semantic_from_label_ids(expected.annotation.label_ids, Path("rendered"))
    )


def test_label_ids_and_instance_ids_agree(small_set: list[Rendered]) -> None:
    things = [LABEL_IDS[category.name] for category in CATEGORIES if category.isthing]
    for rendered in small_set:
        labels = rendered.annotation.label_ids.astype(int)
        instances = rendered.annotation.instance_ids.astype(int)
        assert np.array_equal(np.where(instances >= 1000, instances // 1000, instances), labels)
        assert np.isin(labels[instances >= 1000], things).all()
        _, pixels = np.unique(instances[instances >= 1000], return_counts=True)
        assert pixels.min() >= SMALLEST


def test_every_class_comes_up_in_a_small_set(small_set: list[Rendered]) -> None:
    objects = np.zeros(len(CATEGORIES), int)
    images = np.zeros(len(CATEGORIES), int)
    for rendered in small_set:
        raster = rendered.annotation.instance_ids.astype(np.int32)
        instances = instances_from_instance_ids(raster, Path("rendered"))
        objects += np.bincount(instances.categories[~instances.crowd], minlength=len(CATEGORIES))
        semantic = semantic_from_label_ids(rendered.annotation.label_ids, Path("rendered"))
        images += np.bincount(np.unique(semantic[semantic != 255]), minlength=len(CATEGORIES)) > 0
    for category in CATEGORIES:
        assert images[category.id] >= 4, category.name
        assert objects[category.id] >= 4 or not category.isthing, category.name


def test_the_styles_differ_in_looks_only() -> None:
    def grain(rendered: Rendered) -> float:
        sky = rendered.annotation.label_ids == LABEL_IDS["sky"]
        steps = np.abs(np.diff(rendered.image.mean(axis=2), axis=1))
        return float(np.median(steps[sky[:, 1:] & sky[:, :-1]]))

    def saturation(image: np.ndarray) -> float:
        return float((image.max(axis=2).astype(int) - image.min(axis=2)).mean())

    clean = [render(_config(height=128, width=256), "train", number) for number in range(4)]
    real = [render(_config(height=128, width=256, style="real"), "train", number) for number in range(4)]
    for a, b in zip(clean, real, strict=True):
        assert np.array_equal(a.annotation.instance_ids, b.annotation.instance_ids)
        assert np.abs(a.image.astype(int) - b.image).mean() > 12
        assert saturation(a.image) > 1.3 * saturation(b.image)
    assert np.mean([grain(r) for r in real]) > 1.5 * np.mean([grain(r) for r in clean])


def _empty_scene(*things: Thing) -> tuple[Scene, Look]:
    scene = sample_scene(np.random.default_rng(0), 0, 512, 256)
    camera = Camera(512, 256, 400.0, 256.0, 110.0, 1.6, 0.0)
    look = sample_look("synthetic", np.random.default_rng(0))
    return Scene(camera, scene.street, (), things, False, 0), look


def _mask(*things: Thing, of: str) -> np.ndarray:
    canvas = paint_scene(*_empty_scene(*things))
    numbers = [n for n, entity in enumerate(canvas.entities) if entity.label_id == LABEL_IDS[of]]
    return np.isin(canvas.entity, numbers)


def test_the_nearer_object_hides_the_farther() -> None:
    car = Vehicle("car", Pose(0.0, 9.0), (0.5, 0.1, 0.1), (0.5, 0.5, 0.5), "sedan")
    bus = Vehicle("bus", Pose(0.8, 22.0), (0.9, 0.8, 0.1), (0.5, 0.5, 0.5))
    alone_car, alone_bus = _mask(car, of="car"), _mask(bus, of="bus")
    overlap = alone_car & alone_bus
    assert overlap.sum() > 200
    for things in ((car, bus), (bus, car)):
        assert np.array_equal(_mask(*things, of="car"), alone_car)
        assert np.array_equal(_mask(*things, of="bus"), alone_bus & ~alone_car)


def test_size_goes_with_the_distance() -> None:
    def height_of(z: float) -> int:
        car = Vehicle("car", Pose(0.0, z), (0.5, 0.1, 0.1), (0.5, 0.5, 0.5), "sedan")
        rows = np.flatnonzero(_mask(car, of="car").any(axis=1))
        return int(rows[-1] - rows[0] + 1)

    assert height_of(12.0) == pytest.approx(2 * height_of(22.0 - 2.25 + 2.25 / 2), rel=0.2)
    assert height_of(10.0) > height_of(15.0) > height_of(30.0)


def test_a_crowd_is_one_region_without_individuals() -> None:
    clothes = Clothes((0.8, 0.6, 0.5), (0.1, 0.1, 0.1), (0.8, 0.2, 0.2), (0.2, 0.2, 0.3))
    people = tuple(Person(Pose(0.5 * n, 20.0 - 0.1 * n), 1.7, 0.0, clothes, False) for n in range(3))
    canvas = paint_scene(*_empty_scene(Crowd(people)))
    instances = instances_from_instance_ids(
        annotate(owners(canvas.entity, 2), canvas.entities, SMALLEST).instance_ids.astype(np.int32), Path("a")
    )
    assert instances.crowd.tolist() == [True]
    assert instances.categories.tolist() == [11]


def test_a_shadow_falls_away_from_the_sun() -> None:
    bus = Vehicle("bus", Pose(-3.0, 20.0), (0.9, 0.8, 0.1), (0.5, 0.5, 0.5))
    scene, look = _empty_scene(bus)
    bare, _ = _empty_scene()
    darker = paint_scene(bare, look).color.sum(axis=2) - paint_scene(scene, look).color.sum(axis=2) > 0.1
    shadow = darker & ~_mask(bus, of="bus")
    columns = np.nonzero(shadow)[1]
    middle = np.nonzero(_mask(bus, of="bus"))[1].mean()
    assert shadow.sum() > 100
    assert (columns.mean() < middle) == (look.sun[0] > 0)


def test_owners_take_the_upper_median() -> None:
    samples = np.array([[0, 1, 5, 5], [0, 1, 5, 2], [3, 3, 0, 0], [3, 0, 0, 9]], np.int32)
    assert owners(samples, 2).tolist() == [[1, 5], [3, 0]]


def test_small_objects_become_unlabeled_in_both_rasters() -> None:
    owner = np.zeros((6, 6), np.int32)
    owner[0, :3] = 1
    owner[3:, :] = 2
    entities = [Entity(7, False), Entity(26, True), Entity(26, True)]
    annotation = annotate(owner, entities, smallest=10)
    assert annotation.label_ids[0].tolist() == [0, 0, 0, 7, 7, 7]
    assert annotation.instance_ids[0].tolist() == [0, 0, 0, 7, 7, 7]
    assert np.unique(annotation.instance_ids[3:]).tolist() == [26_000]
    assert annotation.instance_ids.dtype == np.uint16


def test_edges_are_smooth_and_labels_crisp() -> None:
    scene, look = _empty_scene()
    canvas = Canvas(scene.camera, look)
    canvas.begin(7)
    canvas.begin(26, countable=True)
    canvas.polygon(np.array([(-1.0, 0.0, 10.0), (1.3, 0.0, 10.0), (0.2, 2.0, 10.0)]), (1.0, 1.0, 1.0))
    fine = canvas.color.reshape(128, 2, 256, 2, 3).mean(axis=(1, 3))
    levels = np.unique(fine[..., 0].round(4))
    assert len(levels) == 5  # 0 to 4 of a pixel's samples are covered
    assert np.unique(owners(canvas.entity, 2)).tolist() == [0, 1]


def test_manifest(tmp_path: Path) -> None:
    target, manifest = tmp_path / "mini", tmp_path / "manifest.json"
    generate_with_manifest(_config(train=1, val=1), target, manifest, workers=1)
    assert str(tmp_path) not in manifest.read_text()
    content = json.loads(manifest.read_text())
    assert content["config"]["train"] == 1
    assert content["files"] == {name: sha256(data).hexdigest() for name, data in _files(target).items()}


def test_other_settings_replace_the_data_set(tmp_path: Path) -> None:
    target, manifest = tmp_path / "mini", tmp_path / "manifest.json"
    generate_with_manifest(_config(train=2, val=1), target, manifest, workers=1)
    (tmp_path / ".mini.1.tmp").mkdir()  # left by a killed run
    generate_with_manifest(_config(train=1, val=1, seed=5), target, manifest, workers=1)
    assert json.loads(manifest.read_text())["files"].keys() == _files(target).keys()
    assert len(_files(target)) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "mini"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_leaves_the_previous_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    target, manifest = tmp_path / "mini", tmp_path / "manifest.json"
    generate_with_manifest(_config(train=1, val=1), target, manifest, workers=1)
    before = _files(target)
    if workers == 1:
        full = OSError(errno.ENOSPC, "No space left on device")
        monkeypatch.setattr(generate_module, "write_image", Mock(side_effect=[None, full]))
        expected = pytest.raises(OSError, match="No space left")
    else:
        monkeypatch.setattr("os.getpid", lambda: 1)  # the workers take their owner for dead
        expected = pytest.raises(DatasetLayoutError, match="has ended")
    with expected:
        generate_with_manifest(_config(train=2, val=1), target, manifest, workers=workers)
    assert _files(target) == before
    assert not manifest.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mini"]
