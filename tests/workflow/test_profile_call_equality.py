"""The one call gives the numbers of a finished run: profiles, selection and stability."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from working_copy import Workflow

import vfm_fusion
from vfm_fusion.study.resolve import resolve


def test_the_call_gives_the_numbers_of_a_run(finished: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.folder)
    settings = json.loads(
        json.dumps({"experiment": "quick", "datasets": {"miniscapes": {"train": 8, "val": 5}}})
    )
    config = resolve(settings, finished.folder / "experiments")
    index = pd.read_parquet(finished.results / "datasets" / "miniscapes" / "val.parquet")
    photos = [finished.results / "data" / "miniscapes" / path for path in index["image"]]
    result = vfm_fusion.profile(
        config.encoders,
        photos,
        definition=config.metrics.definitions,
        strides=config.metrics.strides,
        bootstrap=config.metrics.bootstrap,
        seed=config.metrics.seed,
        batch_size=1,
        image_size=config.features.image_size,
        max_images=config.features.max_images,
        progress=False,
        name="miniscapes",
    )
    metrics = finished.results / "metrics" / "miniscapes"
    for encoder, scores in result.scores.items():
        of_run = pd.read_parquet(metrics / f"{encoder}.parquet")
        assert_frame_equal(scores.drop(columns="image_id"), of_run.drop(columns="image_id"))
    table = pd.read_csv(finished.results / "tables" / "profiles.csv")
    own = result.frame.drop(columns=["label", "pretraining"])
    assert_frame_equal(own, table[own.columns], check_dtype=False, rtol=1e-9)
    selection = json.loads((finished.results / "selection" / "miniscapes" / "selection.json").read_text())
    assert result.selection() == selection
