"""Feature maps of a few scenes, for the figure that shows what training has changed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.reporting.figures.feature_grid import ProfiledImage
from vfm_fusion.reporting.labels import EncoderLabels


def before_and_after(
    encoders: Mapping[str, EncoderConfig], scenes: Dataset, count: int
) -> tuple[list[ProfiledImage], EncoderLabels]:
    """Encodes ``count`` scenes, evenly spaced, with every encoder.

    Returns:
        The scenes with their maps at OS 4, 8, 16 and 32, and the encoders' names in print.
    """
    built = {name: build_encoder(config) for name, config in encoders.items()}
    labels = {
        name: {"label": name, "pretraining": describe_pretraining(config)}
        for name, config in encoders.items()
    }
    positions = np.linspace(0, len(scenes) - 1, count).round().astype(int)
    images = []
    for position in positions.tolist():
        pixels = scenes.image(position)
        tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255  # (1, 3, H, W)
        with torch.inference_mode():
            maps = {name: derive_pyramid(encoder(tensor)) for name, encoder in built.items()}
        features = {
            name: {stride: found[0].numpy() for stride, found in pyramid.items()}
            for name, pyramid in maps.items()
        }
        images.append(ProfiledImage(pixels, features))
    return images, labels
