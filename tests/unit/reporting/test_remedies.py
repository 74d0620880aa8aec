"""What is said of a score that is undefined because maps are small: the setting that would give it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.datasets.fitting import fit_size
from vfm_fusion.metrics.structural_coherence import structural_coherence
from vfm_fusion.reporting.remedies import Remedies, plain_words

NAMES = {
    "paper": MetricConfig.of("paper"),
    "calibrated": MetricConfig.of("calibrated"),
    "reference_table5": MetricConfig.of("reference_table5"),
}


def remedies(height: int, width: int) -> Remedies:
    return Remedies(NAMES, (height, width), "features.image_size")


@pytest.mark.parametrize(
    ("size", "definition", "words"),
    [
        (
            (256, 512),
            "paper",
            "grid too fine for a map of 8 x 16: set metrics.definitions.paper.grid: 4, or "
            "features.image_size: {short_side: 512}",
        ),
        (
            (128, 128),
            "calibrated",
            "grid too fine for a map of 4 x 4: set metrics.definitions.calibrated.grid: 2, or "
            "features.image_size: {short_side: 512}",
        ),
        ((64, 64), "paper", "grid too fine for a map of 2 x 2: set features.image_size: {short_side: 512}"),
        ((256, 512), "not configured", "grid too fine"),
    ],
)
def test_a_grid_that_is_too_fine_names_grid_and_size(size, definition: str, words: str) -> None:
    assert remedies(*size).words("grid_too_fine", definition, 32) == words


@pytest.mark.parametrize("size", [(128, 256), (256, 512), (480, 640), (96, 96), (224, 672)])
@pytest.mark.parametrize("definition", ["paper", "calibrated"])
def test_what_is_named_works(size: tuple[int, int], definition: str) -> None:
    """SFC itself is defined with the named grid at this size, and with the named size at this grid."""

    def reason(config: MetricConfig, height: int, width: int) -> str | None:
        generator = torch.Generator().manual_seed(0)
        features = torch.randn(1, 4, height // 32, width // 32, generator=generator)
        return structural_coherence(features, config).reasons["sfc"][0]

    assert reason(NAMES[definition], *size) == "grid_too_fine"
    words = remedies(*size).words("grid_too_fine", definition, 32)
    side = int(re.search(r"short_side: (\d+)", words)[1])
    larger = tuple(whole * side // min(size) for whole in size)
    assert reason(NAMES[definition], *larger) is None
    assert fit_size(*larger, 32)[size.index(min(size))] == side  # no encoder rounds it down to what it was
    for grid in re.findall(r"grid: (\d+)", words):
        assert reason(MetricConfig.of(definition, grid=int(grid)), *size) is None
        assert reason(MetricConfig.of(definition, grid=int(grid) + 1), *size) == "grid_too_fine"


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_what_is_named_at_smaller_strides_is_seen_by_encoders(stride: int) -> None:
    """Images of 64 x 64, with maps of one pixel too few: 68 x 68 would be rounded to 64 x 64 again."""
    small = Remedies(
        {"own": MetricConfig.of("paper", grid=32 // stride + 1)}, (64, 64), "features.image_size"
    )
    words = small.words("grid_too_fine", "own", stride)
    assert words.endswith("features.image_size: {short_side: 96}")


def test_other_reasons_of_a_small_map_name_a_setting_too() -> None:
    small = remedies(256, 256)
    assert small.words("one_cell", "reference_table5", 32) == (
        "one cell for a map of 8 x 8: set metrics.definitions.reference_table5.cell_pixels: 4, or "
        "features.image_size: {short_side: 512}"
    )
    assert small.words("too few pixels", "paper", 32).startswith("too few pixels in a map of 8 x 8: profile")
    assert small.words("edges_everywhere", "paper", 32).endswith("or leave 32 out of metrics.strides")
    assert small.words("no_edges", "paper", 32) == plain_words("no_edges", "paper", 32) == "no edges"


def test_the_size_is_that_of_the_smallest_images_as_they_are_profiled(tmp_path: Path) -> None:
    summary = tmp_path / "val.json"
    summary.write_text(json.dumps({"smallest_sides": [300, 400]}))
    definitions = [(name, config.model_dump(mode="json")) for name, config in NAMES.items()]
    settings = {"definitions": definitions, "image_size": None, "setting": "also_profiled.coco.image_size"}
    found = Remedies.of(summary, settings)
    assert found.size == (288, 416)
    assert "also_profiled.coco.image_size: {short_side:" in found.words("grid_too_fine", "paper", 32)
    shrunk = Remedies.of(summary, {**settings, "image_size": {"short_side": 192}})
    assert shrunk.size == (192, 256)
