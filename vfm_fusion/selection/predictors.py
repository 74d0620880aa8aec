"""The scores that may name the stride to inject at. They are listed in ``config.registries``.

All but the last need no labels. The two products were written down before any result was seen: they ask for
an auxiliary map that is rich by itself *and* unlike the one whose place it takes.
"""

from __future__ import annotations

from vfm_fusion.selection.stride_score import StrideScore

EF = StrideScore(
    "EF of the auxiliary",
    lambda master, auxiliary, pair: auxiliary["ef"],
    auxiliary=("ef",),
)
"""The paper's rule (Eq. 9)."""

EF_ABOVE_NULL = StrideScore(
    "EF above its null",
    lambda master, auxiliary, pair: auxiliary["ef_excess"],
    auxiliary=("ef_excess",),
)

EF_LEAD = StrideScore(
    "EF, auxiliary − master",
    lambda master, auxiliary, pair: auxiliary["ef"] - master["ef"],
    master=("ef",),
    auxiliary=("ef",),
)

SC_LEAD = StrideScore(
    "SC, auxiliary − master",
    lambda master, auxiliary, pair: auxiliary["sc"] - master["sc"],
    master=("sc",),
    auxiliary=("sc",),
)

RANKME = StrideScore(
    "RankMe of the auxiliary",
    lambda master, auxiliary, pair: auxiliary["rankme"],
    auxiliary=("rankme",),
)

UNLIKENESS = StrideScore(
    "1 − CKA",
    lambda master, auxiliary, pair: 1 - pair["cka"],
    pair=("cka",),
)

EF_TIMES_UNLIKENESS = StrideScore(
    "EF × (1 − CKA)",
    lambda master, auxiliary, pair: auxiliary["ef"] * (1 - pair["cka"]),
    auxiliary=("ef",),
    pair=("cka",),
)

RANKME_TIMES_UNLIKENESS = StrideScore(
    "RankMe × (1 − CKA)",
    lambda master, auxiliary, pair: auxiliary["rankme"] * (1 - pair["cka"]),
    auxiliary=("rankme",),
    pair=("cka",),
)

PROBE = StrideScore(
    "Linear probe, few labels",
    lambda master, auxiliary, pair: pair["probe"],
    pair=("probe",),
    needs_labels=True,
)
