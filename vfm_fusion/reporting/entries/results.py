"""Reports of what the runs reach, and the answers that rest on them."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Report
from vfm_fusion.study import reported

ENTRIES = (
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
        "table_predictor_points",
        "vfm_fusion.reporting.tables.predictor_points",
        "3. Results",
        "Points of predictors",
        "Table: what every stride gains, and what every predictor says of it",
        inputs=lambda study, _: reported.points_of_sweeps(study),
        settings=lambda study, _: reported.sweeps_described(study),
        needs=("runs", "pair", "sweep"),
    ),
    Report(
        "table_predictors",
        "vfm_fusion.reporting.tables.predictors",
        "3. Results",
        "Predictors of the best stride",
        "Table: which score predicts the best injection stride",
        inputs=lambda study, _: reported.all_points(study),
        settings=lambda study, _: reported.predicted(study),
        needs=("runs", "pair", "sweep"),
    ),
    Report(
        "figure_predictors",
        "vfm_fusion.reporting.figures.predictors",
        "3. Results",
        "Predictors of the best stride",
        "Figure: which score predicts the best injection stride",
        inputs=lambda study, _: reported.all_points(study),
        settings=lambda study, _: reported.predicted(study),
        needs=("runs", "pair", "sweep"),
    ),
    Report(
        "text_stride_prediction",
        "vfm_fusion.reporting.stride_prediction_text",
        "0. Answers",
        "Which score predicts the stride",
        "Text: which score predicts the best injection stride",
        inputs=lambda study, _: reported.all_points(study),
        settings=lambda study, _: reported.predicted(study),
        needs=("runs", "pair", "sweep"),
    ),
)
