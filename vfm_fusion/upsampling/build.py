"""Making an upsampler by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.registries import UPSAMPLERS
from vfm_fusion.errors import ConfigError
from vfm_fusion.loading import load
from vfm_fusion.upsampling.checkpoints import load_weights
from vfm_fusion.upsampling.upsampler import Facts, Upsampler


def build_upsampler(name: str, channels: int, weights: Path | None = None, **settings: Any) -> Upsampler:
    """Builds an upsampler.

    Args:
        name: a key of ``config.registries.UPSAMPLERS``.
        channels: channels C of the maps.
        weights: a file of its authors, or one that was saved from an upsampler of ours; None where it has
            none, or is to be trained.
        settings: what its class takes besides, such as ``input_norm`` of ``jbu``.

    Returns:
        The upsampler; with weights (or where it needs none) frozen and in evaluation mode.

    Raises:
        ConfigError: an unknown name or setting, or weights for an upsampler without parameters.
        WeightsError: see :func:`~vfm_fusion.upsampling.checkpoints.load_weights`.
        ShapeError: the upsampler cannot work on so many channels.
    """
    kind = _class_of(name)
    try:
        upsampler: Upsampler = kind(channels, **settings)
    except TypeError as error:
        raise ConfigError(f"upsampler {name!r}: {error}; correct its settings") from error
    if weights is not None:
        if not kind.facts.learned:
            raise ConfigError(f"upsampler {name!r} has no parameters; leave out its weights, {weights}")
        load_weights(upsampler, weights)
    if weights is not None or not kind.facts.learned:
        upsampler.eval().requires_grad_(False)
    return upsampler


def facts_of(name: str) -> Facts:
    """Returns what is known of an upsampler before it is built.

    Raises:
        ConfigError: an unknown name.
    """
    return _class_of(name).facts


def count_parameters(name: str, channels: int, **settings: Any) -> int:
    """Returns the number of parameters of an upsampler, without making them."""
    with torch.device("meta"):
        upsampler = _class_of(name)(channels, **settings)
    return sum(parameter.numel() for parameter in upsampler.parameters())


def _class_of(name: str) -> type[Upsampler]:
    if name not in UPSAMPLERS:
        raise ConfigError(
            f"unknown upsampler {name!r}; there are {', '.join(UPSAMPLERS)}{did_you_mean(name, UPSAMPLERS)}"
        )
    return load(UPSAMPLERS[name])
