"""Promptable masks: regions, prompts, what learns, and the IoU of masks from one point."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.pretraining import PromptableMasksConfig
from vfm_fusion.datasets.base import VOID, Category, Dataset, Instances, Sample
from vfm_fusion.datasets.registry import index_split, open_dataset
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.errors import TrainingError
from vfm_fusion.miniature.pretraining.point_iou import point_iou
from vfm_fusion.miniature.pretraining.promptable_masks import PromptableMasks, dice_losses, focal_losses, ious
from vfm_fusion.miniature.pretraining.prompts import (
    draw_box,
    draw_point,
    innermost_point,
    objects,
    stuff,
    tight_box,
)
from vfm_fusion.miniature.scenes.generate import generate

CATEGORIES = (
    Category(0, "road", isthing=False, color=(0, 0, 0)),
    Category(1, "car", isthing=True, color=(0, 0, 1)),
    Category(2, "sky", isthing=False, color=(0, 0, 2)),
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three generated scenes of 128 x 256 pixels."""
    root = tmp_path_factory.mktemp("prompted") / "mini"
    config = MiniscapesConfig(kind="miniscapes", train=1, val=3, height=128, width=256)
    generate(config, root, workers=1)
    return open_dataset(config, root, index_split(config, root, "val").frame)


def objective(categories: tuple[Category, ...], seed: int = 0, **settings: object) -> PromptableMasks:
    weights = {"source": "seeded", "seed": 1}
    encoder = build_encoder(EncoderConfig(architecture="mini_hiera", weights=weights))
    config = PromptableMasksConfig(**{"crop": 64, "hidden_dim": 32, "points": 3, "boxes": 2, **settings})
    return PromptableMasks(encoder, config, categories, seed).train()


def painted() -> Sample:
    """Road below sky; two cars, of which the second lies on the first; a group of cars; void between."""
    semantic = np.full((96, 128), 2, np.uint8)
    semantic[48:] = 0
    semantic[44:48] = VOID
    ids = np.zeros((96, 128), np.int32)
    ids[50:70, 10:50] = 1
    ids[60:80, 30:60] = 2
    ids[50:90, 90:120] = 3
    covered = np.zeros((1, 96, 128), np.int32)
    covered[0, 60:70, 30:50] = 1
    semantic[ids > 0] = 1
    image = np.stack([semantic * 40, (ids * 60).astype(np.uint8), 255 - semantic], axis=-1)
    instances = Instances(ids, np.array([1, 1, 1]), np.array([False, False, True]), covered)
    return Sample("painted", image, semantic, instances)


def test_objects_are_whole_and_no_groups() -> None:
    first, second = objects(painted().instances, least=32)
    assert first.sum() == 20 * 40
    assert tight_box(first).tolist() == [10, 50, 49, 69]
    assert second.sum() == 20 * 30
    assert len(objects(painted().instances, least=700)) == 1


def test_stuff_is_split_where_it_does_not_touch() -> None:
    semantic = np.ones((40, 60), np.uint8)
    semantic[:, :20] = 0
    semantic[:, 40:] = 0
    semantic[:5, 25:30] = 2  # 25 pixels
    semantic[20:30, 25:30] = 2  # 50 pixels
    regions = stuff(semantic, (0, 2), least=32)
    assert [int(region.sum()) for region in regions] == [800, 800, 50]


def test_generated_stuff_is_connected_and_of_one_class(scenes: Dataset) -> None:
    classes = [category.id for category in scenes.categories if not category.isthing]
    sample = scenes[0]
    regions = stuff(sample.semantic, classes, least=32)
    assert len(regions) >= 3
    for region in regions:
        assert len(np.unique(sample.semantic[region])) == 1
        assert cv2.connectedComponents(region.astype(np.uint8), connectivity=8)[0] == 2
        assert region.sum() >= 32
    assert np.sum(regions, axis=0).max() == 1


def test_points_lie_in_their_region_and_reach_all_of_it() -> None:
    mask = np.zeros((20, 30), bool)
    mask[3, 4:8] = mask[15, 22] = True
    rng = np.random.default_rng(0)
    drawn = {tuple(draw_point(mask, rng).astype(int)) for _ in range(100)}
    assert drawn == {(4, 3), (5, 3), (6, 3), (7, 3), (22, 15)}


def test_boxes_lie_around_their_region_within_a_tenth_of_its_sides() -> None:
    mask = np.zeros((200, 300), bool)
    mask[50:90, 100:200] = True  # 40 x 100
    rng = np.random.default_rng(0)
    errors = np.array([draw_box(mask, rng) - tight_box(mask) for _ in range(500)])
    np.testing.assert_allclose(errors.mean(axis=0), 0, atol=1.5)
    np.testing.assert_allclose(errors[:, [1, 3]].std(), 4, rtol=0.1)
    assert np.abs(errors).max() <= 20
    edge = np.ones((10, 12), bool)
    boxes = np.array([draw_box(edge, rng) for _ in range(100)])
    assert boxes.min() >= 0
    assert (boxes[:, 2:].max(axis=0) <= [11, 9]).all()


def test_the_innermost_point_is_farthest_from_edges_and_from_the_border() -> None:
    mask = np.zeros((40, 60), bool)
    mask[:11, :11] = True
    assert innermost_point(mask).tolist() == [5, 5]
    mask[20:39, 30:49] = True
    assert innermost_point(mask).tolist() == [39, 29]


def test_points_and_boxes_ask_for_what_is_covered(scenes: Dataset) -> None:
    learner = objective(scenes.categories, crop=128, scale=(0.5, 1.0))
    batch = learner.batch([scenes[k] for k in range(3)], np.random.default_rng(0))
    assert (batch["images"].shape, batch["images"].dtype) == ((3, 3, 128, 128), torch.uint8)
    assert batch["coverage"].shape == (3, 5, 32, 32)
    assert batch["valid"].all()
    for image, coverage in enumerate(batch["coverage"].numpy()):
        for (x, y), region in zip(batch["points"][image].int().tolist(), coverage[:3], strict=True):
            assert region[y // 4, x // 4] > 0
        for box, region in zip(batch["boxes"][image].numpy(), coverage[3:], strict=True):
            tight = tight_box(region > 0) * 4 + [0, 0, 3, 3]
            slack = 0.1 * 4 * (tight[2:] - tight[:2]) + 4
            assert (np.abs(box - tight) <= np.tile(slack, 2)).all()


def test_image_and_regions_are_cut_and_mirrored_alike() -> None:
    """Each pixel's green channel says which object it shows, whatever crop and mirror image is drawn."""
    sample = painted()
    flat = Sample(
        "flat",
        np.repeat((sample.instances.ids > 0)[..., None] * np.uint8(200), 3, -1),
        None,
        sample.instances,
    )
    batch = objective(CATEGORIES, stuff_share=0.0, scale=(1.0, 1.0)).batch(
        [flat] * 8, np.random.default_rng(3)
    )
    for image, points in zip(batch["images"].float(), batch["points"].long(), strict=True):
        for x, y in points.tolist():
            assert image[:, y, x].mean() > image.amin(dim=(1, 2)).mean()


def test_a_missing_kind_gives_way_and_nothing_is_learned_without_regions() -> None:
    sample = painted()
    rng = np.random.default_rng(0)
    nothing = Sample("void", sample.image, np.full_like(sample.semantic, VOID), None)
    only_stuff = Sample("stuff", sample.image, sample.semantic, None)
    only_objects = Sample("objects", sample.image, None, sample.instances)
    learner = objective(CATEGORIES, scale=(1.5, 1.5))
    batch = learner.batch([nothing, only_stuff, only_objects], rng)
    assert batch["valid"].tolist() == [False, True, True]
    alone = learner.losses({name: part[:1] for name, part in batch.items()}, 0.0)
    assert [term.item() for term in alone.values()] == [0.0, 0.0, 0.0]
    sum(alone.values()).backward()
    both = learner.losses({name: part[1:] for name, part in batch.items()}, 0.0)
    torch.testing.assert_close(learner.losses(batch, 0.0), both)


def test_an_image_without_labels_is_refused() -> None:
    sample = Sample("bare", painted().image, None, None)
    with pytest.raises(TrainingError, match="'bare' has no labels"):
        objective(CATEGORIES).batch([sample], np.random.default_rng(0))


def test_an_encoder_with_other_strides_is_refused() -> None:
    encoder = build_encoder(EncoderConfig(architecture="mini_vit", weights={"source": "seeded", "seed": 1}))
    with pytest.raises(TrainingError, match="mini_vit has"):
        PromptableMasks(encoder, PromptableMasksConfig(), CATEGORIES, 0)


def test_every_stride_and_every_weight_of_the_encoder_learns() -> None:
    learner = objective(CATEGORIES)
    maps: dict[int, Tensor] = {}

    def keep(module: torch.nn.Module, inputs: object, output: dict[int, Tensor]) -> None:
        for stride, plane in output.items():
            plane.retain_grad()
            maps[stride] = plane

    learner.encoder.register_forward_hook(keep)
    terms = learner.losses(learner.batch([painted()] * 2, np.random.default_rng(0)), 0.0)
    assert tuple(terms) == learner.terms
    assert all(torch.isfinite(term) for term in terms.values())
    sum(terms.values()).backward()
    assert sorted(maps) == [4, 8, 16, 32]
    assert all(plane.grad.abs().max() > 0 for plane in maps.values())
    still = [
        name
        for name, weight in (*learner.encoder.named_parameters(), *learner.masks.laterals.named_parameters())
        if weight.grad is None or not weight.grad.abs().max() > 0
    ]
    assert still == []


def test_steps_on_one_batch_make_masks_depend_on_prompts() -> None:
    """A mask that is the same for all prompts keeps the dice loss above its start."""
    learner = objective(CATEGORIES, points=6)
    batch = learner.batch([painted()] * 2, np.random.default_rng(0))
    weights = [weight for weight in learner.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=3e-3)
    history = []
    for _ in range(60):
        terms = learner.losses(batch, 0.0)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        history.append([terms["focal"].item(), terms["dice"].item()])
    assert (np.mean(history[-3:], axis=0) < 0.7 * np.array(history[0])).all()


def test_same_seed_same_numbers(scenes: Dataset) -> None:
    def run(seed: int) -> list[float]:
        learner = objective(scenes.categories, seed)
        terms = learner.losses(learner.batch([scenes[0], scenes[1]], np.random.default_rng(seed)), 0.0)
        return [*(term.item() for term in terms.values()), *learner.measures(scenes, scenes).values()]

    torch.manual_seed(5)
    first = run(4)
    torch.manual_seed(6)
    assert run(4) == first
    assert run(3) != first


def test_losses_of_known_masks() -> None:
    coverage = torch.zeros(1, 4, 4)
    coverage[:, :2] = 1
    unsure = torch.zeros(1, 4, 4)
    np.testing.assert_allclose(focal_losses(unsure, coverage), 0.5 * 0.25 * np.log(2), rtol=1e-5)
    np.testing.assert_allclose(dice_losses(unsure, coverage), 1 - (2 * 4 + 1) / (8 + 8 + 1), rtol=1e-5)
    sure = coverage * 60 - 30
    assert focal_losses(sure, coverage) < 1e-6
    assert dice_losses(sure, coverage) < 1e-6
    assert ious(sure, coverage) == 1
    assert ious(-sure, coverage) == 0
    assert ious(torch.ones(1, 4, 4), coverage) == 0.5
    assert ious(-torch.ones(1, 4, 4), torch.zeros(1, 4, 4)) == 0


@pytest.mark.parametrize(("chosen", "expected"), [(1, 100.0), (0, 0.0)])
def test_the_iou_of_perfect_logits_is_100_if_the_score_chooses_them(
    scenes: Dataset, chosen: int, expected: float
) -> None:
    """A reader that knows the labels gives each point's own region, and its opposite beside it."""
    classes = [category.id for category in scenes.categories if not category.isthing]
    samples = iter([scenes[k] for k in range(len(scenes))])

    def reader(image: Tensor):
        sample = next(samples)
        np.testing.assert_array_equal((image[0] * 255).round().numpy().transpose(1, 2, 0), sample.image)
        calls = iter([objects(sample.instances, 64), stuff(sample.semantic, classes, 64)])

        def masks_at(points: Tensor) -> tuple[Tensor, Tensor]:
            regions = next(calls)
            while len(regions) != len(points):
                regions = next(calls)
            assert all(region[int(y), int(x)] for region, (x, y) in zip(regions, points, strict=True))
            truth = torch.from_numpy(np.stack(regions)).float() * 2 - 1
            scores = torch.zeros(len(points), 2)
            scores[:, chosen] = 1
            return torch.stack([-truth, truth], dim=1), scores

        return masks_at

    assert point_iou(reader, 32, 512, classes, scenes) == {"object mIoU": expected, "stuff mIoU": expected}


def test_measures_leave_the_modules_as_they_were_and_cut_images_to_size(scenes: Dataset) -> None:
    learner = objective(scenes.categories)
    learner.encoder.eval()
    measured = learner.measures(scenes, Cut(scenes))
    assert sorted(measured) == ["object mIoU", "stuff mIoU"]
    assert all(0 <= value <= 100 for value in measured.values())
    assert (learner.training, learner.masks.training, learner.encoder.training) == (True, True, False)


def test_a_split_without_regions_cannot_be_measured() -> None:
    with pytest.raises(TrainingError, match="none of 1 images"):
        objective(CATEGORIES).measures(None, [Sample("void", painted().image, None, None)])


class Cut:
    """Scenes whose sides are no multiples of 32."""

    def __init__(self, scenes: Dataset) -> None:
        self.scenes = scenes

    def __len__(self) -> int:
        return 1

    def __getitem__(self, position: int) -> Sample:
        whole = self.scenes[position]
        ids = whole.instances.ids[:-5, :-7]
        return Sample(
            whole.image_id,
            whole.image[:-5, :-7],
            whole.semantic[:-5, :-7],
            Instances(ids, whole.instances.categories, whole.instances.crowd),
        )
