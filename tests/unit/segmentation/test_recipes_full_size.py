"""The recipes of ``experiments/paper.yaml`` at their own size: from a real photo to a step on a CPU.

The models are the paper's pairs with seeded weights, fused at OS 16. A batch holds one image where the recipe
takes three, which keeps the file within minutes; encoders are built once. Cityscapes and COCO are real files.
Of ADE20K, KITTI-360, UrbanSyn and Synscapes none is to be had: their recipes run on real photos of the data
sets that are there, cut to the size of theirs and with their classes (:class:`ShownAs`).
"""

from __future__ import annotations

import functools
import gc
import math
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from coco_sample import lay_out_as_coco_2017

import vfm_fusion.segmentation.build as build
from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.schema import Config
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances, Sample
from vfm_fusion.datasets.kinds import reader
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.segmentation.data import Batch, MaskDataset
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.task import SegmentationTask
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.study.resolve import resolve
from vfm_fusion.training.learner import Execution, Learner
from vfm_fusion.training.processes import Processes

pytestmark = [
    pytest.mark.slow("a step of models of the paper's size"),
    pytest.mark.full_size,
    pytest.mark.realdata,
    pytest.mark.timeout(900),
]

STRIDES = (16,)
CPU = torch.device("cpu")
SIZES = {"kitti360": (376, 1408), "urbansyn": (1024, 2048), "synscapes": (720, 1440), "ade20k": (256, 256)}
"""Height and width of what the pictures of a data set are cut to; ADE20K has many sizes."""


class ShownAs:
    """Real labelled photos, cut to the size of another data set's images, with that data set's classes.

    Class k of the photos becomes class k modulo the number of classes.
    """

    def __init__(self, photos: Dataset, kind: str) -> None:
        self.photos, self.size = photos, SIZES[kind]
        self.categories: tuple[Category, ...] = reader(kind).categories

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Sample:
        found = self.photos[index]
        height, width = self.size
        top, left = (
            max(0, (have - want) // 2) for have, want in zip(found.image.shape[:2], self.size, strict=True)
        )
        cut = np.s_[top : top + height, left : left + width]
        semantic = found.semantic[cut]
        semantic = np.where(semantic == VOID, VOID, semantic % len(self.categories)).astype(np.uint8)
        instances = found.instances
        if instances is not None:
            instances = Instances(instances.ids[cut], instances.categories, instances.crowd)
        return Sample(found.image_id, found.image[cut], semantic, instances)


@pytest.fixture(scope="module")
def paper(repository: Path) -> Config:
    return resolve({"experiment": "paper"}, repository / "experiments")


@pytest.fixture(scope="module")
def photos(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset | ShownAs]:
    """A training split for every data set of the experiment, by its kind."""
    images = realdata / "images"
    cityscapes = opened("cityscapes", images / "cityscapes", "train")
    coco = lay_out_as_coco_2017(realdata, tmp_path_factory.mktemp("coco"))
    return {
        "cityscapes": cityscapes,
        "coco_instance": opened("coco_instance", coco, "val"),
        "coco_panoptic": opened("coco_panoptic", coco, "val"),
        "ade20k": ShownAs(opened("coco_stuff", images / "coco_stuff", "train"), "ade20k"),
        **{kind: ShownAs(cityscapes, kind) for kind in ("kitti360", "urbansyn", "synscapes")},
    }


@pytest.fixture(scope="module")
def shared_encoders() -> Iterator[None]:
    """Builds every encoder once for all tests of this file."""
    original = build.build_encoder
    by_text = functools.cache(lambda text: original(EncoderConfig.model_validate_json(text)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "build_encoder", lambda config: by_text(config.model_dump_json()))
        yield
    by_text.cache_clear()


def opened(kind: str, root: Path, split: str) -> Dataset:
    config = FolderConfig(kind=kind, root=str(root))
    return open_dataset(config, root, index_split(config, root, split).frame)


def first_batch(dataset: Dataset | ShownAs, recipe: TrainingConfig) -> Batch:
    """The first image of the stream whose crop shows something to learn."""
    data = MaskDataset(dataset, recipe.task, recipe.augmentation, seed=0)
    places = ((position, position % len(data)) for position in range(100))
    return data.batch([next(place for place in places if len(data[place][2]))]).to(CPU)


def built(paper: Config, run: str, classes: TaskClasses) -> FusedSegmenter:
    """The run's model with seeded weights, injected at OS 16."""
    encoders = {
        name: encoder.model_copy(update={"weights": SeededWeights(source="seeded")})
        for name, encoder in paper.encoders.items()
    }
    head = paper.training_of(run).head
    return build.build_segmenter(paper.runs[run], encoders, STRIDES, head, len(classes), 0).train()


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("d3s2", ("instance", (512, 1024), 8, 100)),
        ("d3s2-semantic", ("semantic", (512, 1024), 19, 100)),
        ("d3s2-coco", ("instance", (1024, 1024), 80, 200)),
        ("d3s2-panoptic", ("panoptic", (1024, 1024), 133, 100)),
        ("d3s2-ade20k", ("semantic", (640, 640), 150, 100)),
        ("d3s2-kitti360", ("instance", (512, 1024), 8, 100)),
        ("d3s2-l-urbansyn", ("instance", (512, 1024), 8, 100)),
    ],
)
def test_a_real_batch_makes_a_step(
    paper: Config,
    photos: dict[str, Dataset | ShownAs],
    shared_encoders: None,
    run: str,
    expected: tuple[str, tuple[int, int], int, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = paper.training_of(run)
    dataset = photos[paper.datasets[paper.dataset_of(run)].kind]
    classes = TaskClasses.of(recipe.task, dataset.categories)
    found = (recipe.task, recipe.augmentation.crop, len(classes), recipe.head.queries)
    assert found == expected
    batch = first_batch(dataset, recipe)
    assert batch.images.shape == (1, 3, *recipe.augmentation.crop)
    gc.collect()  # the model before
    model = built(paper, run, classes)
    task = SegmentationTask(model, len(classes), recipe.model_copy(update={"batch_size": 1}), 0)
    learner = Learner(task, Execution(recipe.precision), Processes(0, 1, CPU))
    before = {name: value.clone() for name, value in model.auxiliary.state_dict().items()}
    queries = next(p for name, p in model.head.named_parameters() if "queries" in name)
    initial = queries.detach().clone()

    started = time.perf_counter(), time.process_time()
    losses = learner.differentiate(0, batch, task.totals(batch))
    learner.update(0)
    seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]

    assert math.isfinite(losses.loss)
    assert math.isfinite(losses.grad_norm)
    assert not torch.equal(queries, initial)
    assert all(p.grad is None for p in model.auxiliary.parameters())
    after = model.auxiliary.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert any(p.grad is not None for p in model.master.parameters())
    with capsys.disabled():
        print(
            f"\n{run}: {len(batch.labels[0])} objects or regions, loss {losses.loss:.1f}, "
            f"{model.count_parameters()['total'] / 1e6:.0f} M parameters, step {seconds:.0f} s "
            f"({cpu:.0f} s of CPU), peak of the process "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
        )


def test_synscapes_is_trained_on_as_urbansyn_is(paper: Config, photos: dict[str, Dataset | ShownAs]) -> None:
    """Same recipe and model, so that only the data differ."""
    runs = ["d3s2-l-urbansyn", "d3s2-l-synscapes"]
    assert paper.training_of(runs[0]) == paper.training_of(runs[1]) == paper.training_of("d3s2")
    assert {paper.targets_of(run) for run in runs} == {("cityscapes",)}
    batch = first_batch(photos["synscapes"], paper.training_of(runs[1]))
    assert batch.images.shape == (1, 3, 512, 1024)
    assert batch.masks[0].flatten(1).any(dim=1).all()
