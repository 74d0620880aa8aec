"""The benchmarks run, and their peers agree with what they time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow("every benchmark, with its peers"), pytest.mark.timeout(600)]


def run(script: str, options: list[str], repository: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, f"benchmarks/{script}", *options],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


def test_metrics_agree_with_their_transcription(repository: Path) -> None:
    options = ["--size", "256", "512", "--workloads", "hiera", "--threads", "1", "--repeats", "1"]
    done = run("metrics.py", options, repository)
    assert done.returncode == 0, done.stderr
    for row in ("ours, paper", "ours, reference_training", "transcription, paper", "floor: two reads"):
        assert row in done.stdout
    lines = re.findall(r"^  ec .*$", done.stdout, flags=re.MULTILINE)
    assert len(lines) == 2
    for score, difference in re.findall(r"(\w+) (\S+?)(?:,|$)", ", ".join(lines)):
        assert float(difference) < (0.02 if score in ("sc", "scs") else 1e-4), score


def test_measures_agree_with_the_fields_libraries(repository: Path) -> None:
    options = ["--size", "128", "256", "--frames", "2", "--objects", "6", "--predictions", "12"]
    done = run("evaluation.py", options, repository)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(.+?)  +[\d.]+   (.+)$", done.stdout, flags=re.MULTILINE)
    scores = {name: dict(re.findall(r"(\w+) ([\d.]+)", values)) for name, values in rows}
    assert len(scores) == 10
    for ours, theirs, metric in (
        ("mIoU, ours", "mIoU, torchmetrics", "mIoU"),
        ("Boundary IoU, ours", "Boundary IoU, written out", "boundary_mIoU"),
        ("PQ, ours", "PQ, torchmetrics", "PQ"),
        ("AP and Boundary AP, COCO, ours", "AP, pycocotools", "AP"),
        ("AP and Boundary AP, COCO, ours", "Boundary AP, pycocotools and erosion", "boundary_AP"),
    ):
        assert float(scores[ours][metric]) == pytest.approx(float(scores[theirs][metric]), abs=2e-4), metric


def test_upsamplers_are_measured_beside_what_was_predicted(repository: Path) -> None:
    options = ["--channels", "8", "--grid", "10", "--image", "80", "--sizes", "20", "40"]
    done = run("upsamplers.py", [*options, "--upsamplers", "none", "naf", "jafar"], repository)
    assert done.returncode == 0, done.stderr + done.stdout
    for row in ("bilinear", "none", "naf", "jafar"):
        assert len(re.findall(rf"^{row} +[\d,]+ +[\d.]+ +[\d.]+ +\d+ +\d+", done.stdout, re.MULTILINE)) == 2


def test_the_feature_cache_is_measured_against_its_peers(repository: Path) -> None:
    options = ["--encoders", "mini_hiera", "--images", "8", "--repeats", "1", "--read", "16"]
    options += ["--memory", "20", "60", "--opened", "5000"]
    done = run("features.py", options, repository)
    assert done.returncode in (0, 1), done.stderr
    assert ("all within their limits" in done.stdout) == (done.returncode == 0)
    ratios = dict(re.findall(r"^  (\w+, +[\w ]+?)  .*?ratio +([\d.]+)", done.stdout, flags=re.MULTILINE))
    ratios = {" ".join(name.split()): float(ratio) for name, ratio in ratios.items()}
    assert set(ratios) == {
        "extraction, mini_hiera",
        "disk, mini_hiera",
        "reading, plain ViT",
        "reading, Hiera",
        "memory, mini_hiera",
    }
    assert ratios["disk, mini_hiera"] < 1.05
    assert ratios["memory, mini_hiera"] < 1.15
    assert ratios["extraction, mini_hiera"] < 5
    assert "opening,    5,000 images x 4 strides" in done.stdout


def test_the_fused_model_is_timed_against_its_master(repository: Path) -> None:
    models = ["master alone", "fused", "fused, gated", "transformers Mask2Former"]
    options = ["--rounds", "1", "--steps", "1", "--models", *models, "--auxiliary-bfloat16"]
    done = run("training.py", options, repository)
    assert done.returncode in (0, 1), done.stderr
    assert ("all targets met" in done.stdout) == (done.returncode == 0)
    rows = re.findall(r"^(\w.*?)((?:  +[\d.]+){8})$", done.stdout, flags=re.MULTILINE)
    found = {name: [float(value) for value in values.split()] for name, values in rows}
    assert set(found) == set(models)
    keys = ("parameters", "trained", "step_flops", "step_rate", "step_gb", "flops", "rate", "gb")
    columns = {name: dict(zip(keys, values, strict=True)) for name, values in found.items()}
    master, fused = columns["master alone"], columns["fused"]
    assert fused["parameters"] > master["parameters"] == master["trained"]
    for column in columns.values():
        assert 2 * column["flops"] < column["step_flops"] < 3.5 * column["flops"]
        assert column["rate"] > column["step_rate"] > 0
    ratios = re.findall(r"^(fused.*?)  +(\w+) +([\d.]+) +([\d.]+) +([\d.]+)", done.stdout, re.MULTILINE)
    assert len(ratios) == 4
    for name, phase, ratio, bound, share in ratios:
        rate, flops = ("rate", "flops") if phase == "inference" else ("step_rate", "step_flops")
        assert float(ratio) == pytest.approx(columns[name][rate] / master[rate], abs=0.02)
        assert float(bound) == pytest.approx(master[flops] / columns[name][flops], abs=0.02)
        assert float(share) == pytest.approx(float(ratio) / float(bound), abs=0.03)
        assert 0.5 < float(bound) < 1


def test_frozen_encoders_are_timed_against_the_maps_that_they_leave(repository: Path) -> None:
    done = run("training.py", ["--size", "frozen", "--rounds", "1", "--steps", "1"], repository)
    assert done.returncode in (0, 1), done.stderr
    assert ("all targets met" in done.stdout) == (done.returncode == 0)
    assert re.search(r"^stores in float16: dinov2_vits14 0\.\d+ MB a view, mob", done.stdout, re.MULTILINE)
    rows = re.findall(r"^(\w.*, .*?)  +[\d.]+ M((?:  +[\d.]+){5})$", done.stdout, flags=re.MULTILINE)
    keys = ("flops", "rate", "step", "reading", "gb")
    found = {name: dict(zip(keys, map(float, values.split()), strict=True)) for name, values in rows}
    assert len(found) == 4
    ratios = re.findall(
        r"^(.+, stored maps)  +([\d.]+)  +([\d.]+)  +[\d.]+   ratio 4: ", done.stdout, re.MULTILINE
    )
    assert len(ratios) == 2
    for name, ratio, bound in ratios:
        stored, run_ = found[name], found[name.replace("stored maps", "encoders run")]
        assert stored["reading"] < run_["reading"] < run_["step"]
        assert float(ratio) == pytest.approx(run_["step"] / stored["step"], abs=0.02)
        assert float(bound) == pytest.approx(run_["flops"] / stored["flops"], abs=0.02)
        assert float(bound) > 4


def test_the_loader_is_measured_against_its_peer_and_bare_decoding(repository: Path) -> None:
    options = ["--generated", "--shrink", "8", "--images", "3", "--batches", "2", "--workers", "0", "1"]
    done = run("loader.py", [*options, "--gpu", "100"], repository)
    assert done.returncode == 0, done.stderr
    recipes = re.findall(r"^(\w+): (\w+), crop (\(.+?\)), 3 generated images$", done.stdout, re.MULTILINE)
    assert recipes == [
        ("Cityscapes", "panoptic", "(64, 128)"),
        ("ADE20K", "semantic", "(64, 64)"),
        ("COCO", "instance", "(128, 128)"),
    ]
    rows = re.findall(r"^  (.+?) +ours +(\S+)  peer +(\S+)  limit +(\S+) ", done.stdout, re.MULTILINE)
    assert [title for title, *_ in rows] == 3 * ["0 workers", "  CPU, ms an image", "1 workers"]
    assert all(float(value) > 0 for _, *values in rows for value in values)
    assert len(re.findall(r"a GPU that trains 100 images/s needs [1-9]\d* worker", done.stdout)) == 3


def test_what_needs_a_gpu_runs_on_a_cpu_in_its_tiny_form(repository: Path, tmp_path: Path) -> None:
    options = ["--device", "cpu", "--tiny", "--records", str(tmp_path)]
    done = run("gpu_check.py", options, repository)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "cpu-tiny" / "page.md").read_text(encoding="utf-8")
    assert page.count("| done |") == 18
    assert page.startswith("# Benchmarks on CPU\n")
    assert "says nothing about the speed of a GPU" in page
    assert "ends with an undisturbed run's weights to the same bits" in page
    assert len(re.findall(r"^fused +(?:training|inference) +[\d.]+ +[\d.]+", page, re.MULTILINE)) == 8
    again = run("gpu_check.py", options, repository)
    assert again.returncode == 0
    assert again.stderr.count("kept from before") == 17
    assert (tmp_path / "cpu-tiny" / "page.md").read_text(encoding="utf-8") == page


def test_without_a_gpu_it_says_so_and_leaves_the_page_alone(repository: Path, tmp_path: Path) -> None:
    page = repository / "docs" / "benchmarks-gpu.md"
    before = page.read_bytes() if page.exists() else None
    done = run("gpu_check.py", ["--records", str(tmp_path)], repository)
    assert done.returncode == 1
    assert re.search(r"gpu-check cannot run: torch \S+ sees no CUDA device here", done.stderr)
    assert (page.read_bytes() if page.exists() else None) == before
