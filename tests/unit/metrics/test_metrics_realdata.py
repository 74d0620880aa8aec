"""Scores of real photos."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from vfm_fusion.metrics import edge_fidelity, structural_coherence

PHOTOS = (
    "grabcut/images/flower.jpg",
    "grabcut/images/banana1.jpg",
    "coral_photos/parrot.jpg",
    "coral_photos/hot_dog.jpg",
)

pytestmark = pytest.mark.realdata


def photo(path):
    image = Image.open(path).convert("RGB").resize((256, 192))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]  # (1, 3, 192, 256) uint8


def appearance(image, stride):
    """Colour and its local differences: a feature map whose edges are the image's."""
    small = F.interpolate(image.float() / 255, scale_factor=1 / stride, mode="bilinear", antialias=True)
    across = small - small.roll(1, dims=-1)
    down = small - small.roll(1, dims=-2)
    return torch.cat([small, across, down], dim=1)  # (1, 9, 192 / stride, 256 / stride)


def blurred(features, sigma=4.0):
    offsets = torch.arange(-12.0, 13.0)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(features.shape[1], 1, 1, 25)
    padded = F.pad(features, (12, 12, 12, 12), mode="reflect")
    return F.conv2d(
        F.conv2d(padded, kernel, groups=features.shape[1]), kernel.transpose(2, 3), groups=features.shape[1]
    )


@pytest.mark.parametrize("name", PHOTOS)
def test_edges_beat_blur_at_os4(realdata, name):
    image = photo(realdata / "images" / name)
    features = appearance(image, stride=4)
    sharp, soft = edge_fidelity(features, image), edge_fidelity(blurred(features), image)
    assert sharp.ef.isfinite().all()
    assert soft.ef.isfinite().all()
    assert sharp.ef.item() > 2 * soft.ef.item()
    assert sharp.fc.item() > soft.fc.item()
    assert sharp.sp.item() >= soft.sp.item()


@pytest.mark.parametrize("name", PHOTOS)
def test_smooth_regions_beat_noise_in_structure(realdata, name):
    image = photo(realdata / "images" / name)
    features = appearance(image, stride=4)
    generator = torch.Generator().manual_seed(0)
    shuffled = features.flatten(2)[..., torch.randperm(48 * 64, generator=generator)].view_as(features)
    smooth, mixed = structural_coherence(blurred(features)), structural_coherence(shuffled)
    assert smooth.sc.isfinite().all()
    assert smooth.sfc.item() > 5 * mixed.sfc.item()
    assert smooth.sc.item() > mixed.sc.item()
