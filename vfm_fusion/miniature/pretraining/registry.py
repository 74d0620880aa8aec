"""Objectives by kind."""

from __future__ import annotations

from collections.abc import Sequence

from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.config.pretraining import PretrainedConfig
from vfm_fusion.datasets.base import Category
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.miniature.pretraining.multilabel import Multilabel
from vfm_fusion.miniature.pretraining.objective import Objective
from vfm_fusion.miniature.pretraining.promptable_masks import PromptableMasks
from vfm_fusion.miniature.pretraining.self_distillation import SelfDistillation

_OBJECTIVES: dict[str, type[Objective]] = {
    "self_distillation": SelfDistillation,
    "promptable_masks": PromptableMasks,
    "multilabel": Multilabel,
}


def untrained(recipe: PretrainedConfig, categories: Sequence[Category]) -> Objective:
    """Builds an objective whose encoder has its initial weights.

    Args:
        recipe: architecture, objective and seed.
        categories: the classes of the scenes.
    """
    weights = SeededWeights(source="seeded", seed=recipe.seed)
    encoder = build_encoder(EncoderConfig(architecture=recipe.architecture, weights=weights))
    return _OBJECTIVES[recipe.objective.kind](encoder, recipe.objective, categories, recipe.seed)
