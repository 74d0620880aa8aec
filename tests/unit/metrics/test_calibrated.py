"""What the preset calibrated adds: chance, the image as a yardstick, and the order of the controls."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.metrics import MetricConfig
from vfm_fusion.metrics.chance import above_chance, displaced_deviation
from vfm_fusion.metrics.concentration import chance_deviation, concentration
from vfm_fusion.metrics.controls import CONTROLS, control_map
from vfm_fusion.metrics.edge_fidelity import score_edges
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.gradient import feature_gradient
from vfm_fusion.metrics.image_edges import edge_regions
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.sobel import interior
from vfm_fusion.metrics.spectrum import frequency, frequency_content, lowest_frequency
from vfm_fusion.metrics.structural_coherence import score_contrast
from vfm_fusion.miniature.scenes.generate import generate

CALIBRATED = MetricConfig.of("calibrated")
STRIDES = (4, 8, 16, 32)


def test_above_chance_puts_chance_at_zero_and_all_at_one() -> None:
    assert above_chance(1.0, 0.2, 0.01, 3) == 1.0
    assert above_chance(0.6, 0.2, 0.1, 3) == pytest.approx(0.5)
    assert above_chance(0.5, 0.2, 0.1, 3) == 0.0
    assert above_chance(0.1, 0.2, 0.0, 0) == 0.0


def test_displaced_deviation_is_that_over_all_displacements() -> None:
    generator = torch.Generator().manual_seed(0)
    energy = torch.rand(7, 9, generator=generator, dtype=torch.float64)
    region = torch.rand(7, 9, generator=generator) > 0.7
    shares = [
        float(energy[region.roll((dy, dx), (0, 1))].sum() / energy.sum())
        for dy in range(7)
        for dx in range(9)
    ]
    assert np.mean(shares) == pytest.approx(float(region.double().mean()))
    assert displaced_deviation(energy, region) == pytest.approx(np.std(shares))


def test_chance_deviation_is_that_of_pixels_in_random_order(scene) -> None:
    features, images = scene(1, size=(32, 48), image_size=(128, 192))
    feature_map = FeatureMap(features[0])
    regions = edge_regions(unit_range(images), (32, 48), CALIBRATED)
    core = interior(regions.core)
    shares = []
    for permuted in feature_map.permutations(300, seed=9):
        energy = interior(feature_gradient(permuted, CALIBRATED)).double()
        shares.append(float(energy[core].sum() / energy.sum()))
    assert np.mean(shares) == pytest.approx(
        float(core.double().mean()), abs=3 * np.std(shares) / math.sqrt(300)
    )
    assert chance_deviation(feature_map, regions, CALIBRATED) == pytest.approx(np.std(shares), rel=0.2)


def test_sfc_of_noise_is_at_its_chance_level() -> None:
    """Uncorrected it is (P - 1) / (n - 1) on average with a beta distribution's deviation; corrected, 0."""
    generator = torch.Generator().manual_seed(0)
    plain = MetricConfig.of("paper", grid=4)
    noise = [FeatureMap(torch.randn(3, 24, 32, generator=generator)) for _ in range(200)]
    shares = np.array([score_contrast(features, plain).value for features in noise])
    chance = 15 / (24 * 32 - 1)
    deviation = math.sqrt(2 * chance * (1 - chance) / (24 * 32 + 1))
    assert shares.mean() == pytest.approx(chance, rel=0.05)
    assert shares.std() == pytest.approx(deviation, rel=0.15)
    corrected = [score_contrast(f, MetricConfig.of("calibrated", grid=4)).value for f in noise]
    assert np.mean(np.array(corrected) > 0) <= 0.02


def test_edges_everywhere_leave_ec_undefined() -> None:
    """On 4 x 6 pixels the core covers so much that not even all energy in it would exceed chance."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 128, 192, generator=generator)
    features = FeatureMap(torch.randn(5, 4, 6, generator=generator))
    ec, _ = concentration(features, edge_regions(image, (4, 6), CALIBRATED), CALIBRATED)
    assert ec.reason == "edges_everywhere"


def test_fc_is_relative_to_the_image_and_at_most_one(scene) -> None:
    features, images = scene(2)
    image = unit_range(images)
    feature_map = FeatureMap(features[0])
    regions = edge_regions(image, (24, 32), CALIBRATED)
    alone = CALIBRATED.model_copy(update={"yardstick": "none"})
    own = frequency_content(
        regions.gradient - regions.gradient.mean(), lowest_frequency(24, 32, CALIBRATED)
    ).value
    expected = min(1.0, frequency(feature_map, regions, alone).value / own)
    assert frequency(feature_map, regions, CALIBRATED).value == pytest.approx(expected)
    noise = FeatureMap(torch.randn(4, 24, 32, generator=torch.Generator().manual_seed(0)))
    assert frequency(noise, regions, CALIBRATED).value == 1.0


def test_the_band_starts_where_the_window_resolves() -> None:
    assert lowest_frequency(64, 128, CALIBRATED) == 0.15
    assert lowest_frequency(8, 16, CALIBRATED) == pytest.approx(2 * math.sqrt(2) / 8)
    assert lowest_frequency(8, 16, MetricConfig()) == 0.15


def test_repeating_pixels_is_no_finer_map() -> None:
    """Pixels at OS=16 repeated to OS=8 and 4 score below maps that have these strides."""
    patches = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(3))
    image = F.interpolate(patches, size=(384, 512), mode="nearest")

    def steps(stride: int) -> FeatureMap:
        size = (384 // stride, 512 // stride)
        return FeatureMap(F.interpolate(image, size=size, mode="bilinear", antialias=True)[0])

    def fidelity(features: FeatureMap) -> float:
        regions = edge_regions(image, (features.height, features.width), CALIBRATED)
        return score_edges(features, regions, (384, 512), CALIBRATED)["ef"].value

    coarse = fidelity(steps(16))
    for times in (2, 4):
        assert fidelity(steps(16).repeated(times)) < 0.6 * fidelity(steps(16 // times))
    assert fidelity(steps(16).repeated(4)) < 0.5 * coarse


def mean_scores(images: list[Tensor], config: MetricConfig) -> dict[int, dict[str, float]]:
    """Mean EF of every control at every stride."""
    means = {}
    for stride in STRIDES:
        values: dict[str, list[float]] = {name: [] for name in CONTROLS}
        for image in images:
            for name in CONTROLS:
                features = FeatureMap(control_map(name, image, stride))
                regions = edge_regions(image, (features.height, features.width), config)
                size = (image.shape[-2], image.shape[-1])
                values[name].append(score_edges(features, regions, size, config)["ef"].value)
        means[stride] = {name: float(np.nanmean(v)) for name, v in values.items() if not np.isnan(v).all()}
    return means


def assert_right_order(means: dict[int, dict[str, float]]) -> None:
    for stride, mean in means.items():
        assert mean["edges"] > mean["blurred"] > mean["smooth"], (stride, mean)
        assert mean["noise"] <= mean["shuffled"], (stride, mean)
        assert mean["edges"] > mean["noise"], (stride, mean)
        assert "constant" not in mean


def test_controls_are_ranked_right_on_generated_scenes(tmp_path) -> None:
    config = MiniscapesConfig(kind="miniscapes", train=1, val=16, height=256, width=512, style="synthetic")
    generate(config, tmp_path, workers=1)
    files = sorted(tmp_path.glob("leftImg8bit/val/**/*.png"))
    assert len(files) == 16
    images = [photo(path) for path in files]
    assert_right_order(mean_scores(images, CALIBRATED))
    paper = mean_scores(images, MetricConfig())
    assert any(mean["noise"] > mean["edges"] for mean in paper.values())


def photo(path) -> Tensor:
    pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB")))
    return unit_range(pixels.permute(2, 0, 1)[None])


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("cityscapes/leftImg8bit/**/*.png", 5),
        ("camvid/val/*.png", 10),
        ("coco_stuff/*_img/*.jpg", 20),
    ],
)
def test_controls_are_ranked_right_on_real_photos(realdata, pattern, count) -> None:
    files = sorted((realdata / "images").glob(pattern))
    files = files[:: max(1, len(files) // count)][:count]
    assert len(files) == count
    assert_right_order(mean_scores([photo(path) for path in files], CALIBRATED))
