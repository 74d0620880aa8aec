"""experiments/paper.yaml describes every run of the paper's tables, as the published values name them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from vfm_fusion.config.schema import Config
from vfm_fusion.study.comparisons import comparisons
from vfm_fusion.study.resolve import resolve

ROOT = Path(__file__).parents[3]
PUBLISHED = pd.read_csv(ROOT / "resources/published/metric_guided_fusion.csv", dtype={"table": str})

ENCODERS = {"SAM": "sam", "SAM2": "sam2", "DINOv2": "dinov2", "DINOv3": "dinov3"}

Model = tuple[str, bool, str | None, tuple[object, ...]]
"""Master, whether it is trained, auxiliary, injection strides."""


@pytest.fixture(scope="module")
def paper() -> Config:
    return resolve({"experiment": "paper"}, ROOT / "experiments")


def models(config: Config, comparison: str) -> set[Model]:
    """What is trained in one comparison; every auxiliary is frozen and replaces, unless said otherwise."""
    group = {group.name: runs for group, runs in comparisons(config).items()}[comparison]
    found = set()
    for name in group:
        run = config.runs[name]
        if run.auxiliary is None or (run.fusion.operator, run.train_auxiliary) == ("replace", False):
            strides = run.fusion.strides if run.auxiliary else ()
            found.add((run.master, run.train_master, run.auxiliary, strides))
    return found


D3S2: Model = ("dinov3", True, "sam2", ("selected",))
LARGE: tuple[Model, ...] = (
    ("dinov3-l", True, None, ()),
    ("sam2-l", False, None, ()),
    ("dinov3-l", True, "sam2-l", ("selected",)),
)
BASE: tuple[Model, ...] = (("dinov3", True, None, ()), ("sam2", False, None, ()), D3S2)


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("coco-instance", (("swin", True, None, ()), *BASE)),  # Table 1
        ("cityscapes-instance", (("swin", True, None, ()), *BASE)),  # Table 2
        ("cityscapes-semantic", (("swin", True, None, ()), *BASE)),
        ("ade20k-semantic", BASE),  # Table 3
        ("kitti360-instance", BASE),
        ("coco-panoptic-panoptic", BASE),
        ("urbansyn-to-cityscapes-instance", LARGE),
        ("synscapes-to-cityscapes-instance", LARGE),
    ],
)
def test_tables_1_to_3(paper: Config, comparison: str, expected: tuple[Model, ...]) -> None:
    assert set(expected) <= models(paper, comparison)


def test_table_4(paper: Config) -> None:
    published = PUBLISHED[PUBLISHED["table"] == "4"]
    alone = {(ENCODERS[m], mode == "FT") for m, mode in _pairs(published) if m in ENCODERS}
    assert len(alone) == 8
    trained = models(paper, "cityscapes-instance")
    assert {(encoder, tuned, None, ()) for encoder, tuned in alone} <= trained
    assert {D3S2, ("sam2", False, "dinov3", ("selected",))} <= trained


def test_table_6(paper: Config) -> None:
    published = PUBLISHED[PUBLISHED["table"] == "6"]
    wanted = set()
    for row in published.itertuples():
        master, auxiliary = row.model.split("master ")[1].split(", auxiliary ")
        tuned, frozen = row.mode.split("/")
        assert frozen == "FZ"
        stride = (int(row.output_stride),)
        wanted.add((ENCODERS[master], tuned == "FT", ENCODERS[auxiliary], stride))
    assert len(wanted) == 16
    assert wanted <= models(paper, "cityscapes-instance")


def test_table_10(paper: Config) -> None:
    trained = models(paper, "cityscapes-instance")
    for master in ("dinov2", "dinov3"):
        assert (master, True, None, ()) in trained
        assert {(master, True, "sam2", (stride,)) for stride in (4, 8, 16, 32)} <= trained


def test_the_recipes_are_those_of_the_paper(paper: Config) -> None:
    def said(run: str) -> tuple[object, ...]:
        recipe = paper.training_of(run)
        return recipe.task, recipe.steps, recipe.head.queries, recipe.augmentation.crop

    assert said("d3s2") == ("instance", 180_000, 100, (512, 1024))
    assert said("d3s2-semantic") == ("semantic", 180_000, 100, (512, 1024))
    assert said("d3s2-coco") == ("instance", 368_750, 200, (1024, 1024))
    assert said("d3s2-panoptic") == ("panoptic", 368_750, 100, (1024, 1024))
    assert said("d3s2-ade20k") == ("semantic", 160_000, 100, (640, 640))
    assert said("d3s2-kitti360") == said("d3s2-l-urbansyn") == said("d3s2-l-synscapes") == said("d3s2")
    for run in paper.runs:
        recipe = paper.training_of(run)
        shared = (recipe.batch_size, recipe.learning_rate, recipe.weight_decay, recipe.clip_norm)
        assert shared == (3, 1e-4, 0.05, 0.01)
        assert recipe.encoder_lr_multiplier == 0.1
        head = recipe.head
        assert (head.hidden_dim, head.decoder_layers, head.points) == (256, 9, 12_544)
    assert paper.training.seeds == (0, 1, 2)
    assert paper.evaluation_of("d3s2").resize is None
    assert paper.evaluation_of("d3s2-coco").resize.short_side == 800
    assert paper.evaluation_of("d3s2-ade20k").resize.short_side == 640


def test_the_pair_is_chosen_among_encoders_of_one_scale(paper: Config) -> None:
    assert set(paper.encoders) - set(paper.selection.among) == {"dinov3-l", "sam2-l"}


def _pairs(published: pd.DataFrame) -> Iterator[tuple[str, str]]:
    return published[["model", "mode"]].drop_duplicates().itertuples(index=False, name=None)
