"""Writes small result files in the formats of the workflow, values from a seed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vfm_fusion.reporting.table import Cell, Table, lay_out

STRIDES = (4, 8, 16, 32)
LABELS = {
    "mini_dino": {"label": "DINO mini", "pretraining": "self-distilled, 240 images"},
    "mini_sam": {"label": "SAM mini", "pretraining": "promptable masks, 240 images"},
    "swin": {"label": "Swin", "pretraining": "untrained (seeded)"},
}
LEVELS = {"mini_dino": (0.70, 2.0), "mini_sam": (0.45, 11.0), "swin": (0.62, 4.0)}
RUNS = {"swin_ft": "Swin", "dino_ft": "DINO", "sam_fz": "SAM2_tiny", "fused": "Ours-D3S2"}
WARNING = "The master's level does not clear its null: 0.3 < 0.4."
CLASSES = (("sky", False), ("road", False), ("person", True), ("rider", True), ("car", True), ("bus", True))


FACTORS = {"AP": 1, "AP50": 1.6, "AP75": 1.1, "APs": 0.5, "boundary_AP": 0.7}
FACTORS |= {"mIoU": 1.9, "boundary_mIoU": 1.2, "PQ": 1.4}

SCORES = ("sfc", "scs", "sc", "ec", "nc", "fc", "sp", "ef", "sc_null", "ef_null", "sc_excess", "ef_excess")
NULLS = {"sc_null": 0.4, "ef_null": 3.0}


def profile_mean(encoder: str, definition: str, index: int, score: str) -> float:
    if score.endswith("_excess"):
        value, null = (profile_mean(encoder, definition, index, f"{score[:2]}{end}") for end in ("", "_null"))
        return value - null
    if score in NULLS:
        return NULLS[score] if definition == "paper" else 0.0
    sc, ef = LEVELS[encoder]
    peak = 1.6 if encoder == "mini_sam" and STRIDES[index] == 16 else 1.0
    mean = ef * peak * (1 + 0.2 * index) if score == "ef" else sc * (1 - 0.08 * index)
    return mean if definition == "paper" else mean / 2


def write_profiles(folder: Path, seed: int = 0, images: int = 80) -> dict[str, Path]:
    """Writes one profile summary per encoder; SC of ``swin`` is undefined at OS 32.

    The definition ``calibrated`` gives half of every score of ``paper``, and nulls of zero.
    """
    rng = np.random.default_rng(seed)
    paths = {}
    for encoder in LEVELS:
        rows = []
        for definition, index, score in itertools.product(("paper", "calibrated"), range(4), SCORES):
            mean = profile_mean(encoder, definition, index, score)
            half = abs(mean) * rng.uniform(0.02, 0.06)
            row = {"definition": definition, "stride": STRIDES[index], "score": score, "mean": mean}
            row |= {"ci_low": mean - half, "ci_high": mean + half, "images": images}
            row |= {"undefined": 0, "reason": None}
            if encoder == "swin" and score == "sc" and STRIDES[index] == 32:
                row |= dict.fromkeys(("mean", "ci_low", "ci_high"), float("nan"))
                row |= {"images": 0, "undefined": images, "reason": "grid_too_fine"}
            rows.append(row)
        path = folder / f"{encoder}.parquet"
        pd.DataFrame(rows).to_parquet(path)
        paths[encoder] = path
    return paths


def write_selection(folder: Path) -> Path:
    """Writes ``selection.json`` for the pair mini_dino + mini_sam at OS 16."""
    levels = {"sc": {e: v[0] for e, v in LEVELS.items()}, "ef": {e: v[1] for e, v in LEVELS.items()}}
    selection = {
        "dataset": "miniscapes",
        "definition": "paper",
        "task": "semantic",
        "stride_by": "ef",
        "master": "mini_dino",
        "auxiliary": "mini_sam",
        "stride": 16,
        "reverse": {"master": "mini_sam", "auxiliary": "mini_dino", "stride": 32},
        "ranks": {
            score: [{"encoder": e, "value": v} for e, v in sorted(by.items(), key=lambda item: -item[1])]
            for score, by in levels.items()
        },
        "strides": {e: {str(s): {"sc": v[0], "ef": v[1]} for s in STRIDES} for e, v in LEVELS.items()},
        "margins": {"master": 0.08, "auxiliary": 7.0, "stride": 3.1},
        "reasons": ["mini_dino leads with a mean SC of 0.7 (swin 0.62).", "EF < 12 & > 1 at OS=16.", WARNING],
        "warnings": [WARNING],
    }
    path = folder / "selection.json"
    path.write_text(json.dumps(selection), encoding="utf-8")
    return path


def stability(images: int = 80) -> dict[str, Any]:
    """Builds the stability of the same pair: resamples, and subsets that agree more with more images."""

    def repetition(kind: str, size: int, master: float, stride: float) -> dict[str, Any]:
        pair = {"master": "mini_dino", "auxiliary": "mini_sam"}
        outcomes = [
            pair | {"stride": 16, "share": stride},
            pair | {"stride": 32, "share": round(master - stride, 9)},
            {"master": "swin", "auxiliary": "mini_sam", "stride": 16, "share": round(1 - master, 9)},
        ]
        agreement = {"master": master, "auxiliary": 1.0, "pair": master}
        agreement |= {"stride": round(1 - master + stride, 9), "pair_and_stride": stride}
        known = images > 1
        return {
            "kind": kind,
            "images": size,
            "draws": 1000,
            "reference": {"master": "mini_dino", "auxiliary": "mini_sam", "stride": 16},
            "agreement": agreement if known else dict.fromkeys(agreement),
            "outcomes": outcomes,
            "reason": None if known else "there is one image",
        }

    sizes = [size for size in (2, 4, 8, 16, 32, 64) if size < images]
    return {
        "dataset": "miniscapes",
        "definition": "paper",
        "task": "semantic",
        "stride_by": "ef",
        "master": "mini_dino",
        "auxiliary": "mini_sam",
        "stride": 16,
        "images": images,
        "repetitions": [
            repetition("resamples", images, 0.95, 0.93),
            *(repetition("subsets", size, 1 - 0.5 / size, 1 - 0.9 / size) for size in sizes),
        ],
    }


def write_stability(folder: Path, images: int = 80) -> Path:
    """Writes ``stability.json``."""
    path = folder / "stability.json"
    path.write_text(json.dumps(stability(images)), encoding="utf-8")
    return path


def evaluation(run: str, seed: int, base: float, **changes: Any) -> dict[str, Any]:
    """Builds one ``evaluation.json``; ``base`` sets the level of its metrics, in percent."""
    rng = np.random.default_rng([seed, *run.encode()])
    metrics: dict[str, float | None] = {
        name: round(base * factor + float(rng.normal(0, 0.3)), 3) for name, factor in FACTORS.items()
    }
    metrics |= {"APm": None, "APl": None, "SQ": 70.0, "RQ": 50.0}
    fused = run == "fused"
    injected = {"encoder": "mini_sam", "trainable": False, "pretraining": LABELS["mini_sam"]["pretraining"]}
    master = {"swin_ft": "swin", "sam_fz": "mini_sam"}.get(run, "mini_dino")
    content = {
        "run": run,
        "seed": seed,
        "dataset": "miniscapes",
        "trained_on": "miniscapes",
        "task": "panoptic",
        "images": 80,
        "instance_protocol": "coco",
        "boundary_ratio": 0.02,
        "master": {
            "encoder": master,
            "trainable": run != "sam_fz",
            "pretraining": LABELS[master]["pretraining"],
        },
        "auxiliary": injected if fused else None,
        "strides": [16] if fused else [],
        "operator": "replace" if fused else None,
        "metrics": metrics,
        "reasons": {"APm": "no medium object", "APl": "no large object"},
        "per_class": [
            {
                "category": name,
                "isthing": thing,
                "AP": round(base + index + float(rng.normal(0, 1)), 3) if thing else None,
                "AP50": round(base * 1.5, 3) if thing else None,
                "boundary_AP": round(base * 0.7 + index, 3) if thing else None,
                "IoU": round(base * 1.8 + index, 3),
                "boundary_IoU": round(base * 1.1 + index, 3),
                "PQ": round(base * 1.3, 3),
            }
            for index, (name, thing) in enumerate(CLASSES)
        ],
        "parameters": {"total": 5_730_000 if fused else 4_120_000, "trainable": 3_000_000},
    }
    return content | changes


def evaluations(seeds: tuple[int, ...] = (0, 1, 2)) -> list[dict[str, Any]]:
    """Builds the evaluations of all runs and seeds."""
    levels = {"swin_ft": 31.0, "dino_ft": 30.0, "sam_fz": 27.0, "fused": 33.5}
    return [evaluation(run, seed, base) for run, base in levels.items() for seed in seeds]


def write_evaluations(folder: Path, contents: list[dict[str, Any]]) -> list[Path]:
    """Writes one file per evaluation."""
    paths = []
    for content in contents:
        path = folder / f"{content['run']}_{content['seed']}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        paths.append(path)
    return paths


def write_benchmarks(folder: Path) -> dict[Path, str]:
    """Writes three benchmark files as Snakemake does: extended, unsampled (``NA``) and plain."""
    sampled = {"s": 12.5, "h:m:s": "0:00:12", "max_rss": 812.4, "max_vms": 3000.0, "cpu_time": 20.25}
    short = {"s": 0.31, "h:m:s": "0:00:00", "max_rss": "NA", "cpu_time": "NA"}
    contents = {
        "extract.jsonl": [
            sampled | {"rule_name": "extract_features", "wildcards": {"encoder": "mini_dino"}},
            sampled | {"rule_name": "extract_features", "s": 7.5, "max_rss": 640.0},
        ],
        "select.jsonl": [short | {"rule_name": "select"}],
        "train.jsonl": [{"s": 300, "h:m:s": "0:05:00", "max_rss": 1500.0, "cpu_time": 580.0}],
    }
    files = {}
    for name, records in contents.items():
        path = folder / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        files[path] = path.stem
    return files


def cells(table: Table) -> dict[str, dict[str, Cell]]:
    """Shown cells by text of the first column, where it first occurs, and column key."""
    shown: dict[str, dict[str, Cell]] = {}
    for _, rows in lay_out(table).sections:
        for row in rows:
            shown.setdefault(row[0].text, dict(zip([c.key for c in table.columns], row, strict=True)))
    return shown
