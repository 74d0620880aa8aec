"""One process or several, one micro-batch or several: the same training."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.index import write_index
from vfm_fusion.datasets.registry import index_split, open_indexed
from vfm_fusion.errors import TrainingError
from vfm_fusion.features.extract import extraction
from vfm_fusion.miniature.scenes.generate import generate_with_manifest
from vfm_fusion.segmentation.job import SegmentationJob
from vfm_fusion.training.job import run_job
from vfm_fusion.training.processes import single_process
from vfm_fusion.training.views import Views

pytestmark = pytest.mark.timeout(300)

FUSED = {"run": RunConfig(master="swin", auxiliary="vit"), "strides": (32,)}
"""Stride 32 is replaced, so the master's last stage trains in name only. The master has stochastic depth."""

SWIN = EncoderConfig.model_validate({"architecture": "mini_swin", "weights": {"source": "seeded", "seed": 1}})


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Generated street scenes, several objects each, and their index."""
    folder = tmp_path_factory.mktemp("scenes")
    config = MiniscapesConfig(kind="miniscapes", train=8, val=1, height=64, width=128)
    generate_with_manifest(
        config, target=folder / "scenes", manifest_path=folder / "scenes.manifest.json", workers=1
    )
    write_index(index_split(config, folder / "scenes", "train", workers=1).frame, folder / "train.parquet")
    return {
        "dataset": config.model_dump(mode="json"),
        "index": str(folder / "train.parquet"),
        "generated": str(folder / "scenes"),
    }


@pytest.fixture
def job(tmp_path: Path, scenes: dict, encoders: dict[str, EncoderConfig], recipe: TrainingConfig):
    """Builds a job of four images a step under ``tmp_path/<folder>``."""

    def build(folder: str, token: str = "t", **changes) -> SegmentationJob:
        settings = {"batch_size": 4, "log_every": 1} | changes
        return SegmentationJob(
            **FUSED,
            **scenes,
            encoders=encoders | {"swin": SWIN},
            training=recipe.model_copy(update=settings),
            seed=0,
            out_dir=str(tmp_path / folder / "fused" / "seed0"),
            state_dir=str(tmp_path / folder / "state"),
            token=token,
            maps={},
            upsamplers={},
        )

    return build


def train(job: SegmentationJob) -> tuple[dict[str, torch.Tensor], list[dict[str, float]], str]:
    """Trains and returns weights, the rows of metrics.csv and the description of the run."""
    run_job(job, job.training.devices, threads=2)
    folder = Path(job.out_dir)
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return load_file(folder / "model.safetensors"), rows, (folder / "run.json").read_text(encoding="utf-8")


def close(found: tuple, expected: tuple) -> None:
    """Compares two trainings up to the order of sums.

    A bias before a group norm of one channel a group has no gradient but rounding, which AdamW makes a step.
    """
    (weights, rows, description), (weights_expected, rows_expected, description_expected) = found, expected
    assert description == description_expected
    assert weights.keys() == weights_expected.keys()
    for name, weight in weights.items():
        if "input_projections" not in name or not name.endswith("0.bias"):
            torch.testing.assert_close(weight, weights_expected[name], rtol=1e-5, atol=5e-6, msg=name)
    for row, row_expected in zip(rows, rows_expected, strict=True):
        assert row == pytest.approx(row_expected, rel=1e-5)


def same(found: tuple, expected: tuple) -> None:
    """Compares two trainings bit by bit."""
    assert found[1:] == expected[1:]
    assert found[0].keys() == expected[0].keys()
    assert all(torch.equal(weight, expected[0][name]) for name, weight in found[0].items())


@pytest.mark.parametrize("accumulate", [2, 4])
def test_micro_batches_change_nothing_but_the_order_of_sums(job, accumulate: int) -> None:
    close(train(job("divided", accumulate=accumulate)), train(job("whole")))


def test_two_processes_train_as_one_with_two_micro_batches(job, tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    same(train(job("shared", devices=2)), train(job("divided", accumulate=2)))
    assert "[0] INFO vfm_fusion.training.loop: " in caplog.text
    assert "step 4 of 4: loss" in caplog.text
    assert "WARNING" not in caplog.text
    assert sorted(path.name for path in (tmp_path / "shared" / "fused" / "seed0").iterdir()) == [
        "metrics.csv",
        "model.safetensors",
        "run.json",
        "tensorboard",
    ]
    assert len(list((tmp_path / "shared" / "fused" / "seed0" / "tensorboard").iterdir())) == 1


@pytest.mark.slow("two processes that start, and train until they are ended")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_processes_with_micro_batches_each_change_nothing_but_the_order_of_sums(job, precision: str) -> None:
    both = train(job("both", devices=2, accumulate=2, precision=precision))
    if precision == "32-true":
        close(both, train(job("whole")))
    else:  # a decoder in bfloat16 turns the last digit of a sum into the third
        losses = [
            [row["loss"] for row in rows] for rows in (both[1], train(job("whole", precision=precision))[1])
        ]
        assert losses[0] == pytest.approx(losses[1], rel=0.01)


@pytest.mark.slow("two processes that start, and train until they are ended")
def test_processes_share_the_stored_maps_of_frozen_encoders(job, tmp_path: Path) -> None:
    run = RunConfig(master="vit", train_master=False, auxiliary="hiera")
    frozen = job("whole", cached_views=2).model_copy(update={"run": run, "strides": (8,)})
    dataset = open_indexed(frozen.dataset, Path(frozen.index), Path(frozen.generated))
    for name in ("vit", "hiera"):
        extraction(
            dataset=Views(dataset, frozen.training.augmentation, 2),
            dataset_name="scenes",
            encoder_name=name,
            encoder_config=frozen.encoders[name],
            settings=FeaturesConfig(dtype="float32"),
            token="t",
            manifest_path=tmp_path / f"{name}.zarr.manifest.json",
            state_dir=tmp_path / "state" / name,
        ).run()
    maps = {name: str(tmp_path / f"{name}.zarr.manifest.json") for name in ("vit", "hiera")}

    def reading(folder: str, **changes: int) -> SegmentationJob:
        like = {"run": run, "strides": (8,), "maps": maps}
        return job(folder, cached_views=2, **changes).model_copy(update=like)

    same(train(reading("shared", devices=2)), train(reading("divided", accumulate=2)))
    close(train(frozen), train(reading("alone")))


def test_a_lone_process_does_not_train_for_two(job) -> None:
    lone = job("lone", devices=2)
    with pytest.raises(TrainingError, match=r"training\.devices is 2, but 1 came to train"):
        lone.train(single_process())
