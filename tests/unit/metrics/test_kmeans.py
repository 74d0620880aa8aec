"""k-means: compiled and batched iterations against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from vfm_fusion.metrics.kmeans import kmeans_labels, plus_plus_seeds
from vfm_fusion.metrics.lloyd import lloyd, lloyd_batched


def points_of(seed, n, dims, blobs):
    rng = np.random.default_rng(seed)
    centres = 3 * rng.normal(size=(blobs, dims))
    points = (centres[rng.integers(blobs, size=n)] + rng.normal(size=(n, dims))).astype(np.float32)
    return np.ascontiguousarray(points - points.mean(axis=0))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(40, 900),
    dims=st.integers(1, 32),
    blobs=st.integers(1, 9),
    k=st.integers(2, 10),
)
def test_every_restart_ends_where_scikit_learn_ends(seed, n, dims, blobs, k):
    points = points_of(seed, n, dims, blobs)
    tolerance = 1e-4 * float(points.var(axis=0).mean())
    seeds = plus_plus_seeds(points, k, 3, np.random.RandomState(seed % 1000))
    start = torch.from_numpy(points[seeds])
    compiled, compiled_inertias = lloyd(torch.from_numpy(points), start, 300, tolerance)
    batched, inertias = lloyd_batched(torch.from_numpy(points), start, 300, tolerance)
    for restart, chosen in enumerate(seeds):
        expected = KMeans(k, init=points[chosen], n_init=1).fit(points)
        np.testing.assert_array_equal(compiled[restart], expected.labels_)
        np.testing.assert_array_equal(batched[restart].numpy(), expected.labels_)
        assert compiled_inertias[restart] == pytest.approx(expected.inertia_, rel=1e-4)
        assert inertias[restart].item() == pytest.approx(expected.inertia_, rel=1e-4)


def test_seeds_are_those_of_scikit_learn():
    points = points_of(3, 500, 8, 5)
    for k in (2, 6, 10):
        seeds = plus_plus_seeds(points, k, 4, np.random.RandomState(9))
        runs = [KMeans(k, init=points[chosen], n_init=1).fit(points) for chosen in seeds]
        best = min(run.inertia_ for run in runs)
        assert KMeans(k, n_init=4, random_state=9).fit(points).inertia_ == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("run", [lloyd, lloyd_batched])
def test_an_empty_cluster_takes_the_farthest_point(run):
    """Two seeds at one place: the second gets no point, then the outlier."""
    points = torch.tensor([[0, 0], [0.1, 0], [0, 0.1], [0.1, 0.1], [9, 9]])
    labels = run(points, torch.zeros(1, 2, 2), 300, 0.0)[0][0]
    assert labels.tolist() == [0, 0, 0, 0, 1]


def test_fewer_distinct_points_than_clusters():
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).repeat(20, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = kmeans_labels(points, 6, 10, 0)
    assert len(labels) == 40
    assert labels[::2].unique().numel() + labels[1::2].unique().numel() >= 2


def test_labels_do_not_depend_on_threads():
    points = torch.from_numpy(points_of(1, 3000, 32, 6))
    before = torch.get_num_threads()
    try:
        labels = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            labels.append(kmeans_labels(points, 8, 10, 0))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*labels)
