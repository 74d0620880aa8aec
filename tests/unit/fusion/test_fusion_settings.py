"""What a run may ask of fusion, what it is told otherwise, and what it gets from the selection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from vfm_fusion.config.runs import FusionConfig, RunConfig
from vfm_fusion.config.selection import SelectionConfig
from vfm_fusion.selection.roles import resolve_run
from vfm_fusion.selection.select import select

STRIDES = (4, 8, 16, 32)
# Paper, Table 5: SC and EF on Cityscapes.
TABLE_5 = {
    "DINOv3": ((0.73, 0.71, 0.65, 0.53), (1.27, 1.64, 2.33, 5.88)),
    "SAM2": ((0.49, 0.44, 0.11, 0.41), (6.60, 8.59, 17.13, 12.47)),
    "Swin-B": ((0.65, 0.65, 0.64, 0.58), (3.82, 3.11, 2.41, 6.85)),
}


def selection(**settings: Any) -> dict[str, Any]:
    def summary(sc: tuple[float, ...], ef: tuple[float, ...]) -> pd.DataFrame:
        means = np.concatenate([sc, ef])
        return pd.DataFrame(
            {
                "definition": "paper",
                "stride": STRIDES * 2,
                "score": ["sc"] * 4 + ["ef"] * 4,
                "mean": means,
                "ci_low": means - 0.01,
            }
        )

    profiles = {encoder: summary(*scores) for encoder, scores in TABLE_5.items()}
    return select(profiles, "cityscapes", SelectionConfig(**settings))


def resolved(stride: Any = "selected", task: str = "semantic", reverse: bool = False) -> tuple[Any, ...]:
    roles = ("auxiliary", "master") if reverse else ("master", "auxiliary")
    run = RunConfig.model_validate(
        {"master": roles[0], "auxiliary": roles[1], "fusion": {"stride": stride, "operator": "concat"}}
    )
    found, strides = resolve_run(run, selection(task=task))
    return found.master, found.auxiliary, strides


def test_the_semantic_role_is_led_by_sc_and_the_edge_role_by_ef() -> None:
    assert resolved() == ("DINOv3", "SAM2", (16,))
    assert resolved(task="edge") == ("SAM2", "DINOv3", (32,))


def test_a_run_can_ask_for_the_reverse_direction_of_the_same_pair() -> None:
    assert resolved(reverse=True) == resolved(task="edge")
    assert resolved(task="edge", reverse=True) == resolved()


@pytest.mark.parametrize(
    ("stride", "expected"),
    [
        ("selected", (16,)),
        (4, (4,)),
        ([32, "selected"], (16, 32)),
        (["selected", 4], (4, 16)),
        (["selected", 16], (16,)),  # the metric chose what was asked for anyway
        ([4, 8, 16, 32], (4, 8, 16, 32)),
    ],
)
def test_strides_are_resolved_one_by_one(stride: Any, expected: tuple[int, ...]) -> None:
    assert resolved(stride)[2] == expected


@pytest.mark.parametrize("stride", [8, "selected", ["selected", 4]])
def test_settings_survive_the_way_to_a_job(stride: Any) -> None:
    config = FusionConfig.model_validate({"stride": stride})
    assert FusionConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("fusion", "message"),
    [
        ({"stride": 64}, r"64 is impossible; choose from: \[4, 8, 16, 32\] or 'selected'"),
        ({"stride": [4, 5]}, "5 is impossible"),
        ({"stride": [4, 8, 4]}, "4 occurs 2 times; name each stride once"),
        ({"stride": ["selected", "selected"]}, "selected occurs 2 times"),
        ({"stride": []}, "no stride to inject at; leave the auxiliary out"),
        ({"stride": "best"}, "Input should be 'selected'"),
        ({"stride": "8"}, "Input should be a valid integer"),
        ({"operator": "add"}, "Input should be 'replace', 'concat' or 'gated'"),
        ({"stride": [4, 8, 16, 32]}, "leaves nothing of the master"),
        ({"stride": ["selected", 8, 16, 32]}, "leaves nothing of the master"),
    ],
)
def test_impossible_fusions_are_refused(fusion: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FusionConfig.model_validate(fusion)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"train_auxiliary": True}, "there is no auxiliary to train"),
        ({"auxiliary_precision": "bfloat16"}, "is for a frozen auxiliary"),
        (
            {"auxiliary": "b", "train_auxiliary": True, "auxiliary_precision": "bfloat16"},
            "is for a frozen auxiliary",
        ),
        ({"auxiliary": "a"}, "a fusion needs two encoders"),
    ],
)
def test_impossible_runs_are_refused(run: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate({"master": "a", **run})
