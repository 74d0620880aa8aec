"""Reports of SC and EF: the encoders' own, those of the controls and under other metric settings."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Report
from vfm_fusion.study import reported

ENTRIES = (
    Report(
        "table_profiles",
        "vfm_fusion.reporting.tables.profiles",
        "1. Profiles",
        "SC and EF",
        "Table: SC and EF per encoder and output stride",
        inputs=lambda study, dataset: {
            **reported.profiled(study, dataset),
            "published": reported.published(study, dataset),
            "sizes": reported.profiled_sizes(study, dataset),
        },
        settings=lambda study, dataset: {
            **reported.profiles_named(study, dataset),
            "remedies": reported.remedies(study, dataset),
        },
        per="dataset",
        needs=("profiles",),
    ),
    Report(
        "table_measures",
        "vfm_fusion.reporting.tables.measures",
        "1. Profiles",
        "RankMe, CKA, probe",
        "Table: RankMe, CKA and a linear probe per output stride",
        inputs=lambda study, dataset: {
            "summaries": reported.of_encoders(study, "profile_summary", dataset),
            "pairs": reported.of_dataset(study, "pairs", dataset) if study.has_pair else [],
        },
        settings=lambda study, dataset: {**reported.encoder_names(study), "dataset": dataset},
        per="dataset",
        needs=("profiles",),
    ),
    Report(
        "table_controls",
        "vfm_fusion.reporting.tables.controls",
        "1. Profiles",
        "Controls",
        "Table: what every metric definition makes of maps with a known answer",
        inputs=lambda study, _: {
            "controls": reported.of_dataset(study, "controls"),
            "sizes": reported.profiled_sizes(study),
        },
        settings=lambda study, _: {"dataset": study.dataset, "remedies": reported.remedies(study)},
        needs=("profiles",),
    ),
    Report(
        "table_sensitivity",
        "vfm_fusion.reporting.tables.sensitivity",
        "1. Profiles",
        "Sensitivity to settings",
        "Table: SC and EF levels, ranks and choice under other metric settings",
        inputs=lambda study, _: reported.swept(study),
        settings=lambda study, _: reported.encoder_names(study),
        needs=("pair",),
    ),
    Report(
        "table_supervised",
        "vfm_fusion.reporting.tables.supervised",
        "1. Profiles",
        "SC against ground truth",
        "Table: SC with and without ground truth, and their rank correlation",
        inputs=lambda study, dataset: {
            "profiles": reported.of_encoders(study, "profile", dataset),
            "supervised": reported.of_encoders(study, "supervised", dataset),
            "published": reported.published(study, dataset),
        },
        settings=lambda study, dataset: {
            **reported.encoder_names(study),
            **reported.interval(study),
            "dataset": dataset,
        },
        per="dataset",
        elsewhere=reported.chosen_elsewhere,
        needs=("pair", "labels"),
    ),
    Report(
        "figure_profiles",
        "vfm_fusion.reporting.figures.profiles",
        "1. Profiles",
        "Against stride",
        "Figure: SC and EF against output stride",
        inputs=reported.profiled,
        settings=reported.profiles_named,
        per="dataset",
        needs=("profiles",),
    ),
    Report(
        "figure_controls",
        "vfm_fusion.reporting.figures.controls",
        "1. Profiles",
        "Controls against stride",
        "Figure: SC and EF of maps with a known answer",
        inputs=lambda study, _: {
            "controls": reported.of_dataset(study, "controls"),
            "index": reported.profiled_index(study),
        },
        settings=lambda study, _: {
            **reported.images_of(study, study.dataset),
            "image_size": study.image_size(study.dataset),
        },
        needs=("profiles",),
    ),
    Report(
        "figure_sensitivity",
        "vfm_fusion.reporting.figures.sensitivity",
        "1. Profiles",
        "Against metric settings",
        "Figure: SC and EF levels against metric settings",
        inputs=lambda study, _: reported.swept(study),
        settings=lambda study, _: reported.encoder_names(study),
        needs=("pair",),
    ),
    Report(
        "figure_feature_maps",
        "vfm_fusion.reporting.figures.feature_maps",
        "1. Profiles",
        {"pca_maps": "PCA maps", "energy_maps": "Energy maps"},
        "Figures: PCA and edge energy of the feature maps",
        inputs=lambda study, _: {
            "manifests": reported.of_encoders(study, "features"),
            "index": reported.profiled_index(study),
        },
        settings=lambda study, _: {
            **reported.encoder_names(study),
            **reported.images_of(study, study.dataset),
            "metrics": study.config.metrics.model_dump(mode="json"),
            "definition": study.config.selection.definition,
            "images": study.config.reporting.images,
        },
        memory=2000,
        needs=("profiles",),
    ),
)
