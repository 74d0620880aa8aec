"""What a run needs is known before it, holds the promised bound, and is what the run then takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.memory import Needed, predict

MIB = 2**20


@pytest.mark.parametrize("name", UPSAMPLERS)
@pytest.mark.parametrize("image", [448, 896])
def test_28_to_896_at_384_channels_needs_less_than_2_gib_beyond_the_result(name: str, image: int) -> None:
    with torch.device("meta"):
        upsampler = build_upsampler(name, 384)
    needed = predict(upsampler, (2, 384, 28, 28), (image, image), (896, 896))
    size = 28 if name == "none" else 896
    assert needed.result == 2 * 384 * size**2 * 4
    assert needed.beyond < 2048 * MIB


def test_smaller_bands_and_half_precision_need_less() -> None:
    upsampler = build_upsampler("loftup", 32)
    usual = predict(upsampler, (1, 32, 28, 28), (448, 448), (448, 448))
    upsampler.band_rows = 2
    small = predict(upsampler, (1, 32, 28, 28), (448, 448), (448, 448))
    half = predict(upsampler.bfloat16(), (1, 32, 28, 28), (448, 448), (448, 448), torch.bfloat16)
    assert small.result == usual.result == 2 * half.result
    assert half.beyond < small.beyond < usual.beyond / 4


def test_interpolation_needs_its_result_alone() -> None:
    upsampler = build_upsampler("bilinear", 16)
    assert predict(upsampler, (2, 16, 7, 7), (28, 28), (28, 28)) == Needed(2 * 16 * 28 * 28 * 4, 0)


MEASURE = """
import json, pathlib, torch
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.memory import predict

def resident(key):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

features, image, found = torch.randn(1, 64, 14, 14), torch.randn(1, 3, 224, 224), {}
for name in ("jbu", "anyup", "jafar"):
    upsampler = build_upsampler(name, 64).eval().requires_grad_(False)
    upsampler.band_rows = 8
    upsampler.up(features[:, :, :2, :2], image[..., :32, :32], (32, 32))  # what libraries set up once
    needed = predict(upsampler, (1, 64, 14, 14), (224, 224), (224, 224))
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    made = upsampler.up(features, image, (224, 224))
    found[name] = needed.beyond, resident("VmHWM") - before - made.numel() * made.element_size()
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_the_prediction_is_what_the_run_takes(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, (predicted, taken) in json.loads(done.stdout).items():
        assert 0.7 * predicted < taken < 1.1 * predicted + 8 * MIB, name
