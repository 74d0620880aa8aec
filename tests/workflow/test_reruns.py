"""Only what changed runs again: the exact set of rules that each kind of edit re-runs."""

from __future__ import annotations

import os

import pytest
from working_copy import Workflow

from vfm_fusion.reporting.registry import REPORTS

pytestmark = [pytest.mark.timeout(1200)]

ENCODERS, RUNS, TUNED = 3, 4, 1
"""Runs, and those of them that train an encoder alone."""
VIEWS = ("train", "val")
"""Views whose maps the run with frozen encoders reads: of every encoder, since it may come to be any's."""

AFTER_EVALUATION = {
    "evaluate": RUNS,
    "table_main_results": 1,
    "table_per_class": 1,
    "table_runtime": 1,
    "table_stride_gain": 1,
    "table_injection_stride": 1,
    "text_questions": 1,
    "figure_qualitative": 1,
    "figure_training_curves": 1,
}
AFTER_PREDICTION = {"predict": RUNS, **AFTER_EVALUATION}
AFTER_TRAINING = {
    "train": RUNS,
    "table_cost": 1,
    "extract_finetuned": TUNED,
    "profile_finetuned": TUNED,
    "table_finetuned": 1,
    **AFTER_PREDICTION,
}
AFTER_SELECTION = {"measure_cost": 1, **AFTER_TRAINING}
"""The models of all runs are measured in one job, whose result does not depend on how fast they learn."""
AFTER_PROFILES = {
    "select_pair": 1,
    "assess_stability": 1,
    "text_selection": 1,
    "table_profiles": 1,
    "table_sensitivity": 1,
    "table_stability": 1,
    "figure_profiles": 1,
    "figure_sc_ef_plane": 1,
    "figure_sensitivity": 1,
    "figure_stability": 1,
    **AFTER_SELECTION,
}
AFTER_METRICS = {
    "profile_encoder": ENCODERS,
    "score_supervised": ENCODERS,
    "sweep_settings": ENCODERS,
    "score_controls": 1,
    "compare_pairs": 1,
    "table_controls": 1,
    "table_measures": 1,
    "table_supervised": 1,
    "figure_controls": 1,
    "figure_feature_maps": 1,
    **AFTER_PROFILES,
}
EVERY_REPORT = {report.name: 1 for report in REPORTS if not {"sweep", "clicks"} & {*report.needs}}
"""Those of an experiment that trains no pair at several strides, and clicks nothing."""

NO_EFFECT = {
    "comment": (
        "vfm_fusion/metrics/edge_fidelity.py",
        "def score_edges(",
        "# A comment.\ndef score_edges(",
    ),
    "reader of a data set that is not used": (
        "vfm_fusion/datasets/readers/gta5.py",
        "def list_files(",
        "CHANGED = 1\n\n\ndef list_files(",
    ),
    "a new kind of data set": (
        "vfm_fusion/config/registries.py",
        '    "gta5": ',
        '    "gta": f"{_READERS}.gta5:READER",\n    "gta5": ',
    ),
    "a new fusion operator": (
        "vfm_fusion/config/registries.py",
        '    "gated": ',
        '    "sum": "vfm_fusion.fusion.injection:Injection",\n    "gated": ',
    ),
    "a new matcher": (
        "vfm_fusion/config/registries.py",
        '    "identity": ',
        '    "greedy": f"{_MATCHERS}_by_greed:Greedy",\n    "identity": ',
    ),
    "a new stride score": (
        "vfm_fusion/config/registries.py",
        '    "sc_lead": ',
        '    "level": f"{_PREDICTORS}:EF",\n    "sc_lead": ',
    ),
    "stride score that is not used": (
        "vfm_fusion/selection/predictors.py",
        "RANKME = StrideScore(",
        "CHANGED = 1\n\nRANKME = StrideScore(",
    ),
    "a new family of encoders": (
        "vfm_fusion/config/registries.py",
        '    "r2d2": ',
        '    "conv": f"{_ENCODERS}.conv:Conv",\n    "r2d2": ',
    ),
    "family that is not used": (
        "vfm_fusion/encoders/cnns.py",
        "class SqueezeNet(",
        "CHANGED = 1\n\n\nclass SqueezeNet(",
    ),
    "a new encoder": (
        "vfm_fusion/encoders/entries/small.py",
        "ENTRIES = (",
        'ENTRIES = (\n    EncoderSpec("nano_vit", family="vit", channels={16: 8}, size_divisor=16),',
    ),
    "a new file of encoders": (
        "vfm_fusion/encoders/registry.py",
        "_FILES = (",
        "_FILES = (small, ",
    ),
    "a new evaluator of another protocol": (
        "vfm_fusion/evaluation/registry.py",
        '    "cityscapes_ap": ',
        '    "ar": Entry(f"{_HERE}.coco_ar:AR", _OBJECTS, ("instances",), "coco"),\n    "cityscapes_ap": ',
    ),
    "evaluator of another protocol": (
        "vfm_fusion/evaluation/coco_ap.py",
        "class CocoAP(",
        "CHANGED = 1\n\n\nclass CocoAP(",
    ),
    "a new system": (
        "vfm_fusion/config/schema.py",
        "    cost: CostConfig = Field(",
        '    toy: SystemConfig | None = Field(None, description="A toy.")\n    cost: CostConfig = Field(',
    ),
    "description": (
        "vfm_fusion/config/training.py",
        "Optimiser steps.",
        "Steps of the optimiser.",
    ),
    "declarations of reports that stay the same": (
        "vfm_fusion/reporting/entries/profiles.py",
        "ENTRIES = (",
        "CHANGED = 1\nENTRIES = (",
    ),
    "docstring of a script": (
        "workflow_scripts/report.py",
        '"""A table',
        '"""One table',
    ),
    "key order": (
        "experiments/quick.yaml",
        "    height: 128\n    width: 256\n",
        "    width: 256\n    height: 128\n",
    ),
}
"""Edits that no result depends on: file, what is replaced, and by what."""
TOUCHED = (
    "vfm_fusion/metrics/edge_fidelity.py",
    "workflow_scripts/train.py",
    "rules/training.smk",
    "Snakefile",
    "config.yaml",
    "experiments/quick.yaml",
)


def test_a_finished_run_has_nothing_to_do(finished: Workflow) -> None:
    assert finished.planned() == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        pytest.param(
            "vfm_fusion/metrics/edge_fidelity.py",
            "def score_edges(",
            "CHANGED = 1\n\n\ndef score_edges(",
            AFTER_METRICS,
            id="metric function",
        ),
        pytest.param(
            "vfm_fusion/encoders/entries/small.py",
            '"depth": 6',
            '"depth": 5',
            {
                **AFTER_PROFILES,
                "extract_features": 1,
                "extract_views": len(VIEWS),
                "profile_encoder": 1,
                "score_supervised": 1,
                "sweep_settings": 1,
                "compare_pairs": 1,
                "table_encoders": 1,
                "table_measures": 1,
                "table_supervised": 1,
                "figure_feature_maps": 1,
            },
            id="declaration of one encoder",
        ),
        pytest.param(
            "vfm_fusion/selection/select.py",
            "def peak(",
            "CHANGED = 1\n\n\ndef peak(",
            AFTER_PROFILES,
            id="selection",
        ),
        *(
            pytest.param(
                f"vfm_fusion/evaluation/{module}.py",
                line,
                f"CHANGED = 1\n\n\n{line}",
                AFTER_EVALUATION,
                id=f"measure, {module}",
            )
            for module, line in (
                ("mean_iou", "def check_maps("),
                ("cityscapes_ap", "def judge("),
                ("panoptic_quality", "class PanopticQuality("),
            )
        ),
        pytest.param(
            "vfm_fusion/evaluation/registry.py",
            '    "mean_iou": ',
            '    "again": Entry(f"{_HERE}.mean_iou:MeanIoU", _MAPS, ("semantic",)),\n    "mean_iou": ',
            AFTER_EVALUATION,
            id="a new measure that every run gets",
        ),
        pytest.param(
            "vfm_fusion/segmentation/inference.py",
            "def inference_size(",
            "CHANGED = 1\n\n\ndef inference_size(",
            AFTER_PREDICTION,
            id="inference",
        ),
        pytest.param(
            "experiments/quick.yaml",
            "datasets:\n",
            "evaluation: {instance_protocol: coco}\n\ndatasets:\n",
            {"resolved_config": 1, **AFTER_EVALUATION},
            id="protocol",
        ),
        pytest.param(
            "experiments/quick.yaml",
            "datasets:\n",
            "evaluation: {resize: {short_side: 96, max_side: 256}}\n\ndatasets:\n",
            {"resolved_config": 1, "extract_views": ENCODERS, **AFTER_PREDICTION},
            id="size of inference",
        ),
        pytest.param(
            "vfm_fusion/reporting/figures/sc_ef_plane.py",
            "    profiles = read_profiles(",
            "    changed = 1\n    profiles = read_profiles(",
            {"figure_sc_ef_plane": 1},
            id="module of a figure",
        ),
        pytest.param(
            "vfm_fusion/reporting/tables/runtime.py",
            "def build(",
            "CHANGED = 1\n\n\ndef build(",
            {"table_runtime": 1},
            id="module of a table",
        ),
        pytest.param(
            "vfm_fusion/reporting/render/latex.py",
            "def to_latex(",
            "CHANGED = 1\n\n\ndef to_latex(",
            {name: 1 for name in EVERY_REPORT if name.startswith("table_") or name == "text_questions"},
            id="how tables are written",
        ),
        pytest.param(
            "workflow_scripts/report.py",
            "    make_or_state(\n",
            "    changed = 1\n    make_or_state(\n",
            EVERY_REPORT,
            id="script of all reports",
        ),
        pytest.param(
            "vfm_fusion/reporting/figures/qualitative.py",
            "@styled\ndef qualitative_figure(",
            "CHANGED = 1\n\n\n@styled\ndef qualitative_figure(",
            {"figure_qualitative": 1},
            id="figure function",
        ),
        pytest.param(
            "experiments/quick.yaml",
            "clip_norm: 1.0",
            "clip_norm: 2.0",
            {"resolved_config": 1, **AFTER_TRAINING},
            id="training setting",
        ),
        pytest.param(
            "experiments/quick.yaml",
            "cached_views: 4",
            "cached_views: 5",
            {"resolved_config": 1, "extract_views": ENCODERS, **AFTER_TRAINING},
            id="number of views",
        ),
        pytest.param(
            "vfm_fusion/training/views.py",
            "_SEED = 7",
            "_SEED = 8",
            {"extract_views": ENCODERS * len(VIEWS), **AFTER_SELECTION},
            id="how views are drawn",
        ),
        pytest.param(
            "experiments/quick.yaml",
            "    label: Fused\n",
            "    label: Both\n",
            {
                "resolved_config": 1,
                "table_cost": 1,
                "table_main_results": 1,
                "table_per_class": 1,
                "table_stride_gain": 1,
                "table_injection_stride": 1,
                "text_questions": 1,
                "figure_qualitative": 1,
                "figure_training_curves": 1,
            },
            id="label of a run",
        ),
        pytest.param(
            "experiments/quick.yaml",
            "    points: 1024",
            "    points: 30",
            {"resolved_config": 1, **AFTER_SELECTION},
            id="setting of the head",
        ),
    ],
)
def test_an_edit_reruns_exactly(
    finished: Workflow, file: str, old: str, new: str, expected: dict[str, int]
) -> None:
    undo = finished.edit(file, old, new)
    try:
        planned = finished.planned()
    finally:
        undo()
    assert planned == expected


def test_edits_without_effect_rerun_nothing(finished: Workflow) -> None:
    """All at once: what none of them re-runs, each of them does not re-run."""
    undone = [finished.edit(*edit) for edit in NO_EFFECT.values()]
    try:
        planned = finished.planned()
    finally:
        for undo in reversed(undone):
            undo()
    assert planned == {}


def test_touched_files_rerun_nothing(finished: Workflow) -> None:
    for file in TOUCHED:
        os.utime(finished.folder / file)
    assert finished.planned() == {}


def test_two_swapped_settings_rerun_the_training(finished: Workflow) -> None:
    """Snakemake alone compares params as a bag of values and would miss it."""
    undo = finished.edit(
        "experiments/quick.yaml", "queries: 30\n    points: 1024", "queries: 1024\n    points: 30"
    )
    try:
        planned = finished.planned()
    finally:
        undo()
    assert planned == {"resolved_config": 1, **AFTER_SELECTION}


def test_a_lost_result_is_made_again_alone(finished: Workflow) -> None:
    table = finished.results / "tables" / "main_results.tex"
    content = table.read_bytes()
    table.unlink()
    assert finished.planned() == {"table_main_results": 1}
    assert finished.snakemake("all").returncode == 0
    assert table.read_bytes() == content
    assert finished.planned() == {}
