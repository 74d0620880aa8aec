"""The whole benchmark in small: training and protocol tell good features from bad ones, and models learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from interactive_toys import bilinear, encoder_of
from torch import Tensor

from vfm_fusion.config.clicks import (
    ClickModelConfig,
    ClickProtocolConfig,
    ClickSamplingConfig,
    SimpleVitConfig,
    ZoomConfig,
)
from vfm_fusion.interactive.click_model import ClickModel
from vfm_fusion.interactive.click_predictor import ClickPredictor
from vfm_fusion.interactive.click_protocol import ClickedObject, play
from vfm_fusion.interactive.click_sampling import sample_points, sample_target
from vfm_fusion.interactive.click_scores import click_scores, click_table, object_table
from vfm_fusion.interactive.focal_loss import normalised_focal_loss
from vfm_fusion.interactive.iterative_clicks import click_on_errors

SIDE, STEPS, BATCH, WIDTH = 32, 100, 8, 32
LAWS = ClickSamplingConfig(slots=4, erosions=1)
PROTOCOL = ClickProtocolConfig(max_clicks=8, zoom=ZoomConfig(side=SIDE, follow_object=False))


def scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image of two bright ellipses on a dark ground, and their masks ``(2, H, W)``."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    masks, image = np.zeros((2, SIDE, SIDE), bool), np.full((SIDE, SIDE), 60.0)
    for mask, middle in zip(masks, rng.permutation([8, 24]), strict=True):
        row, col = rng.uniform(9, 23), middle + rng.uniform(-1, 1)
        mask[:] = ((rows - row) / rng.uniform(4, 8)) ** 2 + ((cols - col) / rng.uniform(4, 6)) ** 2 < 1
        image[mask] = 200
    image = np.repeat(image[..., None], 3, axis=2) + rng.normal(0, 5, (SIDE, SIDE, 3))
    return image.clip(0, 255).astype(np.uint8), masks


def oracle(features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """The truth as features: bright or dark at full resolution, in all channels, with noise."""
    bright = (image.mean(dim=1, keepdim=True) > 0).float() * 2 - 1
    noise = torch.randn(1, WIDTH, *size, generator=torch.Generator().manual_seed(0))
    return bright * torch.linspace(-1, 1, WIDTH).view(1, -1, 1, 1) + 0.3 * noise


def scrambled(features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """The oracle's features, each at the place of another."""
    order = torch.randperm(size[0] * size[1], generator=torch.Generator().manual_seed(1))
    return oracle(features, image, size).flatten(2)[..., order].unflatten(2, size)


def low_res(features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """The oracle's features as an encoder of stride 8 would give them, resized bilinearly."""
    cells = F.adaptive_avg_pool2d(oracle(features, image, size), (size[0] // 8, size[1] // 8))
    return bilinear(cells, image, size)


@dataclass
class Trained:
    """A model's losses, and its scores before and after the training."""

    losses: list[float]
    before: dict[str, float]
    after: dict[str, float]


def train(upsampler: Callable | None) -> Trained:
    encoder = encoder_of("toy_clip_vitb16")
    config = ClickModelConfig(
        click_encoder="simple_vit",
        inject="late_hr",
        head="simple_conv",
        click_radius=3,
        simple_vit=SimpleVitConfig(depth=1, heads=2, head_dim=16, mlp_dim=64),
    )
    torch.manual_seed(0)
    model, rng = ClickModel(encoder, config, upsampler), np.random.default_rng(0)
    before = evaluate(model)
    optimiser = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=2e-3)
    losses = []
    for _ in range(STEPS):
        images, truth, points = batch(rng)
        seen = model.see(images)
        rounds = int(rng.integers(LAWS.rounds + 1))
        points, previous = click_on_errors(model, seen, points, truth, LAWS.threshold, rounds, [rng] * BATCH)
        loss = normalised_focal_loss(model.train().answer(seen, previous, points), truth).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return Trained(losses, before, evaluate(model))


def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    images, truth, points = [], [], []
    for _ in range(BATCH):
        image, masks = scene(rng)
        target = sample_target(masks, np.zeros((SIDE, SIDE), bool), LAWS, rng)
        images.append(torch.from_numpy(image).permute(2, 0, 1).float() / 255)
        truth.append(torch.from_numpy(target.mask[None].astype(np.float32)))
        points.append(torch.from_numpy(sample_points(target, LAWS, rng)))
    return torch.stack(images), torch.stack(truth), torch.stack(points)


def evaluate(model: ClickModel) -> dict[str, float]:
    rng, results = np.random.default_rng(1), []
    predictor = ClickPredictor(model, PROTOCOL.zoom)
    for number in range(12):
        image, masks = scene(rng)
        predictor.set_image(image)
        target = ClickedObject(str(number), 1, masks[0], np.zeros((SIDE, SIDE), bool))
        results.append(play(predictor, target, PROTOCOL))
    return click_scores(click_table(results), object_table(results, PROTOCOL), PROTOCOL)


@pytest.fixture(scope="module")
def trained() -> dict[str, Trained]:
    return {up.__name__: train(up) for up in (oracle, low_res, scrambled)}


def test_training_lowers_the_loss(trained: dict[str, Trained]) -> None:
    for each in trained.values():
        assert np.mean(each.losses[-20:]) < 0.5 * np.mean(each.losses[:5])


def test_a_trained_model_beats_an_untrained_one(trained: dict[str, Trained]) -> None:
    for name, each in trained.items():
        assert each.after["mIoU@1"] > each.before["mIoU@1"], name
    assert trained["oracle"].after["NoC@80"] < trained["oracle"].before["NoC@80"]


def test_more_clicks_make_better_masks(trained: dict[str, Trained]) -> None:
    assert trained["oracle"].after["mIoU@5"] > trained["oracle"].after["mIoU@1"]


def test_the_benchmark_tells_good_features_from_bad_ones(trained: dict[str, Trained]) -> None:
    oracle_scores, low, bad = (trained[name].after for name in ("oracle", "low_res", "scrambled"))
    assert oracle_scores["NoC@80"] < 2
    assert oracle_scores["mIoU@1"] > 90
    assert low["NoC@90"] - oracle_scores["NoC@90"] > 3
    assert oracle_scores["mIoU@8"] - low["mIoU@8"] > 20
    assert low["mIoU@8"] - bad["mIoU@8"] > 10
