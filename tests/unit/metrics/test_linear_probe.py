"""The linear probe in closed form, against scikit-learn's ridge regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from vfm_fusion.metrics.linear_probe import ProbeSums, hits_and_unions, mean_iou

CLASSES = 3
MAPS = [slice(0, 4), slice(4, 9), slice(9, 12)]


@pytest.fixture(scope="module")
def tokens() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (500,), generator=generator)
    features = torch.randn(12, 500, generator=generator) * torch.logspace(-2, 3, 12)[:, None] + 50.0
    features[:9] += labels * torch.logspace(-2, 2, 9)[:, None]
    features[10] = 7.0  # a channel that does not vary
    return features, labels


@pytest.mark.parametrize("maps", [MAPS, [MAPS[2], MAPS[0]]], ids=["every map", "some, in another order"])
@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_it_is_ridge_regression(tokens, maps: list[slice], ridge: float) -> None:
    features, labels = tokens
    sums = ProbeSums(12, CLASSES)
    for part in range(0, 500, 100):  # image by image
        sums.add(features[:, part : part + 100], labels[part : part + 100])
    probe = sums.probe(maps, ridge)

    varying = [c for rows in maps for c in range(rows.start, rows.stop) if c != 10]
    x = features[varying].double().numpy().T
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = Ridge(alpha=ridge * 500).fit(x, np.eye(CLASSES)[labels.numpy()])
    weights = torch.cat([weights for _, weights in probe.blocks], dim=1).numpy()
    order = [c for rows in maps for c in range(rows.start, rows.stop)]
    np.testing.assert_allclose(weights[:, [order.index(c) for c in varying]], expected.coef_, atol=2e-6)
    np.testing.assert_allclose(probe.bias, expected.intercept_, atol=1e-6)
    predicted = probe.predict(sums.standardise(features))
    np.testing.assert_array_equal(predicted, expected.predict(x).argmax(axis=1))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 60))
def test_counts_give_the_iou_of_masks(seed: int, classes: int, pixels: int) -> None:
    truth, predicted = torch.randint(
        classes, (2, pixels), generator=torch.Generator().manual_seed(seed)
    ).unbind()
    iou = []
    for name in range(classes):
        one, other = truth == name, predicted == name
        if (one | other).any():
            iou.append(100 * float((one & other).sum() / (one | other).sum()))
    assert mean_iou(hits_and_unions(truth, predicted, classes)) == pytest.approx(np.mean(iou), rel=1e-5)
