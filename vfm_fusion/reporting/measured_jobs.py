"""The jobs whose time and memory the table of stages adds up."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Benchmarks, Inputs
from vfm_fusion.study.study import Study


def runtime_jobs(study: Study, _: None) -> Inputs:
    """Returns the benchmarks of every stage that the experiment has, in the order of the rows."""
    own, chosen, seeds = {"dataset": study.dataset}, {"dataset": study.studied_on}, {"seed": study.seeds}
    generated = [name for name in dict(study.splits) if study.is_generated(name)]
    encoders = {"encoder": study.config.encoders}
    profiled, paired = {**encoders, "dataset": study.profiled}, {**encoders, **chosen}
    tuned = [
        {"dataset": study.comparisons[name][0].dataset, "run": study.finetuned_runs(name), **seeds}
        for name in study.studied
    ]
    runs = study.config.runs
    evaluated = [{"run": run, **seeds, "target": study.config.targets_of(run)} for run in runs]
    jobs = {
        "generate_dataset": [{"dataset": generated}],
        "index_dataset": [{"dataset": dataset, "split": split} for dataset, split in study.splits],
        "extract_features": [profiled],
        "extract_views": [
            {"dataset": views.dataset, "views": views.name, "encoder": encoder}
            for views, encoder in study.maps_of_views().values()
        ],
        "profile_encoder": [profiled],
        "compare_pairs": [{"dataset": study.profiled}] if study.has_pair else [],
        "score_supervised": [paired] if study.has_pair and study.has_labels else [],
        "sweep_settings": [paired] if study.has_pair else [],
        "score_controls": [own],
        "select_pair": [chosen] if study.has_pair else [],
        "assess_stability": [chosen] if study.has_pair else [],
        "train": [{"run": runs, **seeds}],
        "predict": evaluated,
        "evaluate": evaluated,
        "measure_cost": [{}] if runs else [],
        "extract_finetuned": tuned,
        "profile_finetuned": tuned,
    }
    return {rule: [Benchmarks(rule, wildcards) for wildcards in those] for rule, those in jobs.items()}
