"""Every cell of ``experiments/interactive_paper.yaml`` at its own size: from SBD's files to a step on a CPU.

Encoder and learned upsamplers have weights from seeds, the latter in the files where the experiment looks for
its own. Which data sets are clicked afterwards does not enter a step. A batch holds one image where the
recipe takes eight: the head at 224 x 224 pixels takes ten seconds of a core and a gigabyte for each. What the
encoder makes of a crop is not shared between cells, since it is a hundredth of what the head takes.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.io import savemat

from vfm_fusion.config.encoders import SeededWeights
from vfm_fusion.config.interactive import Cell
from vfm_fusion.config.upsampling import UpsamplerConfig
from vfm_fusion.datasets.index import write_index
from vfm_fusion.datasets.registry import index_split
from vfm_fusion.interactive import click_job
from vfm_fusion.interactive.click_job import ClickJob
from vfm_fusion.interactive.click_task import ClickTask
from vfm_fusion.study.interactive_settings import ClickSettings
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study
from vfm_fusion.training.learner import Execution, Learner
from vfm_fusion.training.processes import Processes
from vfm_fusion.upsampling.build import build_upsampler

pytestmark = [
    pytest.mark.slow("a step of every cell of the published grid"),
    pytest.mark.full_size,
    pytest.mark.timeout(900),
]

PAPER = resolve({"experiment": "interactive_paper"}, Path(__file__).parents[3] / "experiments")
CPU = torch.device("cpu")
WIDTH = 384
STEP = 2
"""A step with one round of iterative clicks."""
UPSAMPLERS = {
    "low-res": 0,
    "bilinear": 0,
    "lift": 1_187_280,
    "featup": 172_772,
    "loftup": 4_303_894,
    "jafar": 628_480,
    "anyup": 878_080,
    "naf": 662_528,
    "uplift": 789_521,
}
CLICK_ENCODERS = {"early": 226_176, "late": 14_408_472}
HEAD = 2_655_361


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """The experiment with data and weights where it looks for them."""
    root = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VFM_DATA", str(root))
        patch.setenv("VFM_WEIGHTS", str(root))
        write_sbd(root / "SBD")
        for upsampler in PAPER.upsamplers.values():
            if upsampler.weights is not None:
                write_weights(upsampler)
        seeded = {
            name: encoder.model_copy(update={"weights": SeededWeights(source="seeded")})
            for name, encoder in PAPER.encoders.items()
        }
        yield Study(PAPER.model_copy(update={"encoders": seeded}))


@pytest.fixture(scope="module")
def index(experiment: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of the images that click models learn from."""
    config = experiment.config.datasets[experiment.config.interactive.trained_on]
    path = tmp_path_factory.mktemp("index") / "train.parquet"
    write_index(index_split(config, Path(os.path.expandvars(config.root)), "train").frame, path)
    return path


def write_sbd(root: Path) -> None:
    """A training image of VOC's size with a person and a dog that hides some of it."""
    rows, cols = np.mgrid[:375, :500]
    objects = np.zeros(rows.shape, np.uint8)
    objects[(rows - 180) ** 2 + (cols - 210) ** 2 < 130**2] = 1
    objects[(rows - 230) ** 2 + (cols - 330) ** 2 < 100**2] = 2
    noise = np.random.default_rng(0).integers(0, 40, (*rows.shape, 3))
    (root / "img").mkdir(parents=True)
    Image.fromarray((80 * objects[..., None] + noise).astype(np.uint8)).save(root / "img/2008_000001.jpg")
    classes = np.array([0, 15, 12], np.uint8)
    for folder, name, content in (
        ("cls", "GTcls", {"Segmentation": classes[objects]}),
        ("inst", "GTinst", {"Segmentation": objects, "Categories": classes[1:, None]}),
    ):
        (root / folder).mkdir()
        savemat(root / folder / "2008_000001.mat", {name: content})
    (root / "train.txt").write_text("2008_000001\n")


def write_weights(upsampler: UpsamplerConfig) -> None:
    """Weights from a seed, as a file of the kind that the authors publish."""
    path = Path(os.path.expandvars(upsampler.weights.path))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = build_upsampler(upsampler.architecture, WIDTH, **upsampler.class_settings).state_dict()
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)


def job_of(experiment: Study, cell: Cell, index: Path) -> ClickJob:
    """The job of the rule ``train_clicks``, with one image a step."""
    settings = json.loads(ClickSettings(experiment).training(cell.encoder, cell.upsampler, cell.clicks))
    parts = {name: settings[name] for name in ("cell", "encoder", "upsampler", "clicks")}
    told = {
        "parts": {**parts, "trained_upsampler": None},
        "recipe": {**settings["recipe"], "batch_size": 1},
        "seed": 0,
        "dataset": settings["dataset"],
        "index": str(index),
        "maps": settings["maps"],
        "workers": 0,
        **dict.fromkeys(("generated", "out_dir", "state_dir", "token"), ""),
    }
    return ClickJob.model_validate_json(json.dumps(told))


def task_of(job: ClickJob) -> ClickTask:
    """What the job trains."""
    made: list[ClickTask] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click_job, "train", lambda build, **_: made.append(build()))
        job.train(Processes(0, 1, CPU))
    return made[0]


@pytest.mark.parametrize("cell", PAPER.interactive.cells, ids=lambda cell: f"{cell.upsampler}-{cell.clicks}")
def test_a_cell_of_the_published_grid_makes_a_step(
    experiment: Study, index: Path, cell: Cell, capsys: pytest.CaptureFixture[str]
) -> None:
    gc.collect()  # the model before
    task = task_of(job_of(experiment, cell, index))
    assert task.description["parameters"] == {
        "encoder": sum(p.numel() for p in task.model.featurizer.parameters()),
        "upsampler": UPSAMPLERS[cell.upsampler],
        "click_encoder": CLICK_ENCODERS[cell.clicks],
        "head": HEAD,
    }
    assert task.model.featurizer.grid((224, 224)) == (16, 16)
    learner = Learner(task, Execution(), Processes(0, 1, CPU))
    batch = task.batch(STEP, task.sampler().of_step(STEP))
    assert batch["image"].shape == (1, 224, 224, 3)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    learned = task.model.learned().keys()

    started = time.perf_counter(), time.process_time()
    losses = learner.differentiate(STEP, batch, task.totals(batch))
    learner.update(STEP)
    seconds, cpu = time.perf_counter() - started[0], time.process_time() - started[1]

    assert 0 < losses.loss < float("inf")
    assert 0 < losses.grad_norm < float("inf")
    for name, parameter in task.model.named_parameters():
        assert parameter.requires_grad == (name in learned), name
        assert (parameter.grad is not None) == (name in learned), name
        assert name not in learned or bool(parameter.grad.isfinite().all()), name
    after = task.model.state_dict()
    assert {name for name, value in before.items() if not torch.equal(value, after[name])} == set(learned)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with capsys.disabled():
        print(
            f"\n{cell.upsampler}, {cell.clicks}: loss {losses.loss:.3f}, step {seconds:.0f} s "
            f"({cpu:.0f} s of CPU), peak of the process {peak:.1f} GiB"
        )
