"""What Snakemake measured of every stage of an experiment."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Benchmarks, Inputs
from vfm_fusion.study.study import Study


def stage_benchmarks(study: Study) -> Inputs:
    """Returns the benchmarks of every stage that the experiment has, in the order of the rows."""
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
        "compare_pairs": [own] if study.has_pair else [],
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
