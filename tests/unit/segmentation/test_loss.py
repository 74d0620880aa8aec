"""The Mask2Former loss against transformers' own, and its corner cases."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.segmentation.head import MaskPrediction, mask2former_config
from vfm_fusion.segmentation.loss import TERMS, MaskCriterion

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss  # noqa: E402

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


def transformers_loss(config: HeadConfig, output: MaskPrediction, masks: list, labels: list) -> dict:
    weights = {
        "loss_cross_entropy": config.class_weight,
        "loss_mask": config.mask_weight,
        "loss_dice": config.dice_weight,
    }
    reference = Mask2FormerLoss(mask2former_config(config, CATEGORIES), weights)
    found = reference(output.mask_logits, output.class_logits, [mask.float() for mask in masks], labels)
    names = zip(TERMS, weights, strict=True)
    return {name: (weights[key] * found[key]).item() for name, key in names}


def of_image(output: MaskPrediction, index: int) -> MaskPrediction:
    pairs = tuple((c[index : index + 1], m[index : index + 1]) for c, m in output.intermediate)
    return MaskPrediction(
        output.class_logits[index : index + 1], output.mask_logits[index : index + 1], pairs
    )


def seeded(images: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(image) for image in range(images)]


@pytest.mark.parametrize("task", ["targets", "more targets than queries"])
def test_targets_in_query_order_give_transformers_loss_to_the_last_digit(
    head_config: HeadConfig, task: str
) -> None:
    count = 3 if task == "targets" else 8
    masks, labels = blocks(count), torch.arange(count) % CATEGORIES
    output = prediction(list(range(min(count, QUERIES))), masks, labels)
    torch.manual_seed(0)
    expected = transformers_loss(head_config, output, [masks], [labels])
    found = MaskCriterion(CATEGORIES, head_config)(output, [masks], [labels], generators=seeded(1))
    assert {name: found[name].item() for name in TERMS} == pytest.approx(expected, rel=2e-7)
    assert found["loss"].item() == pytest.approx(sum(expected.values()))


def test_a_batch_gives_the_means_of_its_images_weighted_by_their_targets(head_config: HeadConfig) -> None:
    masks, labels = [blocks(3), blocks(1)], [torch.tensor([2, 0, 3]), torch.tensor([1])]
    output = prediction([0, 2, 5], masks[0], labels[0], images=2)
    expected = []
    for image in range(2):
        torch.manual_seed(image)
        expected.append(
            transformers_loss(head_config, of_image(output, image), [masks[image]], [labels[image]])
        )
    found = MaskCriterion(CATEGORIES, head_config)(output, masks, labels, generators=seeded(2))
    for name in ("loss_mask", "loss_dice"):
        mean = (3 * expected[0][name] + 1 * expected[1][name]) / 4
        assert found[name].item() == pytest.approx(mean, rel=1e-6)
    weights = [3 + 0.1 * (QUERIES - 3), 1 + 0.1 * (QUERIES - 1)]
    mean = sum(w * e["loss_class"] for w, e in zip(weights, expected, strict=True)) / sum(weights)
    assert found["loss_class"].item() == pytest.approx(mean, rel=1e-6)


@given(st.lists(st.integers(0, 8), min_size=2, max_size=5), st.data())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_losses_of_the_parts_of_a_step_add_up_to_its_loss(
    head_config: HeadConfig, counts: list[int], data: st.DataObject
) -> None:
    masks = [blocks(count) if count else torch.zeros(0, 32, 32, dtype=torch.bool) for count in counts]
    labels = [torch.arange(count) % CATEGORIES for count in counts]
    last = prediction([], masks[0], labels[0], images=len(counts))
    output = MaskPrediction(
        last.class_logits, last.mask_logits, ((-last.class_logits, last.mask_logits + 1),)
    )
    criterion = MaskCriterion(CATEGORIES, head_config)
    totals, generators = criterion.totals(labels), seeded(len(counts))
    cut = data.draw(st.integers(1, len(counts) - 1))
    whole = criterion(output, masks, labels, totals, seeded(len(counts)))
    parts = []
    for part in (slice(None, cut), slice(cut, None)):
        pairs = tuple((c[part], m[part]) for c, m in output.intermediate)
        piece = MaskPrediction(output.class_logits[part], output.mask_logits[part], pairs)
        parts.append(criterion(piece, masks[part], labels[part], totals, generators[part]))
    for name in TERMS:
        assert sum(part[name].item() for part in parts) == pytest.approx(whole[name].item(), rel=1e-5)


def test_another_order_of_targets_changes_only_the_sampled_points(head_config: HeadConfig) -> None:
    config = head_config.model_copy(update={"points": 8192})
    masks, labels = blocks(3), torch.tensor([2, 0, 3])
    output = prediction([4, 1, 2], masks, labels)
    expected = transformers_loss(config, output, [masks], [labels])
    found = MaskCriterion(CATEGORIES, config)(output, [masks], [labels])
    assert found["loss_class"].item() == pytest.approx(expected["loss_class"], rel=2e-7)
    assert found["loss_mask"].item() == pytest.approx(expected["loss_mask"], rel=0.05)
    assert found["loss_dice"].item() == pytest.approx(expected["loss_dice"], rel=0.05)


def test_images_without_targets_teach_only_no_object(head_config: HeadConfig) -> None:
    empty, none = torch.zeros(0, 32, 32, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)
    output = prediction([], empty, none, images=2)
    output.mask_logits.requires_grad_()
    output.class_logits.requires_grad_()
    losses = MaskCriterion(CATEGORIES, head_config)(output, [empty, empty], [none, none])
    losses["loss"].backward()
    assert losses["loss_mask"] == losses["loss_dice"] == 0
    assert torch.count_nonzero(output.mask_logits.grad) == 0  # but not None: all processes reduce the same
    assert losses["loss"].item() > 0
    assert torch.isfinite(output.class_logits.grad).all()


def test_an_image_without_targets_does_not_shift_the_targets_of_others(head_config: HeadConfig) -> None:
    masks, labels = blocks(3), torch.tensor([2, 0, 3])
    output = prediction([0, 1, 2], masks, labels, images=2)
    empty, none = torch.zeros(0, 32, 32, dtype=torch.bool), torch.zeros(0, dtype=torch.int64)
    torch.manual_seed(1)
    expected = transformers_loss(head_config, of_image(output, 1), [masks], [labels])
    found = MaskCriterion(CATEGORIES, head_config)(output, [empty, masks], [none, labels], None, seeded(2))
    assert found["loss_mask"].item() == pytest.approx(expected["loss_mask"], rel=2e-7)


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
