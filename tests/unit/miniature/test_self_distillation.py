"""Self-distillation: its views, its masks, its loss and its teacher."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.pretraining import SelfDistillationConfig
from vfm_fusion.datasets.base import Sample
from vfm_fusion.datasets.registry import categories, index_split, open_dataset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.errors import ConfigError
from vfm_fusion.miniature.pretraining.crops import draw_mask, draw_views
from vfm_fusion.miniature.pretraining.self_distillation import SelfDistillation, hide_patches
from vfm_fusion.miniature.scenes.generate import generate
from vfm_fusion.training.samples import TensorBatch

SCENES = MiniscapesConfig(kind="miniscapes", train=4, val=1, height=128, width=256, seed=7)
SMALL = {
    "global_side": 64,
    "local_side": 32,
    "local_views": 2,
    "region": (64.0, 96.0),
    "prototypes": 32,
    "head_hidden_dim": 32,
    "bottleneck_dim": 16,
}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Sample]:
    root = tmp_path_factory.mktemp("scenes")
    generate(SCENES, root / "data", workers=1)
    dataset = open_dataset(SCENES, root / "data", index_split(SCENES, root / "data", "train").frame)
    return [dataset[position] for position in range(len(dataset))]


def encoder(architecture: str = "mini_vit") -> Encoder:
    weights = SeededWeights(source="seeded", seed=3)
    return build_encoder(EncoderConfig(architecture=architecture, weights=weights))


def objective(**changes: object) -> SelfDistillation:
    settings = SelfDistillationConfig(**{**SMALL, **changes})
    return SelfDistillation(encoder(), settings, categories(SCENES), seed=5)


def batch_of(found: SelfDistillation, samples: Sequence[Sample], seed: int = 0) -> TensorBatch:
    return found.batch(samples, np.random.default_rng(seed))


def move_student(found: SelfDistillation) -> None:
    """Makes student and teacher differ."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in [*found.encoder.parameters(), *found.heads.parameters()]:
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)


def test_shapes_of_a_batch(samples: Sequence[Sample]) -> None:
    batch = batch_of(objective(), samples)
    assert batch["globals"].shape == (8, 3, 64, 64)
    assert batch["locals"].shape == (8, 3, 32, 32)
    assert batch["masks"].shape == (8, 4, 4)
    assert {name: part.dtype for name, part in batch.items()} == {
        "globals": torch.uint8,
        "locals": torch.uint8,
        "masks": torch.bool,
    }


def test_the_same_seed_gives_the_same_numbers(samples: Sequence[Sample]) -> None:
    found = []
    for seed in (0, 0, 1):
        learner = objective()
        found.append(
            [float(term.detach()) for term in learner.losses(batch_of(learner, samples, seed), 0.1).values()]
        )
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_views_of_an_image_lie_in_one_region_of_it() -> None:
    rows, columns = np.mgrid[:200, :250].astype(np.uint8)
    image = np.stack([rows, columns, rows], axis=-1)
    plain = {"jitter_share": 0.0, "grey_share": 0.0, "blur_share": 0.0, "region": (70.0, 70.0)}
    settings = SelfDistillationConfig(**{**SMALL, **plain})
    spans = []
    for seed in range(10):
        large, small = draw_views(image, settings, np.random.default_rng(seed))
        for channel in (0, 1):
            values = [*large[:, channel].ravel().tolist(), *small[:, channel].ravel().tolist()]
            assert max(values) - min(values) < 70
        spans += [int(view[0].max()) - int(view[0].min()) for view in small]
    assert 0.3 * 70 - 4 <= min(spans) <= max(spans) <= 0.7 * 70


@pytest.mark.parametrize("grid", [2, 4, 7])
def test_the_hidden_share_is_kept(grid: int) -> None:
    rng = np.random.default_rng(grid)
    counts = [int(draw_mask(grid, (0.25, 0.5), rng).sum()) for _ in range(100)]
    assert min(counts) >= round(0.25 * grid**2)
    assert max(counts) <= round(0.5 * grid**2)
    assert len(set(counts)) > 1
    assert draw_mask(grid, (0.0, 0.0), rng).sum() == 1
    assert draw_mask(grid, (1.0, 1.0), rng).sum() == grid**2 - 1


def test_the_student_does_not_see_hidden_patches(samples: Sequence[Sample]) -> None:
    student = encoder()
    images = torch.from_numpy(samples[0].image[:64, :64].copy()).permute(2, 0, 1)[None] / 255
    masks = torch.zeros(1, 4, 4, dtype=torch.bool)
    masks[0, 1, 2] = True
    inside, outside = images.clone(), images.clone()
    inside[..., 16:32, 32:48] = 0
    outside[..., 0:16, 0:16] = 0
    with torch.no_grad():
        views = [student.patchify(student.normalise(view)) for view in (images, inside, outside)]
        seen, same, other = (
            student.encode(hide_patches(view, masks, torch.ones(128))).tokens for view in views
        )
        shown, changed = (student.encode(view).tokens for view in views[:2])
    assert torch.equal(seen, same)
    assert not torch.allclose(seen, other)
    assert not torch.allclose(shown, changed)


def test_the_teacher_starts_as_the_student_and_is_what_is_shipped() -> None:
    found = objective()
    shipped, student = found.trained().state_dict(), found.encoder.state_dict()
    assert shipped.keys() == student.keys()
    assert all(torch.equal(shipped[name], student[name]) for name in student)
    move_student(found)
    assert not any(
        torch.equal(p, q)
        for p, q in zip(found.trained().parameters(), found.encoder.parameters(), strict=True)
    )


def test_only_the_student_has_gradients(samples: Sequence[Sample]) -> None:
    found = objective()
    sum(found.losses(batch_of(found, samples), 0.5).values()).backward()
    assert all(p.grad is None for p in [*found.teacher.parameters(), *found.teacher_heads.parameters()])
    learners = [*found.encoder.parameters(), *found.heads.parameters(), found.mask_token]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learners)


def test_prototypes_do_not_learn_at_first(samples: Sequence[Sample]) -> None:
    found = objective(frozen_share=0.1)
    sum(found.losses(batch_of(found, samples), 0.09).values()).backward()
    assert all(head.prototypes.grad is None for head in found.heads)


@pytest.mark.parametrize(("progress", "momentum"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_the_teacher_is_a_moving_average(progress: float, momentum: float) -> None:
    found = objective(teacher_momentum=0.9)
    move_student(found)
    before = copy.deepcopy([*found.teacher.parameters(), *found.teacher_heads.parameters()])
    found.after_step(progress)
    after = [*found.teacher.parameters(), *found.teacher_heads.parameters()]
    students = [*found.encoder.parameters(), *found.heads.parameters()]
    for old, new, student in zip(before, after, students, strict=True):
        torch.testing.assert_close(new, momentum * old + (1 - momentum) * student)


def test_the_centres_are_moving_means_of_the_teachers_scores(samples: Sequence[Sample]) -> None:
    found = objective(center_momentum=0.8)
    found.centers.normal_()
    before = found.centers.clone()
    batch = batch_of(found, samples)
    found.losses(batch, 0.2)
    torch.testing.assert_close(found.centers, before)
    images, patches = scores(found, batch)
    found.after_step(0.2)
    means = torch.stack([images.mean(dim=0), patches.mean(dim=0)])
    torch.testing.assert_close(found.centers, 0.8 * before + 0.2 * means)


def normalised(found: SelfDistillation, images: torch.Tensor) -> torch.Tensor:
    mean, std = (
        torch.tensor(part).view(3, 1, 1) for part in (found.encoder.spec.mean, found.encoder.spec.std)
    )
    return (images / 255 - mean) / std


def scores(found: SelfDistillation, batch: TensorBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """What the teacher's heads say of the class tokens, and of the patches that the student does not see."""
    with torch.no_grad():
        tokens = found.teacher.model.forward_features(normalised(found, batch["globals"]))
        hidden = tokens[:, 1:][batch["masks"].flatten(1)]
        return found.teacher_heads[0](tokens[:, 0]), found.teacher_heads[1](hidden)


def test_the_loss_in_plain_sums(samples: Sequence[Sample]) -> None:
    found = objective(student_temperature=0.2, teacher_temperature=(0.05, 0.1), patch_weight=2.0)
    move_student(found)
    found.centers.normal_(std=0.1)
    batch = batch_of(found, samples[:2])
    sharp = 0.05 + 0.05 * 0.15 / found.settings.temperature_warmup
    images, patches = scores(found, batch)
    image_targets = ((images - found.centers[0]) / sharp).softmax(-1)
    patch_targets = ((patches - found.centers[1]) / sharp).softmax(-1)

    model = found.encoder.model
    with torch.no_grad():
        hook = model.patch_embed.register_forward_hook(
            lambda _, __, patches: torch.where(batch["masks"][..., None], found.mask_token, patches)
        )
        large = model.forward_features(normalised(found, batch["globals"]))
        hook.remove()
        small = model.forward_features(normalised(found, batch["locals"]))
        views = torch.cat([large[:, 0], small[:, 0]])
        image_logs = F.log_softmax(found.heads[0](views) / 0.2, dim=-1).view(4, 2, -1)
        hidden = large[:, 1:][batch["masks"].flatten(1)]
        patch_logs = F.log_softmax(found.heads[1](hidden) / 0.2, dim=-1)

    image_terms = [
        -(image_targets.view(2, 2, -1)[teacher, image] * image_logs[student, image]).sum()
        for image in range(2)
        for teacher in range(2)
        for student in range(4)
        if student != teacher
    ]
    crosses = iter(-(patch_targets * patch_logs).sum(dim=-1))
    view_terms = [
        torch.stack([next(crosses) for _ in range(int(mask.sum()))]).mean() for mask in batch["masks"]
    ]

    losses = found.losses(batch, 0.15)
    torch.testing.assert_close(losses["image"].detach(), torch.stack(image_terms).mean())
    torch.testing.assert_close(losses["patch"].detach(), 2 * torch.stack(view_terms).mean())


def test_constant_outputs_give_the_loss_of_a_uniform_guess(samples: Sequence[Sample]) -> None:
    found = objective(patch_weight=0.5)
    for heads in (found.heads, found.teacher_heads):
        for head in heads:
            torch.nn.init.zeros_(head.mlp[-1].weight)
    losses = found.losses(batch_of(found, samples), 0.3)
    assert losses["image"].item() == pytest.approx(math.log(32), rel=1e-5)
    assert losses["patch"].item() == pytest.approx(0.5 * math.log(32), rel=1e-5)


def test_steps_lower_the_loss(samples: Sequence[Sample]) -> None:
    found = objective(frozen_share=0.0)
    batch = batch_of(found, samples)
    optimiser = torch.optim.AdamW([p for p in found.parameters() if p.requires_grad], lr=1e-3)
    history = []
    for _ in range(8):
        optimiser.zero_grad()
        losses = found.losses(batch, 0.5)
        sum(losses.values()).backward()
        optimiser.step()
        found.after_step(0.5)
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    assert all(history[-1][name] < 0.9 * history[0][name] for name in found.terms)


def test_what_all_tokens_share_does_not_hide_how_they_differ() -> None:
    head = objective().heads[0]
    tokens = torch.randn(16, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alike = head(100 + 0.01 * tokens)
    assert float(alike.std(dim=0).mean()) > 0.1


def test_the_teachers_temperature_rises_and_stays() -> None:
    found = objective(teacher_temperature=(0.02, 0.06), temperature_warmup=0.5)
    temperatures = [found.teacher_temperature(progress) for progress in (0.0, 0.25, 0.5, 0.9)]
    assert temperatures == pytest.approx([0.02, 0.04, 0.06, 0.06])


def test_local_views_can_be_left_out(samples: Sequence[Sample]) -> None:
    found = objective(local_views=0)
    batch = batch_of(found, samples)
    assert len(batch["locals"]) == 0
    assert all(torch.isfinite(term) for term in found.losses(batch, 0.0).values())


def test_features_at_the_size_of_use_are_finite_and_differ_between_patches() -> None:
    found = objective().trained()
    images = torch.rand(1, 3, 256, 512, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        feature = found(images)[16]
    assert feature.shape == (1, 128, 16, 32)
    assert float(feature.std(dim=(2, 3)).mean()) > 0.05


def test_another_encoder_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"plain ViT with one class token .* found 'mini_swin'"):
        SelfDistillation(encoder("mini_swin"), SelfDistillationConfig(), categories(SCENES), 0)
