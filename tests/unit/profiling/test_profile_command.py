"""``python -m vfm_fusion profile``: what it writes, what it says, and how it answers mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import vfm_fusion
from vfm_fusion.__main__ import main


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        pixels = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def arguments(photos: Path, out: Path, *more: str) -> list[str]:
    return ["profile", "--images", str(photos), "--out", str(out), "--strides", "4", "8", *more]


def test_it_writes_what_the_call_returns(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    options = ("--definition", "calibrated", "--short-side", "96", "--encoders", "mini-dino", "mini-sam")
    assert main(arguments(photos, out, *options)) == 0
    said = capsys.readouterr()
    result = vfm_fusion.profile(
        ["mini-dino", "mini-sam"],
        photos,
        definition="calibrated",
        strides=(4, 8),
        image_size={"short_side": 96},
        progress=False,
    )
    assert said.out.startswith(str(result))
    assert str(out / "profile.html") in said.out
    assert "profile: mini-sam [########################] 2 of 2" in said.err
    written = pd.read_csv(out / "profiles.csv")
    assert np.allclose(written["mean"], result.frame["mean"], rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--encoders", "mini-dino", "--images", "nowhere"], "DatasetLayoutError: images: nowhere: no such"),
        (["--encoders", "mini-dino", "--out", __file__], "ConfigError: --out: "),
        (["--encoders", "dinov2_vitx14"], "ConfigError: encoders.dinov2_vitx14.architecture"),
    ],
)
def test_a_mistake_is_one_sentence(
    photos: Path, tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(photos, tmp_path, *options, "--quiet")) == 1
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_the_help_is_there_without_torch(repository: Path) -> None:
    code = (
        "import sys; from vfm_fusion.__main__ import main\n"
        "try:\n    main(['profile', '--help'])\nfinally:\n    assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "timm:convnext_tiny.fb_in1k dinov2_vits14" in done.stdout
    listed = subprocess.run(
        [sys.executable, "-m", "vfm_fusion", "--help"], cwd=repository, capture_output=True, text=True
    )
    assert "profile encoders on a folder of pictures" in listed.stdout
