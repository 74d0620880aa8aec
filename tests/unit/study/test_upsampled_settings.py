"""What the stages of upsampled maps depend on, and which images they read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.config.merge import deep_merge
from vfm_fusion.study import clicking
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsampled_settings import UpsampledSettings, probe_index, shown_on, upsamplers_of

OVERLAYS = Path(__file__).parents[3] / "experiments"
OTHER = {"kind": "miniscapes", "style": "real", "train": 8, "val": 4}
ENCODER, UPSAMPLER = "mini-dino", "bilinear"


def study(**changes: Any) -> Study:
    """The miniature of interactive segmentation with some changes."""
    base = {"experiment": "interactive", "datasets": {"elsewhere": OTHER}}
    return Study(resolve(deep_merge(base, {"interactive": changes}), OVERLAYS))


def quality(**changes: Any) -> dict[str, Any]:
    return json.loads(UpsampledSettings(study(**changes)).quality(ENCODER, UPSAMPLER))


def test_scores_depend_on_what_is_measured_and_not_on_how_is_clicked() -> None:
    plain = quality()
    assert plain["measuring"]["metrics"]["definitions"].keys() == {"paper"}
    assert plain["measuring"]["metrics"]["strides"] == [4]
    assert plain == quality(protocol={"max_clicks": 3}, training={"steps": 1}, shown_images=1)
    assert plain != quality(quality={"probe_images": 2})
    assert "label" not in plain["upsampler"]


def test_maps_are_read_as_the_first_click_model_of_the_cell_does() -> None:
    keys = {"keys": {"inject": "late_hr", "tap": "keys", "click_encoder": "patch_embed", "head": "linear"}}
    grid = [
        {"encoders": [ENCODER], "upsamplers": [UPSAMPLER], "clicks": ["keys"]},
        {"encoders": [ENCODER], "upsamplers": ["low-res", UPSAMPLER], "clicks": ["late"]},
    ]
    changed = study(click_models=keys, grid=grid)
    settings = UpsampledSettings(changed)
    reads = {name: json.loads(settings.quality(ENCODER, name))["reads"] for name in (UPSAMPLER, "low-res")}
    assert {name: of["tap"] for name, of in reads.items()} == {UPSAMPLER: "keys", "low-res": "maps"}
    assert upsamplers_of(changed, ENCODER) == [UPSAMPLER, "low-res"]
    shown = json.loads(settings.maps(ENCODER))
    assert [name for name, _ in shown["upsamplers"]] == [UPSAMPLER, "low-res"]


@pytest.mark.parametrize(
    ("measured", "expected", "learnt_from"),
    [(None, "miniscapes", 1), ("miniscapes", "miniscapes", 1), ("elsewhere", "elsewhere", 0)],
)
def test_the_probe_learns_where_a_training_split_is_read(
    measured: str | None, expected: str, learnt_from: int
) -> None:
    changed = study(quality={"dataset": measured})
    assert shown_on(changed) == expected
    assert ("elsewhere", "train") not in changed.splits
    assert (expected, "val") in changed.splits
    assert len(probe_index(changed)) == learnt_from
    sizes = json.loads(UpsampledSettings(changed).quality(ENCODER, UPSAMPLER))["measuring"]["image_size"]
    assert sizes == (changed.image_size(expected) if expected == "miniscapes" else None)


def test_without_quality_there_are_no_scores_but_still_maps() -> None:
    without = study(quality=None, tested_on=["elsewhere", "miniscapes"])
    assert clicking.upsampled(without, "upsampled_quality") == []
    assert len(clicking.upsampled(without, "upsampled_maps")) == 1
    assert shown_on(without) == "elsewhere"
    assert len(clicking.upsampled(study(), "upsampled_cost")) == len(upsamplers_of(study(), ENCODER))
