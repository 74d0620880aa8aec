"""Builds encoders from their configuration."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vfm_fusion.config.encoders import CheckpointWeights, EncoderConfig, FileWeights, SeededWeights
from vfm_fusion.config.registries import FAMILIES
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.registry import ARCHITECTURES, spec_of
from vfm_fusion.encoders.tokens import TokenEncoder
from vfm_fusion.encoders.weight_files import weight_file, weights_digest
from vfm_fusion.encoders.weights import from_official, load_into, master_tensors, read_tensors
from vfm_fusion.errors import ConfigError
from vfm_fusion.loading import load

__all__ = ["build_encoder", "build_token_encoder", "weights_digest"]


def build_encoder(config: EncoderConfig) -> Encoder:
    """Builds an encoder with its weights, in evaluation mode, on the CPU.

    Args:
        config: architecture, weights and resolution.

    Returns:
        The encoder; the same configuration always gives bit-identical weights.

    Raises:
        ConfigError: see :func:`vfm_fusion.encoders.weight_files.weight_file`.
        WeightsError: the weight file is missing, damaged, has another checksum, or does not fit.
    """
    weights_digest(config)
    path = weight_file(config.architecture, config)
    key = config.weights.key if isinstance(config.weights, FileWeights) else None
    tensors = None if path is None else read_tensors(path, key)
    spec = spec_of(config.architecture)
    seed = config.weights.seed if isinstance(config.weights, SeededWeights) else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = load(FAMILIES[spec.family])(spec)
    encoder.resolution = config.resolution or spec.input_side
    if config.positions is not None:
        encoder.positions = config.positions
    if tensors is not None:
        load_into(encoder, _in_own_names(config, encoder, tensors, path), source=path.name)
    return encoder.eval()


def build_token_encoder(config: EncoderConfig) -> TokenEncoder:
    """Builds an encoder that shows its tokens; see :func:`build_encoder`.

    Raises:
        ConfigError: the architecture is no plain ViT.
    """
    if not spec_of(config.architecture).shows_tokens:
        known = [name for name, spec in ARCHITECTURES.items() if spec.shows_tokens]
        raise ConfigError(
            f"{config.architecture} has maps, but no tokens that could be worked on between its blocks; "
            f"choose a plain ViT: {', '.join(known)}"
        )
    return build_encoder(config)


def _in_own_names(
    config: EncoderConfig, encoder: Encoder, tensors: dict[str, Tensor], path: Path
) -> dict[str, Tensor]:
    if isinstance(config.weights, CheckpointWeights):
        return master_tensors(tensors)
    if isinstance(config.weights, FileWeights) and config.weights.format == "official":
        return from_official(encoder, tensors, path.name)
    return tensors
