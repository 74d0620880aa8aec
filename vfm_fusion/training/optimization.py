"""AdamW's parameter groups and the learning-rate schedule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Protocol

from torch import nn

from vfm_fusion.config.schedule import PolySchedule, ScheduleConfig


class Recipe(Protocol):
    """How long and how fast something is trained: what every training has in common."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    schedule: ScheduleConfig
    clip_norm: float
    checkpoint_every: int
    log_every: int


def parameter_groups(
    module: nn.Module, recipe: Recipe, factors: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Groups the trainable parameters by learning rate and weight decay.

    Only weight matrices and kernels decay: no norms, no biases, no embeddings (position, level, query,
    relative-position tables).

    Args:
        module: what is trained.
        recipe: learning rate and weight decay.
        factors: factor on the rate of a child of the module, by its name; 1 where left out.

    Returns:
        Groups for ``torch.optim.AdamW``: first those without a factor, decaying before others; empty ones
        left out.
    """
    factors = factors or {}
    groups: dict[tuple[float | None, bool], list[nn.Parameter]] = {
        (factor, decaying): [] for factor in (None, *factors.values()) for decaying in (True, False)
    }
    for module_name, child in module.named_modules():
        factor = factors.get(module_name.split(".")[0])
        for name, parameter in child.named_parameters(recurse=False):
            if parameter.requires_grad:
                groups[factor, decays(child, name, parameter)].append(parameter)
    return [
        {
            "params": parameters,
            "lr": recipe.learning_rate * (1.0 if factor is None else factor),
            "weight_decay": recipe.weight_decay if decaying else 0.0,
        }
        for (factor, decaying), parameters in groups.items()
        if parameters
    ]


def learning_rate_factor(step: int, recipe: Recipe) -> float:
    """Returns the factor on every learning rate at ``step`` (from 0): linear warm-up times the decay.

    A polynomial decay is 0 from ``recipe.steps`` on. The decay counts its steps from the start of training,
    warm-up included, as the released recipes do.
    """
    warmup = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    return warmup * _decay(step, recipe)


def _decay(step: int, recipe: Recipe) -> float:
    schedule = recipe.schedule
    if isinstance(schedule, PolySchedule):
        return max(0.0, 1.0 - step / recipe.steps) ** schedule.power
    return schedule.factor ** bisect_right(schedule.milestones, step)


def decays(module: nn.Module, name: str, parameter: nn.Parameter) -> bool:
    """Says whether weight decay applies to a parameter of ``module``: to matrices and kernels alone."""
    return name.endswith("weight") and parameter.ndim >= 2 and not isinstance(module, nn.Embedding)
