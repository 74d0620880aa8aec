"""Training and evaluation on real photos, labels and weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vfm_fusion.config.datasets import FolderConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.evaluation import EvaluationConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.evaluation.evaluate import evaluate_run
from vfm_fusion.evaluation.predict import predict_run
from vfm_fusion.segmentation.job import train_run

pytestmark = pytest.mark.realdata


def split(config: FolderConfig, name: str, images: int) -> Dataset:
    root = Path(config.root)
    return open_dataset(config, root, index_split(config, root, name).frame.head(images))


def test_a_fused_run_trains_and_evaluates_on_camvid(
    realdata: Path, tmp_path: Path, recipe: TrainingConfig
) -> None:
    weights = realdata / "weights"
    encoders = {
        name: EncoderConfig.model_validate(
            {
                "architecture": architecture,
                "weights": {"source": "file", "path": str(weights / file), "pretraining": "real"},
            }
        )
        for name, architecture, file in (
            (
                "mobilenet",
                "mobilenetv2_100",
                "mobilenetv2_100.tf2_mobilenet_v2_1.0_224_ptq.dequant.safetensors",
            ),
            ("r2d2", "r2d2_n16", "r2d2_WASF_N16.pt"),
        )
    }
    camvid = FolderConfig(kind="camvid", root=str(realdata / "images" / "camvid"))
    out = tmp_path / "fused" / "seed0"
    train_run(
        run=RunConfig(master="mobilenet", auxiliary="r2d2"),
        encoders=encoders,
        strides=(4,),
        training=recipe.model_copy(update={"task": "semantic"}),
        seed=0,
        dataset=split(camvid, "val", 3),
        out_dir=out,
        state_dir=tmp_path / "state",
        token="t",
    )
    val = split(camvid, "val", 2)
    predictions = out / "camvid" / "predictions.h5"
    predict_run(
        run_dir=out,
        predictions=predictions,
        dataset=val,
        encoders=encoders,
        inference=EvaluationConfig(batch_size=2),
    )
    found = evaluate_run(predictions=predictions, dataset=val, dataset_name="camvid", protocol="coco")
    assert 0 <= found["metrics"]["mIoU"] < 100
    assert found["metrics"]["AP"] is None
    assert str(realdata) not in json.dumps(found)
    assert str(realdata) not in (out / "run.json").read_text(encoding="utf-8")
