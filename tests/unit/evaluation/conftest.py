"""Runs that were never trained, and their way from images to scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from evaluation_scenes import CATEGORIES, HEAD, Scenes

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Category
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.evaluation.predict import predict_run
from vfm_fusion.segmentation.build import build_segmenter
from vfm_fusion.segmentation.task_classes import TaskClasses
from vfm_fusion.segmentation.trained import describe_run, save_run


@pytest.fixture
def encoders() -> dict[str, EncoderConfig]:
    weights = {"source": "seeded", "seed": 1}
    return {
        name: EncoderConfig.model_validate({"architecture": architecture, "weights": weights})
        for name, architecture in (("vit", "mini_vit"), ("hiera", "mini_hiera"))
    }


@pytest.fixture
def untrained(tmp_path: Path, encoders: dict[str, EncoderConfig]):
    """Writes a run that was not trained, and returns its folder."""

    def make(
        task: str = "panoptic",
        auxiliary: str | None = "hiera",
        categories: Sequence[Category] = CATEGORIES,
        name: str = "fused",
    ) -> Path:
        run = RunConfig(master="vit", auxiliary=auxiliary)
        strides = () if auxiliary is None else (8,)
        model = build_segmenter(run, encoders, strides, HEAD, len(TaskClasses.of(task, categories)), 5)
        description = describe_run(
            name=name,
            run=run,
            encoders=encoders,
            strides=strides,
            training=TrainingConfig(task=task, head=HEAD),
            seed=5,
            categories=tuple(categories),
            model=model,
        )
        folder = tmp_path / task / name / "seed5"
        save_run(folder, model, description)
        return folder

    return make


@pytest.fixture
def scored(encoders: dict[str, EncoderConfig]):
    def run(folder: Path, dataset=None, protocol: str = "coco", **settings) -> dict:
        dataset = Scenes() if dataset is None else dataset
        predictions = folder / "predictions.h5"
        predict_run(
            run_dir=folder,
            predictions=predictions,
            dataset=dataset,
            encoders=encoders,
            inference=EvaluationConfig(**settings),
        )
        return evaluate_run(
            predictions=predictions, dataset=dataset, dataset_name="scenes", protocol=protocol
        )

    return run
