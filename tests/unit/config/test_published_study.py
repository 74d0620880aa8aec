"""The studies in docs/ are those that experiments/ describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from vfm_fusion.study.resolve import resolve

ROOT = Path(__file__).parents[3]
STUDY = ROOT / "docs" / "study"
PUBLISHED = sorted((ROOT / "docs").glob("*/config.resolved.yaml"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_what_was_published_was_run_with_these_settings(path: Path) -> None:
    published = yaml.safe_load(path.read_text(encoding="utf-8"))
    experiment = published["experiment"]
    assert path.parent.name == experiment.replace("_", "-")
    current = resolve({"experiment": experiment}, ROOT / "experiments").model_dump(mode="json")
    assert list(differing(published, current)) == []


def differing(published: Any, current: Any, path: str = "") -> Any:
    """Paths of published settings that are others now; settings that came later do not count."""
    if isinstance(published, dict) and isinstance(current, dict):
        for key, value in published.items():
            yield from differing(value, current.get(key), f"{path}.{key}")
    elif published != current:
        yield path


@pytest.mark.parametrize("metric", ["AP", "mIoU", "PQ"])
def test_every_setting_has_every_stride_and_seed(metric: str) -> None:
    table = pd.read_csv(STUDY / "tables" / "injection_stride.csv", dtype={"seed": str, "stride": str})
    values = table[(table["metric"] == metric) & (table["statistic"] == "value") & (table["seed"] != "all")]
    found = {(row.setting, row.stride, row.seed) for row in values.itertuples()}
    assert found == {(s, k, seed) for s in "ABCD" for k in ("4", "8", "16", "32") for seed in "01234"}
    assert values["value"].between(0, 100).all()
