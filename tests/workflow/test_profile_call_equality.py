"""The one call gives the numbers of a finished run: its profiles, its table, its selection."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pandas.testing import assert_frame_equal
from working_copy import Workflow

import vfm_fusion
from vfm_fusion.study.resolve import validate


def test_the_call_gives_the_numbers_of_a_run(finished: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.folder)  # the weights' paths start there
    results = finished.results
    config = validate(yaml.safe_load((results / "config.resolved.yaml").read_text(encoding="utf-8")))
    index = pd.read_parquet(results / "datasets" / "miniscapes" / "val.parquet")
    photos = {
        image_id: Path(path).name for image_id, path in zip(index["image_id"], index["image"], strict=True)
    }
    result = vfm_fusion.profile(
        config.encoders,
        [results / "data" / "miniscapes" / path for path in index["image"]],
        definition=config.metrics.definitions,
        strides=config.metrics.strides,
        bootstrap=config.metrics.bootstrap,
        seed=config.metrics.seed,
        batch_size=config.features.batch_size,
        progress=False,
        name="miniscapes",
    )
    for encoder, scores in result.scores.items():
        of_run = pd.read_parquet(results / "metrics" / "miniscapes" / f"{encoder}.parquet")
        of_run["image_id"] = of_run["image_id"].map(photos)
        key = ["image_id", "definition", "stride", "score"]
        assert_frame_equal(*(frame.sort_values(key, ignore_index=True) for frame in (scores, of_run)))
    table = pd.read_csv(results / "tables" / "profiles.csv")
    assert_frame_equal(result.frame[table.columns], table, check_dtype=False, rtol=1e-9)
    selection = json.loads((results / "selection" / "miniscapes" / "selection.json").read_text())
    assert result.selection() == selection
