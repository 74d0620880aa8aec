"""The normalised focal loss against its formula, pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vfm_fusion.interactive.focal_loss import IGNORED, normalised_focal_loss


def by_pixel(logits: Tensor, truth: Tensor) -> float:
    """The loss of one image, in Python's floats."""
    terms, focus = [], []
    for logit, label in zip(logits.flatten().tolist(), truth.flatten().tolist(), strict=True):
        if label == IGNORED:
            continue
        probability = 1 / (1 + math.exp(-logit))
        true = 1 - abs(label - probability)
        focus.append((1 - true) ** 2)
        terms.append(-0.5 * math.log(min(true + 1e-12, 1)))
    m = len(focus) / (sum(focus) + 1e-12)
    return sum(m * b * term for b, term in zip(focus, terms, strict=True)) / len(terms)


def sample(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(4, 1, 5, 6, generator=generator)
    return logits, torch.randint(-1, 2, (4, 1, 5, 6), generator=generator)


def test_the_value_is_the_formulas() -> None:
    logits, truth = sample()
    expected = [by_pixel(*pair) for pair in zip(logits, truth, strict=True)]
    torch.testing.assert_close(normalised_focal_loss(logits, truth), torch.tensor(expected))


def test_no_gradient_flows_through_the_factor() -> None:
    logits, truth = sample(1)
    logits = logits.requires_grad_(True)
    normalised_focal_loss(logits, truth).sum().backward()
    inner = logits.detach().double().requires_grad_(True)
    labelled = truth != IGNORED
    true = torch.where(labelled, 1 - (truth.double() - inner.sigmoid()).abs(), 1.0)
    counts = labelled.sum(dim=(1, 2, 3), keepdim=True)
    factor = counts / ((1 - true) ** 2).sum(dim=(1, 2, 3), keepdim=True)
    (factor.detach() * (-0.5 * (1 - true) ** 2 * true.log()) / counts).sum().backward()
    torch.testing.assert_close(logits.grad, inner.grad.float(), rtol=1e-4, atol=1e-7)
    assert logits.grad[~labelled].eq(0).all()


def test_ignored_pixels_change_nothing() -> None:
    logits, truth = sample(2)
    changed = torch.where(truth == IGNORED, -logits + 7, logits)
    assert torch.equal(normalised_focal_loss(logits, truth), normalised_focal_loss(changed, truth))


def test_an_image_without_labels_and_a_hopeless_one_have_finite_losses() -> None:
    logits = torch.full((2, 1, 2, 2), 200.0, requires_grad=True)
    truth = torch.tensor([IGNORED, 0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    losses = normalised_focal_loss(logits, truth)
    losses.sum().backward()
    assert losses[0] == 0
    assert losses[1].item() == pytest.approx(-0.5 * math.log(1e-12), rel=1e-5)
    assert logits.grad.isfinite().all()


def test_images_do_not_see_their_neighbours() -> None:
    logits, truth = sample(3)
    alone = torch.cat([normalised_focal_loss(logits[i : i + 1], truth[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(alone, normalised_focal_loss(logits, truth))
