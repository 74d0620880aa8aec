"""Label-free Structural Coherence (SC) and Edge Fidelity (EF) of encoder features (paper, Sec. 3.2)."""

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
