"""Reports of what models and stages cost."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Benchmarks, Report
from vfm_fusion.reporting.measured_jobs import runtime_jobs
from vfm_fusion.study import reported

ENTRIES = (
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
        inputs=runtime_jobs,
        needs=("profiles",),
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
