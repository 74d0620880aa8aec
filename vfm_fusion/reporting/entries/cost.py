"""Reports of what models and stages cost."""

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
        inputs=_runtime,
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
