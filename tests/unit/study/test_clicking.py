"""Which click models learn from stored maps: those that read an encoder's maps as they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vfm_fusion.config.interactive import Cell
from vfm_fusion.config.merge import deep_merge
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.clicking import click_views, maps_of_clicks
from vfm_fusion.study.interactive_settings import ClickSettings
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

OVERLAYS = Path(__file__).parents[3] / "experiments"
CLIP = {"architecture": "clip_vitb16", "weights": {"source": "seeded"}}
MASKCLIP = {**CLIP, "architecture": "maskclip_vitb16"}
SWIN = {"architecture": "mini_swin", "weights": {"source": "seeded"}, "resolution": 96}
LATE, EARLY = {"inject": "late_hr"}, {"inject": "early", "click_encoder": "patch_embed"}


def study(encoder: str, architecture: dict[str, Any], clicks: dict[str, Any], **training: Any) -> Study:
    interactive = {
        "click_models": {"probed": clicks},
        "grid": [{"encoders": [encoder], "upsamplers": ["bilinear"], "clicks": ["probed"]}],
        "training": training,
    }
    base = {"experiment": "interactive", "encoders": {encoder: architecture}, "interactive": interactive}
    return Study(resolve(deep_merge({}, base), OVERLAYS))


@pytest.mark.parametrize(
    ("encoder", "architecture", "clicks", "stored"),
    [
        ("mini-dino", {}, LATE, True),
        ("mini-dino", {}, {"inject": "late_lr"}, True),
        ("mini-dino", {}, {"inject": "none"}, True),
        ("mini-dino", {}, EARLY, False),
        ("mini-dino", {}, {**LATE, "tap": "keys"}, False),
        ("mini-dino", {}, {**LATE, "statistics": "imagenet"}, True),  # its own
        ("mini-dino", {"resolution": 96}, LATE, False),  # 6 x 6 tokens, stored as 8 x 8
        ("mini-swin", SWIN, LATE, True),  # which gives maps on the image's grid
        ("clip", CLIP, LATE, True),
        ("maskclip", MASKCLIP, LATE, True),
        ("clip", CLIP, {**LATE, "statistics": "imagenet"}, False),
    ],
)
def test_maps_are_stored_where_click_models_read_them_so(
    encoder: str, architecture: dict[str, Any], clicks: dict[str, Any], stored: bool
) -> None:
    made, cell = study(encoder, architecture, clicks), Cell(encoder, "bilinear", "probed")
    assert (click_views(made.config, cell) is not None) == stored
    assert len(maps_of_clicks(made, cell)) == stored
    assert bool(made.views) == stored


def test_processes_that_load_images_change_no_training() -> None:
    cell = ("mini-dino", "bilinear", "probed")
    alone, helped, longer = (
        ClickSettings(study("mini-dino", {}, LATE, **training)).training(*cell)
        for training in ({}, {"workers": 3}, {"steps": 7})
    )
    assert helped == alone != longer


def test_crops_that_are_drawn_anew_have_no_stored_maps() -> None:
    made = study("mini-dino", {}, LATE, cached_views=None)
    assert click_views(made.config, Cell("mini-dino", "bilinear", "probed")) is None


def test_rasters_of_objects_are_learned_from_and_clicked() -> None:
    data = {"kind": "folder", "root": "r", "objects": {"path": "o/{}.png"}}
    own = {"people": {**data, "split": {"kind": "fraction", "val": 0.2}}, "animals": data}
    raw = {
        "experiment": "interactive",
        "datasets": own,
        "interactive": {"trained_on": "people", "tested_on": ["people", "animals"]},
    }
    made = Study(resolve(raw, OVERLAYS))
    assert {("people", "train"), ("people", "val"), ("animals", "val")} <= set(made.splits)
    with pytest.raises(ConfigError, match=r"datasets\.animals\.split: without it every image is for valid"):
        resolve({**raw, "interactive": {"trained_on": "animals", "tested_on": ["people"]}}, OVERLAYS)
