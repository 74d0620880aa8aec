"""Frozen encoders, run at every step or read from a store: what benchmarks/training.py times of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from io import StringIO
from itertools import count
from pathlib import Path

import torch
from torch import nn
from training_models import AUTOCAST, SIZES, encoders_of
from training_results import FROZEN_RUNS, Task

from vfm_fusion.config.augmentation import AugmentationConfig, RelativeScale
from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.features.extract import extraction
from vfm_fusion.features.space import used_bytes
from vfm_fusion.miniature.scenes.generate import generate
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.data import Batch
from vfm_fusion.segmentation.stored_maps import StoredMaps
from vfm_fusion.segmentation.task import SegmentationTask
from vfm_fusion.training.learner import Execution, Learner
from vfm_fusion.training.processes import Processes
from vfm_fusion.training.views import Views

IMAGES, VIEWS, STRIDE = 6, 4, 8
SCENES = MiniscapesConfig(kind="miniscapes", train=IMAGES, val=1, height=384, width=512)


def recipe_of(task: Task) -> TrainingConfig:
    """A recipe of instances in fixed views, in so far as a step depends on it."""
    return TrainingConfig(
        task="instance",
        batch_size=task.batch,
        precision=task.precision,
        cached_views=VIEWS,
        head=SIZES[task.size].head,
        augmentation=AugmentationConfig(
            crop=task.crop, scale=RelativeScale(kind="relative", range=(0.75, 1.25)), color="simple"
        ),
    )


def views_of(task: Task) -> Views:
    root = Path(task.folder) / "scenes"
    dataset = open_dataset(SCENES, root, index_split(SCENES, root, "train").frame)
    return Views(dataset, recipe_of(task).augmentation, VIEWS)


def manifest_of(task: Task, encoder: str) -> Path:
    return Path(task.folder) / f"{encoder}.zarr.manifest.json"


def write_inputs(task: Task) -> str:
    """Draws the images and stores what both encoders make of their views; says how much that is."""
    torch.set_num_threads(task.threads)
    generate(SCENES, Path(task.folder) / "scenes", workers=1)
    views, said = views_of(task), []
    for name, encoder in encoders_of(task).items():
        manifest = manifest_of(task, name)
        settings = FeaturesConfig(batch_size=task.batch, precision=str(AUTOCAST[task.precision])[6:])
        with redirect_stderr(StringIO()):
            extraction(
                dataset=views,
                dataset_name="scenes",
                encoder_name=name,
                encoder_config=encoder,
                settings=settings,
                token="benchmark",
                manifest_path=manifest,
                state_dir=Path(task.folder) / "state" / name,
            ).run()
        size = used_bytes(manifest.with_name(f"{name}.zarr")) / len(views) / 1e6
        said.append(f"{encoder.architecture} {size:.2f} MB a view")
    return f"stores in {settings.dtype}: {', '.join(said)}"


def frozen_phases(task: Task) -> Iterator[tuple[str, Callable[[], object], nn.Module]]:
    """Yields the reading of a batch, and a whole step of training with it, and the model."""
    torch.set_num_threads(task.threads)
    run, stored = frozen_run(task)
    encoders, views, recipe = encoders_of(task), views_of(task), recipe_of(task)
    strides = (STRIDE,) if run.auxiliary else ()
    model = build_segmenter(run, encoders, strides, recipe.head, len(views.categories), task.seed)
    manifests = {name: manifest_of(task, name) for name in encoders}
    maps = StoredMaps(views.ids, run, manifests, model.read_strides) if stored else None
    learned = SegmentationTask(model, len(views.categories), recipe, task.seed, views, maps=maps)
    learner = Learner(learned, Execution(task.precision), Processes(0, 1, torch.device(task.device)))
    steps, sampler = count(), learned.sampler()

    def read() -> Batch:
        number = next(steps)
        return learned.batch(number, sampler.of_step(number))

    def step() -> None:
        batch = read()
        learner.differentiate(0, batch, learned.totals(batch))
        learner.update(0)

    yield "reading", read, model
    yield "training", step, model


def frozen_run(task: Task) -> tuple[RunConfig, bool]:
    """The run, and whether it reads stored maps."""
    fused, stored = FROZEN_RUNS[task.model]
    return RunConfig(master="master", train_master=False, auxiliary="auxiliary" if fused else None), stored
