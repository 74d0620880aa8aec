"""Builds encoders from their configuration."""

from __future__ import annotations

import torch

from vfm_fusion.checksums import file_sha256
from vfm_fusion.config.encoders import EncoderConfig, SeededWeights
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.files import weight_file
from vfm_fusion.encoders.r2d2 import R2D2
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.squeezenet import SqueezeNet
from vfm_fusion.encoders.timm_models import TimmCNN, TimmHierarchical, TimmViT
from vfm_fusion.encoders.weights import load_into, read_tensors
from vfm_fusion.errors import WeightsError

_FAMILIES: dict[str, type[Encoder]] = {
    "vit": TimmViT,
    "hierarchical": TimmHierarchical,
    "cnn": TimmCNN,
    "squeezenet": SqueezeNet,
    "r2d2": R2D2,
}


def build_encoder(config: EncoderConfig) -> Encoder:
    """Builds an encoder with its weights, in evaluation mode, on the CPU.

    Args:
        config: architecture and weights.

    Returns:
        The encoder; the same configuration always gives bit-identical weights.

    Raises:
        WeightsError: the weight file is missing, damaged, has another checksum, or does not fit.
    """
    spec = ARCHITECTURES[config.architecture]
    seed = config.weights.seed if isinstance(config.weights, SeededWeights) else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = _FAMILIES[spec.family](spec)
    path = weight_file(config.architecture, config)
    if path is not None:
        weights_digest(config)
        load_into(encoder, read_tensors(path), source=path.name)
    return encoder.eval()


def weights_digest(config: EncoderConfig) -> str:
    """Returns what identifies the weights: the file's SHA-256, or the seed of untrained ones.

    Raises:
        WeightsError: the file is missing, or is not the one whose checksum is configured.
    """
    path = weight_file(config.architecture, config)
    if path is None:
        return f"seed-{config.weights.seed}"
    found = file_sha256(path)
    if config.weights.sha256 not in (None, found):
        raise WeightsError(
            f"{path}: SHA-256 is {found}, the configuration expects {config.weights.sha256}; "
            "download the file again, or correct the checksum if the file is the one you mean"
        )
    return found
