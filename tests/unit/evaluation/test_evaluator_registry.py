"""An evaluator is one module and one line of the registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluation_scenes import CATEGORIES, Scenes

from vfm_fusion.datasets.base import VOID, Instances
from vfm_fusion.evaluation.declared import Entry
from vfm_fusion.evaluation.evaluate import Evaluators
from vfm_fusion.evaluation.evaluator import Truth
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.registry import EVALUATORS
from vfm_fusion.evaluation.rle import EncodedInstances
from vfm_fusion.workflow.fingerprint import Sources, fingerprint

ROOT = Path(__file__).parents[3]

ACCURACY = """
import numpy as np

from vfm_fusion.evaluation.evaluator import Evaluator, Scores


class PixelAccuracy(Evaluator):
    metrics = ("accuracy",)
    per_class = ("recall",)

    def __init__(self, classes):
        self._classes = classes
        self.reset()

    @classmethod
    def of(cls, categories, ratio):
        return cls(len(categories))

    def reset(self):
        self._right, self._all = np.zeros((2, self._classes), np.int64)

    def process(self, truth, predicted):
        for c in range(self._classes):
            here = truth.semantic == c
            self._all[c] += here.sum()
            self._right[c] += (predicted.semantic[here] == c).sum()

    def evaluate(self):
        recall = 100 * self._right / np.maximum(self._all, 1)
        return Scores({"accuracy": 100 * self._right.sum() / self._all.sum()}, {"recall": recall})
"""


@pytest.fixture
def accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pixel_accuracy.py").write_text(ACCURACY)
    monkeypatch.syspath_prepend(tmp_path)
    entry = Entry("pixel_accuracy:PixelAccuracy", ("panoptic", "semantic"), ("semantic",))
    monkeypatch.setitem(EVALUATORS, "pixel_accuracy", entry)


def image(semantic: np.ndarray | None, instances: Instances | None = None) -> Truth:
    void = np.zeros((48, 80), bool) if semantic is None else semantic == VOID
    return Truth("a", semantic, instances, void)


def test_a_new_evaluator_is_in_the_results(untrained, scored, accuracy) -> None:
    found = scored(untrained("semantic"))
    assert found["metrics"]["mIoU"] is not None
    assert 0 <= found["metrics"]["accuracy"] <= 100
    assert all(row["recall"] is not None for row in found["per_class"])


def test_where_the_task_predicts_something_else_it_says_so(untrained, scored, accuracy) -> None:
    found = scored(untrained("instance"))
    assert found["metrics"]["accuracy"] is None
    assert found["reasons"]["accuracy"] == "trained for instance segmentation only"
    assert [row["recall"] for row in found["per_class"]] == [None] * 3


@pytest.mark.parametrize("protocol", ["coco", "cityscapes"])
def test_a_reset_forgets_every_image(protocol: str) -> None:
    semantic, instances = Scenes().labels(0)
    masks = EncodedInstances([], np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0))
    nothing = StoredPrediction(
        np.zeros_like(semantic),
        np.zeros(semantic.shape, np.int32),
        np.zeros(0, [("id", "<i4"), ("category", "<i4"), ("isthing", "?")]),
        masks,
    )
    evaluators = Evaluators(CATEGORIES, "panoptic", protocol)
    evaluators.process(image(semantic, instances), nothing)
    once = evaluators.evaluate()
    evaluators.process(image(semantic), nothing)
    assert {score.reasons.get("PQ") for score in evaluators.evaluate()} == {
        None,
        "image 'a' has no instance labels",
    }
    evaluators.reset()
    evaluators.process(image(semantic, instances), nothing)
    for first, again in zip(once, evaluators.evaluate(), strict=True):
        np.testing.assert_equal(again.overall, first.overall)
        np.testing.assert_equal(again.per_class, first.per_class)
        assert again.reasons == first.reasons


def test_each_names_the_scores_that_it_gives() -> None:
    for entry in EVALUATORS.values():
        evaluator = entry.load().of(CATEGORIES, 0.02)
        scores = evaluator.evaluate()
        assert tuple(scores.overall) == evaluator.metrics
        assert set(evaluator.per_class) <= set(scores.per_class)
        assert set(scores.reasons) == set(evaluator.metrics)  # no image was shown


def test_its_code_counts_for_the_rule_that_evaluates_alone() -> None:
    loaded = {"vfm_fusion.evaluation.declared": [entry.target for entry in EVALUATORS.values()]}
    sources = Sources()
    concerned = {
        path.name
        for path in (ROOT / "workflow_scripts").glob("*.py")
        if fingerprint(path, ROOT, loaded, sources) != fingerprint(path, ROOT, {}, sources)
    }
    assert concerned == {"evaluate.py"}


def test_the_list_of_them_is_read_without_importing_any() -> None:
    code = (
        "import sys, vfm_fusion.evaluation.registry; "
        "print(sorted({'h5py', 'faster_coco_eval', 'cv2', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
