"""The upsampler that a configuration describes, with its weights."""

from __future__ import annotations

from pathlib import Path

from vfm_fusion.config.upsampling import UpsamplerConfig, UpsamplerFile, UpsamplerTrained
from vfm_fusion.errors import ConfigError
from vfm_fusion.upsampling.build import build_upsampler, facts_of
from vfm_fusion.upsampling.upsampler import Upsampler
from vfm_fusion.upsampling.weight_files import upsampler_file


def configured_upsampler(
    config: UpsamplerConfig, encoder_name: str, channels: int, trained: Path | None
) -> Upsampler:
    """Builds the upsampler of an experiment for the maps of one of its encoders.

    Args:
        config: which one, and where its weights are from.
        encoder_name: name of the encoder, which may be part of the path of the weights.
        channels: channels C of its maps.
        trained: what the workflow has trained, where the weights are of ``source: trained``; else unread.

    Returns:
        The upsampler, frozen, in evaluation mode.

    Raises:
        ConfigError: a learned one without weights, or settings that it does not have.
        WeightsError: see :func:`~vfm_fusion.upsampling.weight_files.upsampler_file` and
            :func:`~vfm_fusion.upsampling.checkpoints.load_weights`.
        ShapeError: it cannot work on so many channels.
    """
    name, path = config.architecture, None
    if isinstance(config.weights, UpsamplerFile):
        path = upsampler_file(f"upsampler {name}: weights", config.weights, encoder_name)
    elif isinstance(config.weights, UpsamplerTrained):
        path = trained
    if path is None and facts_of(name).learned:
        raise ConfigError(
            f"upsampler {name!r} has no weights for {encoder_name!r}, without which it would upsample at "
            "random; give weights: {source: file, path: ...}, or have it trained: {source: trained, ...}"
        )
    return build_upsampler(name, channels, path, **config.class_settings)
