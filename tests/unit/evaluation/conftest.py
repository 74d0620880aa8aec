"""Runs that were never trained, and their way from images to scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from evaluation_scenes import CATEGORIES, Scenes

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.head import HeadConfig
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
        head = HeadConfig(
            pyramid_channels=(8, 8, 8, 8),
            hidden_dim=32,
            heads=2,
            pixel_decoder_layers=1,
            pixel_decoder_feedforward_dim=32,
            decoder_layers=1,
            feedforward_dim=32,
            queries=8,
            points=64,
        )
        run = RunConfig(master="vit", auxiliary=auxiliary)
        strides = () if auxiliary is None else (8,)
        model = build_segmenter(run, encoders, strides, head, len(TaskClasses.of(task, categories)), 5)
        description = describe_run(
            name=name,
            run=run,
            encoders=encoders,
            strides=strides,
            training=TrainingConfig(task=task, head=head),
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
        predictions = predict_run(
            run_dir=folder, dataset=dataset, encoders=encoders, inference=EvaluationConfig(**settings)
        )
        return evaluate_run(
            predictions=predictions, dataset=dataset, dataset_name="scenes", protocol=protocol
        )

    return run
