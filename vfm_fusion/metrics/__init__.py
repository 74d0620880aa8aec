"""Label-free Structural Coherence (SC) and Edge Fidelity (EF) of encoder features (paper, Sec. 3.2).

From features F ``(C, H, W)`` at an output stride and their image, with z the channels of F z-scored over the
pixels (population standard deviation + 1e-6), and m = ||F(:, y, x)|| the channel L2 norm, z-scored too::

    SFC = Var(mu_p) / (Var(mu_p) + Mean(sigma_p^2))           mean and variance of m in the cells p of a grid
    SCS = (median over k = 6, 8, 10 of S_k + 1) / 2           S_k: mean silhouette of k-means with k clusters
    SC  = sqrt(SFC * SCS)

    EC  = sum_{A_in} G / sum G                                G: Sobel magnitude of the first principal
    NC  = sum_{A_near} G / (sum G - sum_{A_in} G)                component of z, scaled to [0, 1]
    FC  = sum P[rho >= .15] / sum P                           P: power spectrum of m under a Hann window
    SP  = 1 / (1 + r_tau * s / 64)                            r_tau: shift at which m decorrelates; s: stride
    EF  = 100 * EC * NC * FC * SP

A_in holds the pixels within 2 of the image's edge centrelines, A_near the band up to 4. That is the preset
``paper``. Every constant and every choice above is a setting of
:class:`~vfm_fusion.config.metrics.MetricConfig`, and the presets are sets of them: ``reference_table5`` and
``reference_training`` are what the authors' released code computes, ``calibrated`` is this project's::

    EC  = (E - a) / (1 - a), 0 unless E > a + 3 sigma         E: EC above; a: A_in's share of the pixels;
                                                              sigma: deviation of E for pixels in random order
    FC  = min(1, F(G) / F(g))                                 F: FC above, of G and of the image's gradient g,
                                                              over frequencies that map and window resolve
    SP  with r_tau of G, at least that of g                   EF = 100 * EC * FC * SP
    SFC = (S - c) / (1 - c), 0 unless S > c + 3 sigma_c       S: SFC above; c: its chance level, (P-1) / (n-1)

Why: without that, EF rewards noise. Its FC and SP see spectra and correlations, which are best for pixels in
random order, and its EC and NC grow with the area that A_in and A_near cover. The controls
(:mod:`~vfm_fusion.metrics.controls`: maps with a known answer) show it; ``calibrated`` ranks them right.

To recompute a score by hand, follow the functions, one idea a file: ``tokens`` and ``feature_map`` (moments,
z-scores, principal components), ``structural_coherence`` (SFC, SC), ``clustering``, ``kmeans`` and
``silhouette`` (SCS), ``image_edges`` (luminance, edges, A_in, A_near), ``gradient`` (G), ``concentration``
(EC, NC), ``spectrum`` (FC), ``displacement`` (SP), ``edge_fidelity`` (EF), ``chance`` (a, sigma),
``null_floor`` (the scores of the same pixels in random order). Where nothing can be said, a score is NaN with
one of ``reasons``.

Measured beside them: ``effective_rank`` (RankMe of a map), ``kernel_alignment`` (CKA of two maps) and
``linear_probe`` (ridge regression of classes on any of many maps).

>>> import torch
>>> features, image = torch.rand(1, 8, 32, 64), torch.rand(1, 3, 256, 512)
>>> structural_coherence(features).sc.shape, edge_fidelity(features, image).ef.shape
(torch.Size([1]), torch.Size([1]))
"""

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics.edge_fidelity import EdgeFidelity, edge_fidelity
from vfm_fusion.metrics.null_floor import NullFloor, null_floor
from vfm_fusion.metrics.structural_coherence import StructuralCoherence, structural_coherence

__all__ = [
    "EdgeFidelity",
    "MetricConfig",
    "NullFloor",
    "StructuralCoherence",
    "edge_fidelity",
    "null_floor",
    "structural_coherence",
]
