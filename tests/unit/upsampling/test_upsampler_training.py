"""Training of upsamplers: their losses by hand, what learns and what stays, files, and that they learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.upsampling import UpsamplerTrainingConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.errors import ConfigError, TrainingError
from vfm_fusion.training.loop import train
from vfm_fusion.training.task import Part
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.pretraining.measures import fidelity, held_out, measures
from vfm_fusion.upsampling.pretraining.multi_view import Downsampler, Jitter, crf, draw_jitter
from vfm_fusion.upsampling.pretraining.objectives import OBJECTIVES, cosine_and_range, lift, loftup, naf
from vfm_fusion.upsampling.pretraining.segments import region_means, segments
from vfm_fusion.upsampling.pretraining.task import WEIGHTS_FILE, UpsamplerTraining
from vfm_fusion.upsampling.pretraining.views import Views, draw_crop
from vfm_fusion.upsampling.resampling import imagenet_normalised


def recipe(name: str, steps: int = 2, **settings: float) -> UpsamplerTrainingConfig:
    side = 128 if name == "uplift" else 64
    return UpsamplerTrainingConfig(
        **{"side": side, "steps": steps, "batch_size": 2, "log_every": 1, **settings}
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_step_has_its_terms_and_changes_the_upsampler_alone(
    name: str, encoder: Encoder, scenes: Dataset
) -> None:
    task = UpsamplerTraining(name, recipe(name), encoder, scenes).train()
    part = Part(task.batch(0, task.sampler().of_step(0)))
    terms = task(part)
    assert torch.isfinite(terms).all()
    terms.sum().backward()
    assert not any(parameter.requires_grad for parameter in task.encoder.parameters())
    assert not task.encoder.training
    assert any(parameter.grad is not None for parameter in task.upsampler.parameters())
    assert not any(key.startswith("encoder.") for key in task.saved())
    learning = {key for key, value in task.named_parameters() if value.requires_grad}
    assert learning <= task.saved().keys()


def test_the_loss_of_lift_by_hand(encoder: Encoder) -> None:
    images = torch.rand(1, 3, 64, 64)
    upsampler = build_upsampler("lift", 128).eval()
    losses = lift(upsampler, Views(encoder, 16, images))
    with torch.no_grad():
        whole, half = encoder(images)[16], encoder(images[..., ::2, ::2])[16]
        made = upsampler.up(half, imagenet_normalised(images[..., ::2, ::2]), (4, 4))
    expected = 1 - F.cosine_similarity(made, whole, dim=1).mean()
    torch.testing.assert_close(losses["half"].detach(), expected)
    assert losses.keys() == {"half", "quarter"}


def test_the_loss_of_naf_is_zero_for_a_target_that_it_reaches(encoder: Encoder) -> None:
    class Constant(Views):
        def maps(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full((len(images), 8, images.shape[-1] // 16, images.shape[-1] // 16), 0.5)

    upsampler = build_upsampler("naf", 8).eval()
    losses = naf(upsampler, Constant(encoder, 16, torch.rand(1, 3, 288, 288)))
    torch.testing.assert_close(losses["squared"].detach(), torch.tensor(0.0))


def test_cosine_and_range_by_hand() -> None:
    made = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    target = torch.tensor([0.0, 2.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(cosine_and_range(made, target), torch.tensor(1 + (0.25 + 1.0) / 2))


def test_segments_keep_to_the_edges_of_colours() -> None:
    images = torch.zeros(1, 3, 24, 32)
    images[..., 11:] = 1.0  # no border of the grid of 8 x 8 lies at column 11
    images += 0.01 * torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
    regions = segments(images, 8)
    assert regions.shape == (1, 24, 32)
    assert not set(regions[..., :11].unique().tolist()) & set(regions[..., 11:].unique().tolist())
    assert len(regions.unique()) >= 8
    means, counts = region_means(images.flatten(2), regions.flatten(1), 12)
    assert counts.sum() == 24 * 32
    number = int(regions[0, 0, 0])
    torch.testing.assert_close(means[0, :, number], images[0][:, regions[0] == number].mean(1))


def test_loftup_learns_maps_that_are_even_within_regions(encoder: Encoder) -> None:
    class Reached(torch.nn.Module):
        def up(self, features: torch.Tensor, image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
            return F.interpolate(features, size=size, mode="bicubic", align_corners=False)

    images = torch.rand(1, 3, 64, 64)
    views = Views(encoder, 16, images)
    fine = F.interpolate(views.maps(images), size=(64, 64), mode="bicubic", align_corners=False)[0]
    regions, total = segments(images, 32)[0], 0.0
    for number in regions.unique():
        inside = fine[:, regions == number]
        total += (0.8 * (inside - inside.mean(1, keepdim=True))).square().sum()
    torch.testing.assert_close(loftup(Reached(), views)["squared"], total / fine.numel())


def test_moved_maps_are_those_of_the_moved_image() -> None:
    image = torch.rand(1, 3, 40, 40)
    assert torch.equal(Jitter(1.0, 20, 20, False)(image), image)
    assert torch.equal(Jitter(1.0, 20, 20, True)(image), image.flip(3))
    torch.testing.assert_close(
        Jitter(2.0, 40, 40, False)(image)[..., 1:-1, 1:-1].mean(),
        image[..., :20, :20].mean(),
        atol=0.05,
        rtol=0,
    )
    torch.manual_seed(0)
    drawn = [draw_jitter(40) for _ in range(60)]
    assert all(jitter(image).shape == image.shape for jitter in drawn)
    assert 15 < sum(jitter.flip for jitter in drawn) < 45
    assert 15 < sum(jitter.zoom > 1 for jitter in drawn) < 45


def test_the_downsampler_takes_means_of_cells() -> None:
    downsampler = Downsampler(3, 8).eval()
    constant = torch.arange(3.0).view(1, 3, 1, 1).expand(1, 3, 32, 24)
    torch.testing.assert_close(downsampler(constant), constant[..., :4, :3])
    maps = torch.zeros(1, 3, 32, 24)
    maps[..., 10:14, 18:22] = 1.0  # within the cell of row 1, column 2, and its blur
    made = downsampler(maps)
    assert made[..., 1, 2].min() > 0
    made[..., 1, 2] = 0
    assert not made.any()


def test_the_random_field_is_blind_to_constants_and_sees_like_colours() -> None:
    torch.manual_seed(0)
    image = torch.zeros(1, 3, 16, 16)
    image[..., 8:] = 3.0
    by_colour, across = image[:, :1].clone(), image[:, :1].transpose(2, 3).clone()
    assert crf(image, torch.ones(1, 1, 16, 16)) == 0
    assert crf(image, by_colour) < 0.5 * crf(image, across)


def test_crops_are_squares_of_the_image_and_repeat() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[..., 0] = np.arange(60)
    first, again = (draw_crop(image, 16, (0.5, 1.0), np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (3, 16, 16)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    spread = int(first[0].max()) - int(first[0].min())
    assert 15 <= spread <= 40


def test_what_cannot_be_trained_is_refused(encoder: Encoder, scenes: Dataset) -> None:
    with pytest.raises(ConfigError, match="recipe: 'bilinear' is not trained here; those that are: jbu"):
        UpsamplerTraining("bilinear", recipe("bilinear"), encoder, scenes)
    with pytest.raises(ConfigError, match=r"recipe\.side: .* with mini_vit it is a multiple of 64"):
        UpsamplerTraining("lift", recipe("lift", side=96), encoder, scenes)


@pytest.mark.parametrize(("name", "term"), [("lift", "half"), ("naf", "squared")])
def test_training_beats_bilinear_and_its_file_is_read_again(
    name: str, term: str, tmp_path: Path, encoder: Encoder, scenes: Dataset
) -> None:
    settings = recipe(name, steps=30, batch_size=4, learning_rate=3e-3)

    def made() -> UpsamplerTraining:
        return UpsamplerTraining(name, settings, encoder, scenes)

    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    task = train(made, out_dir=tmp_path / "out", state_dir=tmp_path / "state", token="x")
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    upsampler = build_upsampler(name, 128, tmp_path / "out" / WEIGHTS_FILE)
    for key, value in upsampler.state_dict().items():
        assert torch.equal(value, task.upsampler.state_dict()[key])
    rows = (tmp_path / "out" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    place = rows[0].split(",").index(term)
    losses = [float(row.split(",")[place]) for row in rows[1:]]
    assert sum(losses[-5:]) < sum(losses[:5])
    views = Views(encoder, 16, task.batch(1000, [(1000, 0), (1001, 1)])["images"].float() / 255)
    ours, bilinear = (
        task.objective(each, views)[term].item() for each in (upsampler, build_upsampler("bilinear", 128))
    )
    assert ours < bilinear


def test_an_encoder_of_a_fixed_resolution_sees_images_at_their_own_size(scenes: Dataset) -> None:
    weights = SeededWeights(source="seeded", seed=1)
    fixed = build_encoder(EncoderConfig(architecture="mini_vit", weights=weights, resolution=32))
    task = UpsamplerTraining("lift", recipe("lift"), fixed, scenes)
    free = build_encoder(EncoderConfig(architecture="mini_vit", weights=weights))
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(Views(task.encoder, 16, images).maps(images), free(images)[16])


@pytest.mark.parametrize(("images", "apart"), [(2, [0]), (21, [0, 10]), (120, [*range(0, 120, 10)])])
def test_a_tenth_of_the_images_is_held_out(images: int, apart: list[int]) -> None:
    assert held_out(images) == apart


def test_of_many_images_sixteen_are_held_out_and_of_one_none_can_be() -> None:
    assert len(set(held_out(2000))) == 16
    with pytest.raises(TrainingError, match="found 1 training images"):
        held_out(1)


def test_measures_are_of_the_same_crops_and_what_is_drawn_whatever_was_drawn_before(
    encoder: Encoder, scenes: Dataset
) -> None:
    task = UpsamplerTraining("jafar", recipe("jafar"), encoder, scenes).eval()
    first = measures(task, scenes)
    torch.manual_seed(5)
    assert measures(task, scenes) == first
    assert first.keys() == {"loss", "cosine", "error"}


def test_fidelity_by_hand(encoder: Encoder, scenes: Dataset) -> None:
    class Even(torch.nn.Module):
        def up(self, features: torch.Tensor, image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
            assert image.shape[-1] == 32
            return torch.ones(len(features), 128, *size)

    task = UpsamplerTraining("lift", recipe("lift"), encoder, scenes).eval()
    crops = [
        torch.from_numpy(draw_crop(scenes.image(n), 64, (0.5, 1.0), np.random.default_rng(task.derive(3, n))))
        for n in range(len(scenes))
    ]
    maps = encoder(torch.stack(crops) / 255)[16]
    found = fidelity(Even(), task, scenes)
    assert found["cosine"] == pytest.approx(F.cosine_similarity(maps, torch.ones(1), dim=1).mean().item())
    variance = (maps - maps.mean((0, 2, 3), keepdim=True)).square().mean()
    assert found["error"] == pytest.approx(((1 - maps).square().mean() / variance).sqrt().item(), rel=1e-5)
