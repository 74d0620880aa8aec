"""Agreement with values captured from the authors' released code and composed as Sec. 3.2 says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vfm_fusion.metrics import MetricConfig, edge_fidelity, structural_coherence
from vfm_fusion.metrics.clustering import clustering_points, silhouettes
from vfm_fusion.metrics.displacement import correlation_curve, decorrelation_radius, shift_radii
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.image_edges import edge_regions, image_gradient, luma
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.sobel import sobel_magnitude

CASES = ("blobs_aligned_48x64_s4", "noise_32x32_s8", "odd_37x53_s4", "tiny_16x16_s16_degenerate")
CONFIG = MetricConfig()


@pytest.fixture(params=CASES)
def case(request, golden):
    return golden(request.param)


def features_of(case):
    return torch.from_numpy(case["feat"])[None]


def image_of(case):
    return torch.from_numpy(case["image"]).permute(2, 0, 1)[None]


def test_structural_coherence(case):
    scores = structural_coherence(features_of(case))
    np.testing.assert_allclose(scores.sfc.item(), case["paper_SFC"], rtol=1e-5)
    np.testing.assert_allclose(scores.scs.item(), case["SCS"], atol=1e-6)
    np.testing.assert_allclose(scores.sc.item(), case["paper_SC"], rtol=1e-5)
    assert scores.reasons == {"sfc": (None,), "scs": (None,), "sc": (None,)}


@pytest.mark.parametrize(("nc_norm", "suffix"), [("outside_core", "out"), ("total", "tot")])
def test_edge_fidelity(case, nc_norm, suffix):
    config = CONFIG.model_copy(update={"nc_norm": nc_norm})
    scores = edge_fidelity(features_of(case), image_of(case), config)
    expected = {"ec": "EC", "nc": f"NC_{suffix}", "fc": "FC", "sp": "SP", "ef": f"EF_nc_{suffix}"}
    for name, key in expected.items():
        np.testing.assert_allclose(getattr(scores, name).item(), case[f"paper_{key}"], rtol=1e-5, err_msg=key)


def test_image_edges(case):
    size = case["feat"].shape[1:]
    image = unit_range(image_of(case))
    luminance = luma(image, size)
    np.testing.assert_allclose(luminance, case["mb_Y"], atol=1e-6)
    np.testing.assert_allclose(image_gradient(luminance), case["mb_GI"], atol=1e-6)
    assert case["tie_free_img"]
    regions = edge_regions(image, size, CONFIG)
    np.testing.assert_array_equal(regions.edges, case["mb_E_img"])
    np.testing.assert_array_equal(regions.centreline, case["mb_centerline"])
    np.testing.assert_array_equal(regions.core, case["mb_d_in"])
    np.testing.assert_array_equal(regions.core | regions.near, case["mb_d_out"])
    assert not (regions.core & regions.near).any()


def test_first_component_map(case):
    ours = FeatureMap(features_of(case)[0]).first_component.numpy()
    expected = case["mb_M"] if np.abs(ours - case["mb_M"]).max() < 0.5 else 1 - case["mb_M"]
    np.testing.assert_allclose(ours, expected, atol=2e-6)
    np.testing.assert_allclose(sobel_magnitude(torch.from_numpy(ours)), case["mb_G_raw"], atol=2e-6)


def test_displacement(case):
    plane = FeatureMap(features_of(case)[0]).l2
    radii = shift_radii(*plane.shape, CONFIG.max_shift, CONFIG.n_radii)
    assert radii == tuple(case["scl_radii"])
    curve = [ncc for _, ncc in correlation_curve(plane, radii)]
    np.testing.assert_allclose(curve, case["scl_ncc_nohp"].mean(axis=1), atol=1e-5)
    assert decorrelation_radius(plane, CONFIG) == case["scl_nohp"] == case["paper_r_tau"]


def test_silhouettes(case):
    rng = np.random.default_rng(CONFIG.seed)
    points = clustering_points(FeatureMap(features_of(case)[0]), CONFIG, rng)
    assert points.shape == (case["SCS_n_points"], case["SCS_pca_dim"])
    scores = silhouettes(points, CONFIG, rng)
    assert tuple(scores) == tuple(case["SCS_k"])
    np.testing.assert_allclose(list(scores.values()), case["SCS_sil"], atol=1e-6)


@pytest.mark.parametrize("seed", range(1, 6))
def test_other_seeds(case, seed):
    scores = structural_coherence(features_of(case), CONFIG.model_copy(update={"seed": seed}))
    np.testing.assert_allclose(scores.scs.item(), case["SCS_other_seeds"][seed - 1], atol=1e-6)


def test_constant_map_is_undefined_where_the_released_code_gives_zero(golden):
    case = golden("constant_24x24_s4")
    assert case["SCS"] == case["paper_SFC"] == case["paper_EF_nc_out"] == 0.0
    structure = structural_coherence(features_of(case))
    edges = edge_fidelity(features_of(case), image_of(case))
    for scores, names in ((structure, ("sfc", "scs", "sc")), (edges, ("ec", "nc", "fc", "sp", "ef"))):
        for name in names:
            assert getattr(scores, name).isnan().all()
            assert scores.reasons[name] == ("constant_features",)
