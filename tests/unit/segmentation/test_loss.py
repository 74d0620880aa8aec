"""The Mask2Former loss against transformers' own, and its corner cases."""

from __future__ import annotations

import pytest
import torch

from vfm_fusion.config.head import HeadConfig
from vfm_fusion.segmentation.head import MaskPrediction
from vfm_fusion.segmentation.loss import MaskCriterion

CATEGORIES = 4
QUERIES = 6


def blocks(count: int, size: int = 32) -> torch.Tensor:
    """``count`` disjoint horizontal bands, ``(count, size, size)`` bool."""
    rows = torch.arange(size) * count // size
    return torch.stack([(rows == k)[:, None].expand(size, size) for k in range(count)])


def prediction(
    order: list[int], masks: torch.Tensor, labels: torch.Tensor, images: int = 1
) -> MaskPrediction:
    """Query ``order[k]`` predicts target k well, the others predict nothing."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randn(images, QUERIES, CATEGORIES + 1, generator=generator)
    logits = torch.randn(images, QUERIES, 8, 8, generator=generator) - 4
    for k, query in enumerate(order):
        coarse = torch.nn.functional.adaptive_avg_pool2d(masks[k][None].float(), 8)[0]
        logits[:, query] += 8 * coarse
        classes[:, query, labels[k]] += 4
    return MaskPrediction(classes, logits, ())


def transformers_loss(criterion: MaskCriterion, output: MaskPrediction, masks: list, labels: list) -> dict:
    found = criterion.reference(
        output.mask_logits, output.class_logits, [mask.float() for mask in masks], labels
    )
    names = {"loss_class": "loss_cross_entropy", "loss_mask": "loss_mask", "loss_dice": "loss_dice"}
    return {name: criterion.weights[name] * found[key] for name, key in names.items()}


@pytest.mark.parametrize("images", [1, 2])
def test_targets_in_query_order_give_transformers_loss_bit_for_bit(
    head_config: HeadConfig, images: int
) -> None:
    masks, labels = blocks(3), torch.tensor([2, 0, 3])
    output = prediction([0, 2, 5], masks, labels, images)
    criterion = MaskCriterion(CATEGORIES, head_config)
    torch.manual_seed(0)
    expected = transformers_loss(criterion, output, [masks] * images, [labels] * images)
    torch.manual_seed(0)
    found = criterion(output, [masks] * images, [labels] * images)
    assert {name: found[name].item() for name in expected} == {
        name: value.item() for name, value in expected.items()
    }
    assert found["loss"].item() == pytest.approx(sum(value.item() for value in expected.values()))


def test_another_order_of_targets_changes_only_the_sampled_points(head_config: HeadConfig) -> None:
    criterion = MaskCriterion(CATEGORIES, head_config.model_copy(update={"points": 8192}))
    masks, labels = blocks(3), torch.tensor([2, 0, 3])
    output = prediction([4, 1, 2], masks, labels)
    torch.manual_seed(0)
    expected = transformers_loss(criterion, output, [masks], [labels])
    found = criterion(output, [masks], [labels])
    assert found["loss_class"].item() == expected["loss_class"].item()
    assert found["loss_mask"].item() == pytest.approx(expected["loss_mask"].item(), rel=0.05)
    assert found["loss_dice"].item() == pytest.approx(expected["loss_dice"].item(), rel=0.05)


def test_more_targets_than_queries_leaves_some_unmatched(head_config: HeadConfig) -> None:
    masks, labels = blocks(8), torch.arange(8) % CATEGORIES
    output = prediction([0, 1, 2, 3, 4, 5], masks, labels)
    criterion = MaskCriterion(CATEGORIES, head_config)
    torch.manual_seed(0)
    expected = transformers_loss(criterion, output, [masks], [labels])
    torch.manual_seed(0)
    found = criterion(output, [masks], [labels])
    assert {name: found[name].item() for name in expected} == {
        name: value.item() for name, value in expected.items()
    }


def test_images_without_targets_teach_only_no_object(head_config: HeadConfig) -> None:
    empty, none = torch.zeros(0, 32, 32, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)
    output = prediction([], empty, none, images=2)
    output.mask_logits.requires_grad_()
    output.class_logits.requires_grad_()
    losses = MaskCriterion(CATEGORIES, head_config)(output, [empty, empty], [none, none])
    losses["loss"].backward()
    assert losses["loss_mask"] == losses["loss_dice"] == 0
    assert losses["loss"].item() > 0
    assert torch.isfinite(output.class_logits.grad).all()


def test_an_image_without_targets_does_not_shift_the_targets_of_others(head_config: HeadConfig) -> None:
    masks, labels = blocks(3), torch.tensor([2, 0, 3])
    output = prediction([0, 1, 2], masks, labels, images=2)
    empty, none = torch.zeros(0, 32, 32, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)
    criterion = MaskCriterion(CATEGORIES, head_config)
    torch.manual_seed(0)
    expected = transformers_loss(criterion, output, [empty, masks], [none, labels])
    torch.manual_seed(0)
    found = criterion(output, [empty, masks], [none, labels])
    assert found["loss_mask"].item() == expected["loss_mask"].item()


def test_intermediate_predictions_are_supervised_too(head_config: HeadConfig) -> None:
    masks, labels = blocks(3), torch.tensor([2, 0, 3])
    last = prediction([0, 1, 2], masks, labels)
    deep = MaskPrediction(last.class_logits, last.mask_logits, ((last.class_logits, last.mask_logits),))
    criterion = MaskCriterion(CATEGORIES, head_config)
    once, twice = criterion(last, [masks], [labels]), criterion(deep, [masks], [labels])
    assert twice["loss_class"].item() == pytest.approx(2 * once["loss_class"].item())


def test_the_right_class_costs_nothing_and_the_right_mask_little(head_config: HeadConfig) -> None:
    logits = torch.full((1, QUERIES, 8, 8), -40.0)
    classes = torch.full((1, QUERIES, CATEGORIES + 1), -40.0)
    classes[..., -1] = 40
    logits[0, 2] = 40
    classes[0, 2, [1, -1]] = torch.tensor([40.0, -40.0])
    target, label = torch.ones(1, 32, 32, dtype=torch.bool), torch.tensor([1])
    criterion = MaskCriterion(CATEGORIES, head_config)
    right = criterion(MaskPrediction(classes, logits, ()), [target], [label])
    wrong = criterion(MaskPrediction(classes, torch.full_like(logits, -40), ()), [target], [label])
    assert right["loss_class"].item() < 1e-6
    assert right["loss_dice"].item() < 0.2  # points at the image's border sample its zero padding
    assert wrong["loss_dice"].item() > 4.5
    assert wrong["loss_mask"].item() > 10 * right["loss_mask"].item()
