"""The upsampler that a configuration describes, with its weights."""

from __future__ import annotations

from pathlib import Path

from vfm_fusion.config.upsampling import UpsamplerConfig, UpsamplerFile, UpsamplerTrained
from vfm_fusion.errors import ConfigError, ShapeError
from vfm_fusion.upsampling.build import build_upsampler, facts_of
from vfm_fusion.upsampling.upsampler import Upsampler
from vfm_fusion.upsampling.weight_files import upsampler_file


def configured_upsampler(
    upsampler: str, config: UpsamplerConfig, encoder: str, channels: int, trained: Path | None
) -> Upsampler:
    """Builds the upsampler of an experiment for the maps of one of its encoders.

    Args:
        upsampler: its name in the experiment.
        config: which one, and where its weights are from.
        encoder: name of the encoder, which may be part of the path of the weights.
        channels: channels C of its maps.
        trained: what the workflow has trained, where the weights are of ``source: trained``; else unread.

    Returns:
        The upsampler, frozen, in evaluation mode.

    Raises:
        ConfigError: a learned one without weights, settings that it does not have, or channels that it cannot
            work on.
        WeightsError: see :func:`~vfm_fusion.upsampling.weight_files.upsampler_file` and
            :func:`~vfm_fusion.upsampling.checkpoints.load_weights`.
    """
    key, name, path = f"upsamplers.{upsampler}", config.architecture, None
    if isinstance(config.weights, UpsamplerFile):
        path = upsampler_file(f"{key}.weights", config.weights, encoder)
    elif isinstance(config.weights, UpsamplerTrained):
        path = trained
    if path is None and facts_of(name).learned:
        raise ConfigError(
            f"{key}: {name} has no weights for {encoder!r}, without which it would upsample at random; give "
            "weights: {source: file, path: ...}, or have it trained: {source: trained, ...}"
        )
    try:
        return build_upsampler(name, channels, path, **config.class_settings)
    except (ConfigError, ShapeError) as error:
        raise ConfigError(f"{key}, for encoder {encoder!r}: {error}") from error
