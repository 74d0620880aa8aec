"""Every table, figure and text: a new one is a module with ``build`` and an entry here."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Benchmarks, Inputs, Report
from vfm_fusion.study import reported
from vfm_fusion.study.study import Study


def _runtime(study: Study, _: None) -> Inputs:
    """Benchmarks of every stage that the experiment has, in the order of the rows."""
    own, seeds = {"dataset": study.dataset}, {"seed": study.seeds}
    generated = [name for name in dict(study.splits) if study.is_generated(name)]
    encoders, tuned = {"encoder": study.config.encoders, **own}, {"run": study.finetuned_runs, **seeds}
    runs = study.config.runs
    evaluated = [{"run": run, **seeds, "target": study.config.targets_of(run)} for run in runs]
    jobs = {
        "generate_dataset": [{"dataset": generated}],
        "index_dataset": [{"dataset": dataset, "split": split} for dataset, split in study.splits],
        "extract_features": [encoders],
        "profile_encoder": [encoders],
        "score_supervised": [encoders] if study.has_pair and study.has_labels else [],
        "sweep_settings": [encoders] if study.has_pair else [],
        "score_controls": [own],
        "select_pair": [own] if study.has_pair else [],
        "assess_stability": [own] if study.has_pair else [],
        "train": [{"run": runs, **seeds}],
        "predict": evaluated,
        "evaluate": evaluated,
        "measure_cost": [{}] if runs else [],
        "extract_finetuned": [tuned],
        "profile_finetuned": [tuned],
    }
    return {rule: [Benchmarks(rule, wildcards) for wildcards in those] for rule, those in jobs.items()}


REPORTS = (
    Report(
        "table_datasets",
        "vfm_fusion.reporting.tables.datasets",
        "0. Data and encoders",
        "Data sets",
        "Table: images and labels of every data set",
        inputs=lambda study, _: {
            "summaries": [
                study.files.pattern("index_summary", dataset=dataset, split=split)
                for dataset, split in study.splits
            ]
        },
        settings=lambda study, _: {"splits": study.splits},
        needs=("data",),
    ),
    Report(
        "table_encoders",
        "vfm_fusion.reporting.tables.encoders",
        "0. Data and encoders",
        "Encoders",
        "Table: the encoders",
        inputs=lambda study, _: {"manifests": reported.of_encoders(study, "features")},
        settings=lambda study, _: reported.encoders_described(study),
        needs=("profiles",),
    ),
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
        "text_selection",
        "vfm_fusion.reporting.selection_text",
        "2. Selection",
        "Why this pair",
        "Text: why this pair and stride",
        inputs=lambda study, _: {
            **reported.profiled(study),
            "stability": reported.of_dataset(study, "stability"),
        },
        settings=lambda study, _: reported.encoder_names(study),
        needs=("pair",),
    ),
    Report(
        "table_stability",
        "vfm_fusion.reporting.tables.stability",
        "2. Selection",
        "Stability",
        "Table: how often other images give the same pair and stride",
        inputs=lambda study, _: {"stability": reported.of_dataset(study, "stability")},
        settings=lambda study, _: reported.encoder_names(study),
        needs=("pair",),
    ),
    Report(
        "table_main_results",
        "vfm_fusion.reporting.tables.main_results",
        "3. Results",
        "Main results",
        "Table: AP, mIoU and PQ of every run",
        inputs=lambda study, comparison: {
            "evaluations": reported.evaluations(study, comparison),
            "published": reported.published(study),
        },
        settings=lambda study, comparison: {
            **reported.compared(study, comparison),
            "published": reported.published_results(study, comparison),
        },
        per="comparison",
        needs=("runs",),
    ),
    Report(
        "table_per_class",
        "vfm_fusion.reporting.tables.per_class",
        "3. Results",
        "Per class",
        "Table: results per class, grouped by boundary-to-area ratio",
        inputs=lambda study, comparison: {
            "evaluations": reported.evaluations(study, comparison),
            "val": reported.evaluated_indices(study, comparison),
        },
        settings=lambda study, comparison: {
            **reported.compared(study, comparison),
            "evaluated": reported.evaluated_images(study, comparison),
        },
        per="comparison",
        needs=("runs",),
        minutes=30,
    ),
    Report(
        "table_supervised",
        "vfm_fusion.reporting.tables.supervised",
        "1. Profiles",
        "SC against ground truth",
        "Table: SC with and without ground truth, and their rank correlation",
        inputs=lambda study, _: {
            "profiles": reported.of_encoders(study, "profile"),
            "supervised": reported.of_encoders(study, "supervised"),
            "published": reported.published(study),
        },
        settings=lambda study, _: {
            **reported.encoder_names(study),
            **reported.interval(study),
            "dataset": study.dataset,
        },
        needs=("pair", "labels"),
    ),
    Report(
        "table_stride_gain",
        "vfm_fusion.reporting.tables.stride_gain",
        "3. Results",
        "EF and gain per stride",
        "Table: EF of the auxiliary and what its injection gains, per stride",
        inputs=lambda study, comparison: {
            "evaluations": reported.evaluations(study, comparison),
            "profiles": reported.of_encoders(study, "profile", reported.chosen_on(study, comparison)),
            "published": reported.published(study, comparison),
        },
        settings=lambda study, comparison: {
            **reported.compared_fusions(study, comparison),
            **reported.interval(study),
        },
        per="comparison",
        elsewhere=reported.fused_elsewhere,
        needs=("runs",),
    ),
    Report(
        "table_injection_stride",
        "vfm_fusion.reporting.tables.injection_stride",
        "3. Results",
        "Injection stride",
        "Table: what every injection stride reaches, and whether EF suggested the best",
        inputs=lambda study, comparison: {
            **reported.chosen_strides(study, comparison),
            "published": reported.published(study, comparison),
        },
        settings=reported.compared_fusions,
        per="comparison",
        elsewhere=reported.swept_elsewhere,
        needs=("runs", "pair"),
    ),
    Report(
        "table_finetuned",
        "vfm_fusion.reporting.tables.finetuned",
        "3. Results",
        "Profiles after fine-tuning",
        "Table: SC and EF of encoders before and after fine-tuning",
        inputs=lambda study, _: {
            "before": reported.of_encoders(study, "profile"),
            "after": study.files.every(
                "finetuned_profile",
                dataset=study.dataset,
                run=study.finetuned_runs,
                seed=study.seeds,
            ),
            "published": reported.published(study),
            "sizes": reported.profiled_sizes(study),
        },
        settings=lambda study, _: {
            **reported.names(study, study.finetuned_runs),
            "remedies": reported.remedies(study),
            **reported.interval(study),
            "dataset": study.dataset,
            "finetuned": [(run, seed) for run in study.finetuned_runs for seed in study.seeds],
        },
        needs=("runs",),
    ),
    Report(
        "text_questions",
        "vfm_fusion.reporting.questions_text",
        "0. Answers",
        "Five questions",
        "Text: what the runs answer to the paper's five questions",
        inputs=lambda study, _: {
            **reported.chosen_strides(study, study.main),
            **{
                name: study.files.pattern("table", name=name, format="csv")
                for name in ("per_class", "supervised", "finetuned")
            },
        },
        settings=lambda study, _: reported.compared_fusions(study, study.main),
        needs=("runs", "pair"),
    ),
    Report(
        "table_cost",
        "vfm_fusion.reporting.tables.cost",
        "4. Cost",
        "Models",
        "Table: parameters, FLOPs, speed, memory and training time of every model",
        inputs=lambda study, _: {
            "costs": study.files.every("cost", run=study.config.runs),
            "trainings": [Benchmarks("train", {"run": study.config.runs, "seed": study.seeds})],
            "published": reported.published(study),
        },
        settings=lambda study, _: {
            **reported.names(study, study.config.runs),
            "trainings": [run for run in study.config.runs for _ in study.seeds],
        },
        needs=("runs",),
    ),
    Report(
        "table_runtime",
        "vfm_fusion.reporting.tables.runtime",
        "4. Cost",
        "Time and memory",
        "Table: time and memory of every stage",
        inputs=_runtime,
        needs=("profiles",),
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
        "figure_sc_ef_plane",
        "vfm_fusion.reporting.figures.sc_ef_plane",
        "2. Selection",
        "SC-EF plane",
        "Figure: the encoders in the SC-EF plane",
        inputs=reported.profiled,
        settings=lambda study, _: reported.profiles_named(study, study.dataset),
        needs=("profiles",),
    ),
    Report(
        "figure_stability",
        "vfm_fusion.reporting.figures.stability",
        "2. Selection",
        "Against images",
        "Figure: stability of the choice against the number of images",
        inputs=lambda study, _: {"stability": reported.of_dataset(study, "stability")},
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
    Report(
        "figure_qualitative",
        "vfm_fusion.reporting.figures.qualitative",
        "3. Results",
        "Masks side by side",
        "Figure: predicted masks of every run side by side",
        inputs=lambda study, comparison: {
            "predictions": reported.predictions(study, comparison),
            "evaluations": reported.shown_evaluations(study, comparison, study.seeds[:1]),
            "val": reported.evaluated_indices(study, comparison)[:1],
        },
        settings=lambda study, comparison: {
            **reported.names(study, reported.shown_runs(study, comparison)),
            **reported.evaluated_images(study, comparison)[0],
            "images": study.config.reporting.images,
        },
        per="comparison",
        needs=("runs",),
        environment="training.yaml",
        memory=2000,
    ),
    Report(
        "figure_training_curves",
        "vfm_fusion.reporting.figures.training_curves",
        "4. Cost",
        "Training losses",
        "Figure: training losses",
        inputs=lambda study, comparison: {
            "metrics": study.files.every(
                "training_log", run=reported.shown_runs(study, comparison), seed=study.seeds
            ),
            "evaluations": reported.shown_evaluations(study, comparison),
        },
        settings=lambda study, comparison: reported.names(study, reported.shown_runs(study, comparison)),
        per="comparison",
        needs=("runs",),
    ),
)
