"""What the code of an experiment's jobs loads by name: the part of every registry that it uses."""

from __future__ import annotations

from vfm_fusion.config.registries import (
    FAMILIES,
    MATCHERS,
    OPERATORS,
    PREDICTORS,
    READERS,
    RULES,
    UPSAMPLERS,
)
from vfm_fusion.config.selection import PEAK
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.study.study import Study
from vfm_fusion.workflow.fingerprint import in_use


def loaded_by_name(study: Study) -> dict[str, list[str]]:
    """Returns module to every ``module:object`` that it may load in a job of this experiment.

    A line that is added to a registry changes nothing here until something uses it.
    """
    config = study.config
    architectures = [
        *(encoder.architecture for encoder in config.encoders.values()),
        *(model.architecture for model in config.pretraining.models.values()),
    ]
    evaluators = {
        name: entry.target
        for run in config.runs
        for target in config.targets_of(run)
        for name, entry in study.evaluators(run, target).items()
    }
    return {
        "vfm_fusion.datasets.kinds": in_use(READERS, [data.kind for data in config.datasets.values()]),
        "vfm_fusion.encoders.build": in_use(FAMILIES, [spec_of(name).family for name in architectures]),
        "vfm_fusion.fusion.operators": in_use(
            OPERATORS, [run.fusion.operator for run in config.runs.values()]
        ),
        "vfm_fusion.segmentation.matching": in_use(
            MATCHERS, [config.training_of(run).head.matcher for run in config.runs]
        ),
        "vfm_fusion.upsampling.build": in_use(
            UPSAMPLERS, [upsampler.architecture for upsampler in config.upsamplers.values()]
        ),
        "vfm_fusion.selection.stride_score": in_use(RULES, {config.selection.rule} - {PEAK}),
        "vfm_fusion.reporting.stride_points": in_use(PREDICTORS, PREDICTORS),
        "vfm_fusion.evaluation.declared": sorted(evaluators.values()),
    }
