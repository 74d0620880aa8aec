"""Every report of interactive segmentation that an experiment plans, from small files of its shapes."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click_files import ClickFiles

from vfm_fusion.reporting.entry import ReportRule, report_rules
from vfm_fusion.reporting.make import make
from vfm_fusion.reporting.registry import REPORTS
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

UPSAMPLERS = {"low-res": {"architecture": "none"}, "bilinear": {"architecture": "bilinear", "label": "flat"}}
UPSAMPLERS |= {
    name: {"architecture": name, "weights": {"source": "file", "path": f"{name}.pth"}}
    for name in ("jbu", "loftup")
}
MODELS = {
    "early": {"click_encoder": "patch_embed", "inject": "early"},
    "late": {"click_encoder": "simple_vit", "inject": "late_hr"},
}
SECTION = {"trained_on": "miniscapes", "tested_on": ["miniscapes"], "click_models": MODELS}
SECTION |= {"shown_images": 1, "protocol": {"max_clicks": 6}}
GRID = {"encoders": ["mini-dino"], "upsamplers": [*UPSAMPLERS], "clicks": ["early", "late"]}
ONE = {"encoders": ["mini-dino"], "upsamplers": ["bilinear"], "clicks": ["late"]}
OTHER = {"kind": "miniscapes", "style": "real", "train": 6, "val": 4, "height": 64, "width": 128}
REPORTED = {
    *("text_upsampling", "table_clicks", "table_upsamplers", "table_click_failures"),
    *("figure_iou_by_clicks", "figure_click_cost", "figure_upsampled_maps", "figure_click_sequences"),
}


def study(repository: Path, folder: Path, interactive: dict[str, Any], **raw: Any) -> Study:
    raw = {"experiment": "quick", "paths": {"results": str(folder / "results")}, **raw}
    raw |= {"upsamplers": UPSAMPLERS, "interactive": SECTION | interactive}
    return Study(resolve(raw, repository / "experiments"))


def rules_of_clicks(experiment: Study) -> list[ReportRule]:
    return [rule for rule in report_rules(REPORTS, experiment) if "clicks" in rule.report.needs]


def made(experiment: Study) -> dict[str, dict[str, Path]]:
    """Makes every report of the section: its files by its name."""
    found = {}
    for rule in rules_of_clicks(experiment):
        inputs = rule.inputs(experiment, lambda jobs: [], SimpleNamespace())
        assert "published" not in inputs or not inputs["published"]
        settings = json.loads(rule.config(experiment, SimpleNamespace())) | {"dpi": 50}
        files = {name: Path(output.path) for name, output in rule.outputs(experiment)}
        for path in files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        make(*rule.report.modules, inputs, settings, files)
        assert all(path.stat().st_size > 100 for path in files.values())
        found[rule.name] = files
    return found


@pytest.mark.parametrize(
    ("interactive", "raw", "files"),
    [
        (
            {
                "grid": [GRID],
                "seeds": [0, 2],
                "robustness": {},
                "max_images": 4,
                "tested_on": ["miniscapes", "other"],
            },
            {"datasets": {"other": OTHER}},
            {"images": 4},
        ),
        (
            {"grid": [ONE], "quality": None, "protocol": {"max_clicks": 2, "targets": [0.8]}},
            {},
            {"images": 2, "size": (60, 30)},
        ),
        (
            {"grid": [GRID, ONE | {"encoders": ["mini-swin"]}], "shown_images": 2},
            {},
            {"unknown": ("SC", "EF", "EF_null", "probe_mIoU")},
        ),
    ],
    ids=["several seeds and data sets", "one model alone", "nothing known of the maps"],
)
def test_every_report_is_made(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    interactive: dict[str, Any],
    raw: dict[str, Any],
    files: dict[str, Any],
) -> None:
    monkeypatch.chdir(repository)
    experiment = study(repository, tmp_path, interactive, reporting={"published": False}, **raw)
    ClickFiles(experiment, **files).write()
    with caplog.at_level(logging.WARNING):
        found = made(experiment)
    assert caplog.messages == []
    assert found.keys() == REPORTED
    scores = pd.read_csv(found["table_clicks"]["csv"])
    section = experiment.config.interactive
    assert set(scores["dataset"]) == set(section.tested_on)
    assert {(row.encoder, row.upsampler, row.clicks) for row in scores.itertuples()} == {
        (cell.encoder, cell.upsampler, cell.clicks) for cell in section.cells
    }
    table = found["table_clicks"]["md"].read_text(encoding="utf-8")
    assert ("of 12 images, evenly spaced" in table) == (section.max_images is not None)
    assert "flat" in table  # its own label, not the title of its class
    assert found["text_upsampling"]["md"].read_text(encoding="utf-8").count("\n### ") == 4


def test_nothing_of_it_is_planned_without_the_section(repository: Path, tmp_path: Path) -> None:
    plain = Study(resolve({"experiment": "quick"}, repository / "experiments"))
    probed = study(repository, tmp_path, {"grid": [GRID]})
    assert rules_of_clicks(plain) == []
    assert {rule.name for rule in rules_of_clicks(probed)} == REPORTED
    others = [rule.name for rule in report_rules(REPORTS, probed) if rule.name not in REPORTED]
    assert [rule.name for rule in report_rules(REPORTS, plain)] == others


def test_what_is_read_and_how_it_is_called(repository: Path, tmp_path: Path) -> None:
    experiment = study(repository, tmp_path, {"grid": [GRID], "seeds": [0, 1], "max_images": 4})
    rules = {rule.name: rule for rule in rules_of_clicks(experiment)}
    inputs = {name: rule.inputs(experiment, lambda jobs: [], None) for name, rule in rules.items()}
    cells = 4 * 2
    assert len(inputs["table_clicks"]["scores"]) == cells * 2
    assert inputs["table_clicks"]["published"] == ["resources/published/isegprobe.csv"]
    assert len(inputs["table_clicks"]["summaries"]) == 1
    assert len(inputs["table_upsamplers"]["quality"]) == len(inputs["table_upsamplers"]["costs"]) == 4
    assert len(inputs["figure_click_sequences"]["masks"]) == cells  # of one seed
    assert len(inputs["figure_upsampled_maps"]["maps"]) == 1
    settings = json.loads(rules["text_upsampling"].config(experiment, None))
    labels = {name: told["label"] for name, told in settings["upsamplers"]}
    assert labels == {"low-res": "low-res", "bilinear": "flat", "jbu": "FeatUp (JBU)", "loftup": "LoftUp"}
    assert settings["bootstrap"] == [experiment.config.metrics.bootstrap, experiment.config.metrics.seed]
    bare = study(repository, tmp_path, {"grid": [GRID], "quality": None})
    (rule,) = [rule for rule in rules_of_clicks(bare) if rule.name == "table_upsamplers"]
    assert rule.inputs(bare, lambda jobs: [], None)["quality"] == []
