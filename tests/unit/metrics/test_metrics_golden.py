"""Agreement with values captured from the authors' released code and composed as Sec. 3.2 says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vfm_fusion.metrics import MetricConfig, edge_fidelity, structural_coherence
from vfm_fusion.metrics.clustering import clustering_points, silhouettes
from vfm_fusion.metrics.concentration import energy_shares
from vfm_fusion.metrics.displacement import (
    correlation_curve,
    decorrelation_radius,
    displacement_plane,
    shift_radii,
)
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.metrics.gradient import feature_gradient
from vfm_fusion.metrics.image_edges import edge_regions, image_gradient, luma
from vfm_fusion.metrics.inputs import unit_range
from vfm_fusion.metrics.kmeans import kmeans_labels
from vfm_fusion.metrics.sobel import sobel_magnitude
from vfm_fusion.metrics.spectrum import power_spectrum, radial_frequency, spectrum_plane
from vfm_fusion.metrics.structural_coherence import feature_contrast

CASES = ("blobs_aligned_48x64_s4", "noise_32x32_s8", "odd_37x53_s4", "tiny_16x16_s16_degenerate")
CONFIG = MetricConfig()
RTOL = 1e-4


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


TRAINING = MetricConfig.of("reference_training")
TABLE5 = MetricConfig.of("reference_table5")


def scores_of(case, config):
    """Sub-scores and composites of a golden case under one definition."""
    structure = structural_coherence(features_of(case), config)
    edges = edge_fidelity(features_of(case), image_of(case), config)
    names = ("sfc", "scs", "sc"), ("ec", "nc", "fc", "sp", "ef")
    return {
        name: getattr(result, name).item()
        for result, group in zip((structure, edges), names, strict=True)
        for name in group
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_reference_training(case, dtype):
    """The released training code, in both of its versions (MB and FA)."""
    case["feat"] = case["feat"].astype(str(dtype).removeprefix("torch."))
    scores = scores_of(case, TRAINING)
    for prefix in ("mb", "fa"):
        np.testing.assert_allclose(scores["nc"], case[f"{prefix}_near"], rtol=RTOL)
        np.testing.assert_allclose(1 - scores["ec"], case[f"{prefix}_far"], rtol=RTOL)
        np.testing.assert_allclose(scores["fc"], case[f"{prefix}_hf_share"], rtol=RTOL)
        np.testing.assert_allclose(scores["ef"], case[f"{prefix}_FCD"], rtol=RTOL)
        np.testing.assert_allclose(scores["ef"], case[f"{prefix}_FCD_rounded"], atol=0.00501)
    np.testing.assert_allclose(scores["sp"], case["mb_fine_scale"], rtol=RTOL)
    assert case["mb_stride_used"] == 1.0
    np.testing.assert_allclose(scores["scs"], case["SCS"], atol=1e-6)
    np.testing.assert_allclose(scores["sfc"], case["mb_SFC"], rtol=RTOL)
    np.testing.assert_allclose(scores["sc"], case["mb_SC"], rtol=RTOL)
    if scores["sfc"] < 1:  # with cells of 1 x 1, SFC is 1 for any map, and the ratio has no denominator
        np.testing.assert_allclose(scores["sfc"] / (1 - scores["sfc"]), case["mb_SFC_raw"], rtol=RTOL)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("quantile", [0.40, 0.10])
def test_reference_table5(case, quantile, dtype):
    """The released profiling code, at its own quantile and at that of the training code."""
    case["feat"] = case["feat"].astype(str(dtype).removeprefix("torch."))
    config = TABLE5.model_copy(update={"edge_quantile": quantile, "feature_quantile": quantile})
    scores, prefix = scores_of(case, config), f"dn{100 * quantile:.0f}"
    np.testing.assert_allclose(scores["nc"], case[f"{prefix}_near"], rtol=RTOL)
    np.testing.assert_allclose(1 - scores["ec"], case[f"{prefix}_far"], rtol=RTOL, atol=1e-7)
    np.testing.assert_allclose(scores["ec"] - scores["nc"], case[f"{prefix}_in"], rtol=RTOL)
    np.testing.assert_allclose(scores["fc"], case[f"{prefix}_hf_share"], rtol=RTOL)
    np.testing.assert_allclose(scores["sp"], case[f"{prefix}_fine_scale"], rtol=RTOL)
    np.testing.assert_allclose(scores["ef"], case[f"{prefix}_FCD"], rtol=RTOL)
    np.testing.assert_allclose(scores["scs"], case[f"{prefix}_SCS_rounded"], atol=0.00501)
    np.testing.assert_allclose(scores["sfc"], case["dn_SFC"], rtol=RTOL)
    np.testing.assert_allclose(scores["sfc"] / (1 - scores["sfc"]), case["dn_SFC_raw"], rtol=RTOL)
    np.testing.assert_allclose(scores["sc"], case["dn_SC"], rtol=RTOL)


def test_structured_feature_contrast_of_every_grid(case):
    plane = FeatureMap(features_of(case)[0]).l2
    for config, key in (
        (CONFIG, "mb_SFC_grid8"),
        (TABLE5.model_copy(update={"l2_clip": None}), "dn_SFC_noclip"),
        (TABLE5.model_copy(update={"l2_clip": 1.0}), None),
    ):
        score = feature_contrast(plane, config).value
        if key is None:
            assert score != pytest.approx(case["dn_SFC"], rel=1e-3)
        else:
            np.testing.assert_allclose(score, case[key], rtol=RTOL)


def test_gated_gradient(case):
    """The feature edges of the released code, and its purity ECR, the energy share on image edges."""
    features = FeatureMap(features_of(case)[0])
    size = features.height, features.width
    assert case["tie_free_feat"]
    gated = feature_gradient(features, TRAINING)
    np.testing.assert_array_equal(gated > 0, case["mb_E_pca"])
    edges = edge_regions(unit_range(image_of(case)), size, TRAINING).edges
    purity = (gated[edges].double().sum() / gated.double().sum()).item()
    np.testing.assert_allclose(purity, case["mb_ECR"], rtol=RTOL)
    np.testing.assert_allclose(purity, case["mb_ECR_rounded"], atol=0.00501)
    for quantile in (0.40, 0.10):
        config = TABLE5.model_copy(update={"edge_quantile": quantile, "feature_quantile": quantile})
        gated = feature_gradient(features, config)
        edges = edge_regions(unit_range(image_of(case)), size, config).edges
        purity = (gated[edges].double().sum() / gated.double().sum()).item()
        np.testing.assert_allclose(purity, case[f"dn{100 * quantile:.0f}_ECR_rounded"], atol=0.00501)


def test_shares_of_the_gated_energy(case):
    features = FeatureMap(features_of(case)[0])
    regions = edge_regions(unit_range(image_of(case)), (features.height, features.width), TRAINING)
    shares = energy_shares(feature_gradient(features, TRAINING), regions.core, regions.near)
    np.testing.assert_allclose(
        (shares.core, shares.near, shares.far), [case[f"mb_{k}"] for k in ("in", "near", "far")], rtol=RTOL
    )


def test_multi_channel_gradient(case):
    """The released code divides by 8 instead of 4 and by the sample standard deviation."""
    features = FeatureMap(features_of(case)[0])
    ours = features.channel_gradient().numpy() / 2 * np.sqrt(1 - 1 / features.pixels)
    np.testing.assert_allclose(ours, case["dn_G_raw"], rtol=RTOL, atol=1e-6)
    regions = edge_regions(unit_range(image_of(case)), (features.height, features.width), TABLE5)
    np.testing.assert_array_equal(regions.centreline, case["dn40_centerline"])


def test_spectral_bands(case):
    """Low, mid and high energy of the released code's clipped PCA-1 map (sample standard deviations)."""
    features = FeatureMap(features_of(case)[0])
    plane = spectrum_plane(features, TRAINING) * np.sqrt(1 - 1 / features.pixels)
    power = power_spectrum(plane)
    rho = radial_frequency(*plane.shape, kind="linspace")
    bands = {"low": rho < 0.15, "mid": (rho >= 0.15) & (rho < 0.45), "high": rho >= 0.45}
    for name, mask in bands.items():
        np.testing.assert_allclose(power[mask].sum().item(), case[f"mb_{name}"], rtol=RTOL)
    np.testing.assert_allclose((power[bands["mid"]].sum() / power.sum()).item(), case["mb_FER"], rtol=RTOL)


def test_highpass_displacement(case):
    """The zero-padded high-pass decorrelates after one pixel on nearly any map (a defect kept on purpose)."""
    plane = displacement_plane(FeatureMap(features_of(case)[0]), TRAINING)
    radii = shift_radii(*plane.shape, CONFIG.max_shift, CONFIG.n_radii)
    curve = [ncc for _, ncc in correlation_curve(plane, radii)]
    np.testing.assert_allclose(curve, case["scl_ncc_hp3"].mean(axis=1), atol=1e-5)
    radius = decorrelation_radius(plane, TRAINING)
    assert (
        radius == case["scl_hp3"] == case["mb_SCL"] == case["fa_SCL"] == case["dn40_SCL"] == case["dn10_SCL"]
    )
    paper_stride = MetricConfig.of("paper", sp_map="l2_highpass")
    sp = edge_fidelity(features_of(case), image_of(case), paper_stride).sp.item()
    np.testing.assert_allclose(sp, case["paper_SP_hp3"], rtol=RTOL)


def test_inertia(case):
    points = clustering_points(FeatureMap(features_of(case)[0]), CONFIG, np.random.default_rng(0)).numpy()
    for k, expected in zip(case["SCS_k"], case["SCS_inertia"], strict=True):
        labels = kmeans_labels(torch.from_numpy(points), int(k), CONFIG.n_init, CONFIG.seed).numpy()
        centres = np.stack([points[labels == c].mean(axis=0) for c in range(k)])
        np.testing.assert_allclose(np.square(points - centres[labels]).sum(), expected, rtol=1e-5)


def test_constant_map_is_undefined_where_the_released_code_gives_zero(golden):
    case = golden("constant_24x24_s4")
    assert case["SCS"] == case["paper_SFC"] == case["paper_EF_nc_out"] == 0.0
    structure = structural_coherence(features_of(case))
    edges = edge_fidelity(features_of(case), image_of(case))
    for scores, names in ((structure, ("sfc", "scs", "sc")), (edges, ("ec", "nc", "fc", "sp", "ef"))):
        for name in names:
            assert getattr(scores, name).isnan().all()
            assert scores.reasons[name] == ("constant_features",)
