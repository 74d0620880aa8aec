"""Reports of the choice of a pair and a stride."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Report
from vfm_fusion.study import reported

ENTRIES = (
    Report(
        "text_selection",
        "vfm_fusion.reporting.selection_text",
        "2. Selection",
        "Why this pair",
        "Text: why this pair and stride",
        inputs=lambda study, dataset: {
            **reported.profiled(study, dataset),
            "stability": reported.of_dataset(study, "stability", dataset),
        },
        settings=lambda study, _: reported.encoder_names(study),
        per="dataset",
        elsewhere=reported.chosen_elsewhere,
        needs=("pair",),
    ),
    Report(
        "table_stability",
        "vfm_fusion.reporting.tables.stability",
        "2. Selection",
        "Stability",
        "Table: how often other images give the same pair and stride",
        inputs=lambda study, dataset: {"stability": reported.of_dataset(study, "stability", dataset)},
        settings=lambda study, _: reported.encoder_names(study),
        per="dataset",
        elsewhere=reported.chosen_elsewhere,
        needs=("pair",),
    ),
    Report(
        "figure_sc_ef_plane",
        "vfm_fusion.reporting.figures.sc_ef_plane",
        "2. Selection",
        "SC-EF plane",
        "Figure: the encoders in the SC-EF plane",
        inputs=reported.profiled,
        settings=reported.profiles_named,
        per="dataset",
        elsewhere=reported.chosen_elsewhere,
        needs=("profiles",),
    ),
    Report(
        "figure_stability",
        "vfm_fusion.reporting.figures.stability",
        "2. Selection",
        "Against images",
        "Figure: stability of the choice against the number of images",
        inputs=lambda study, dataset: {"stability": reported.of_dataset(study, "stability", dataset)},
        per="dataset",
        elsewhere=reported.chosen_elsewhere,
        needs=("pair",),
    ),
)
