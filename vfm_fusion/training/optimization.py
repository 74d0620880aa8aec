"""AdamW's parameter groups and the learning-rate schedule of the Mask2Former recipe."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Protocol

from torch import nn

from vfm_fusion.config.schedule import PolySchedule, ScheduleConfig
from vfm_fusion.config.training import TrainingConfig
from vfm_fusion.segmentation.model import FusedSegmenter


class Pace(Protocol):
    """How long and how fast something is trained: the part of a recipe that is not bound to segmentation."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    schedule: ScheduleConfig
    log_every: int


def parameter_groups(model: FusedSegmenter, recipe: TrainingConfig) -> list[dict[str, Any]]:
    """Groups the trainable parameters by learning rate and weight decay.

    Encoders learn at ``encoder_lr_multiplier`` times the rate. Only weight matrices and kernels
    decay: no norms, no biases, no embeddings (position, level, query, relative-position tables).

    Returns:
        Groups for ``torch.optim.AdamW``, in a fixed order, empty ones left out.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {
        (encoder, decaying): [] for encoder in (False, True) for decaying in (True, False)
    }
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                key = (module_name.split(".")[0] in ("master", "auxiliary"), decays(module, name, parameter))
                groups[key].append(parameter)
    return [
        {
            "params": parameters,
            "lr": recipe.learning_rate * (recipe.encoder_lr_multiplier if encoder else 1.0),
            "weight_decay": recipe.weight_decay if decaying else 0.0,
        }
        for (encoder, decaying), parameters in groups.items()
        if parameters
    ]


def learning_rate_factor(step: int, recipe: Pace) -> float:
    """Returns the factor on every learning rate at ``step`` (from 0): linear warm-up times the decay.

    A polynomial decay is 0 from ``recipe.steps`` on. The decay counts its steps from the start of training,
    warm-up included, as the released recipes do.
    """
    warmup = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    return warmup * _decay(step, recipe)


def _decay(step: int, recipe: Pace) -> float:
    schedule = recipe.schedule
    if isinstance(schedule, PolySchedule):
        return max(0.0, 1.0 - step / recipe.steps) ** schedule.power
    return schedule.factor ** bisect_right(schedule.milestones, step)


def decays(module: nn.Module, name: str, parameter: nn.Parameter) -> bool:
    """Says whether weight decay applies to a parameter of ``module``: to matrices and kernels alone."""
    return name.endswith("weight") and parameter.ndim >= 2 and not isinstance(module, nn.Embedding)
