"""Our measures give what the field's own tools give, on the same perturbed predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import perturbed_scenes
import pytest

from vfm_fusion.datasets.cityscapes import CATEGORIES
from vfm_fusion.evaluation.evaluate import Evaluators

GOLDEN = Path(__file__).parents[2] / "golden" / "evaluation" / "scores.json"
TOLERANCE = 1e-6  # of scores in percent
UNUSED = 5  # COCO's Boundary AP50, AP75, APs, APm and APl, which we do not report
STALE = "the inputs have changed: see tests/golden/evaluation/README.md"


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, Any]]:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def generated() -> dict[str, list[perturbed_scenes.Frame]]:
    return perturbed_scenes.sets(None)


def scores(
    frames: list[perturbed_scenes.Frame], protocol: str
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    evaluators = Evaluators(CATEGORIES, "panoptic", protocol)
    for frame in frames:
        evaluators.process(frame.truth(), frame.predicted())
    parts = evaluators.evaluate()
    overall = {name: value for part in parts for name, value in part.overall.items()}
    return overall, {name: values for part in parts for name, values in part.per_class.items()}


def check(frames: list[perturbed_scenes.Frame], expected: dict[str, Any]) -> None:
    assert perturbed_scenes.digest(frames) == expected["digest"], STALE
    compared = set()
    for protocol in ("cityscapes", "coco"):
        overall, per_class = scores(frames, protocol)
        for name, value in overall.items():
            key = name if name in expected else f"{protocol} {name}"
            if key in expected:
                reference = expected[key] if expected[key] > -1 else np.nan  # COCO's 'undefined'
                np.testing.assert_allclose(value, 100 * reference, rtol=0, atol=TOLERANCE, err_msg=key)
                compared.add(key)
        for name, values in per_class.items():
            key = f"{name} per class" if f"{name} per class" in expected else f"{protocol} {name} per class"
            if key in expected:
                check_classes(key, values, expected[key])
                compared.add(key)
    assert len(compared) == len(expected) - 1 - UNUSED, compared


def check_classes(key: str, values: np.ndarray, expected: dict[str, float]) -> None:
    for category in CATEGORIES:
        reference = expected.get(category.name)
        if reference is None:  # no thing, or no object
            assert np.isnan(values[category.id]), (key, category.name)
        elif key.startswith("PQ") and reference == 0:  # panopticapi says 0 where there is no segment
            assert values[category.id] in (0, pytest.approx(np.nan, nan_ok=True))
        else:
            message = f"{key}: {category.name}"
            np.testing.assert_allclose(
                values[category.id], 100 * reference, rtol=0, atol=TOLERANCE, err_msg=message
            )


@pytest.mark.parametrize("name", ["small", "large"])
def test_generated_frames_score_as_with_the_fields_tools(generated, golden, name: str) -> None:
    check(generated[name], golden[name])
    assert 5 < 100 * golden[name]["cityscapes boundary_AP"] < 100 * golden[name]["cityscapes AP"] < 90


def test_the_frames_have_what_the_protocols_treat_apart(generated) -> None:
    """Groups, caravans, small objects, equal confidences, overlapping predictions."""
    frames = [frame for frames in generated.values() for frame in frames]
    ids = [np.unique(frame.instance_ids, return_counts=True) for frame in frames]
    assert any(((found >= 24) & (found < 34) & (found != 29)).any() for found, _ in ids)
    assert any((found // 1000 == 29).any() for found, _ in ids)
    assert any((counts[found >= 1000] < 100).any() for found, counts in ids)
    assert any(len(np.unique(frame.scores)) < len(frame.scores) for frame in frames)
    assert all((frame.masks.sum(axis=0) > 1).any() for frame in frames)


@pytest.mark.realdata
def test_real_cityscapes_frames_score_as_with_the_fields_tools(realdata: Path, golden) -> None:
    check(perturbed_scenes.real_frames(realdata), golden["cityscapes"])
