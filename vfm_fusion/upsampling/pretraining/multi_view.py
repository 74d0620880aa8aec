"""FeatUp's loss: the upsampled map, moved with the image and made small again, is the moved image's map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.upsampling.pretraining.views import Views
from vfm_fusion.upsampling.resampling import imagenet_normalised
from vfm_fusion.upsampling.upsampler import Upsampler

JITTERS, MARGIN, ZOOM, PROJECTIONS = 5, 20, 2.0, 30
CRF_WEIGHT, CRF_PIXELS = 0.001, 1000
_ALPHA, _BETA, _GAMMA, _W1, _W2 = 0.1, 0.15, 0.005, 10.0, 3.0


@dataclass(frozen=True)
class Jitter:
    """A move of images and maps of one size: margins mirrored, zoomed, cut to the size, mirrored or not."""

    zoom: float
    top: int
    left: int
    flip: bool

    def __call__(self, maps: Tensor) -> Tensor:
        """Moves ``(B, C, S, S)``."""
        side = maps.shape[-1]
        padded = F.pad(maps, [_margin(side)] * 4, mode="reflect")
        if self.zoom > 1:
            padded = F.interpolate(padded, scale_factor=self.zoom, mode="bilinear")
        cut = padded[..., self.top : self.top + side, self.left : self.left + side]
        return cut.flip(3) if self.flip else cut


def draw_jitter(side: int) -> Jitter:
    """Draws a move of maps of ``side`` pixels; half of them are zoomed, half mirrored."""
    draw = torch.rand(4).tolist()
    zoom = 1 + (ZOOM - 1) * draw[0] if draw[1] > 0.5 else 1.0
    places = int((side + 2 * _margin(side)) * zoom) - side + 1
    return Jitter(zoom, int(torch.randint(places, ())), int(torch.randint(places, ())), draw[2] > 0.5)


def _margin(side: int) -> int:
    return min(MARGIN, side - 1)


class Downsampler(nn.Module):
    """Makes a map small: of every cell a mean of the pixels that its values and learned weights attend to."""

    def __init__(self, channels: int, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.attend = nn.Sequential(nn.Dropout(0.2), nn.Linear(channels, 1))
        self.scale = nn.Parameter(1 + 0.01 * torch.randn(cell**2))
        self.shift = nn.Parameter(0.01 * torch.randn(cell**2))
        blur = torch.exp(-torch.arange(-2.0, 3.0).square() / 2)
        self.register_buffer("blur", (blur[:, None] * blur / blur.sum() ** 2)[None, None], persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Makes ``(B, C, S, S)`` to ``(B, C, S / cell, S / cell)``."""
        padded = F.pad(maps.flatten(0, 1)[:, None], (2, 2, 2, 2), mode="reflect")
        blurred = F.conv2d(padded, self.blur).view_as(maps)
        pixels = F.pixel_unshuffle(blurred, self.cell).unflatten(1, (maps.shape[1], -1))  # (B, C, P, h, w)
        pixels = pixels.permute(0, 3, 4, 2, 1)
        logits = self.attend(pixels).squeeze(-1)  # (B, h, w, P)
        if self.training:
            logits = logits * (torch.rand_like(logits[..., :1]) > 0.2)
        weights = (logits * self.scale + self.shift).softmax(-1)
        return torch.einsum("bhwpc,bhwp->bchw", pixels, weights)


class MultiView(nn.Module):
    """The loss with what it learns beside the upsampler: how maps are made small, and how far to trust them.

    Maps are normalised over channels, as FeatUp's upsampler reads them.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.downsampler = Downsampler(channels, stride)
        self.trust = nn.Conv2d(channels, 1, kernel_size=1)
        with torch.no_grad():
            for parameter in self.trust.parameters():
                parameter *= 0.1

    def forward(self, upsampler: Upsampler, views: Views) -> dict[str, Tensor]:
        """Returns the terms ``views`` and ``crf``."""
        upsampler.norm.requires_grad_(False)  # as released, where it never learns
        images, side = views.images, views.side
        fine = upsampler.up(views.maps(images), imagenet_normalised(images), (side, side))
        terms = {"views": torch.zeros((), device=images.device)}
        for number in range(JITTERS):
            jitter = draw_jitter(side)
            moved = jitter(images)
            target = _normed(views.maps(moved))
            directions = torch.randn(len(images), fine.shape[1], PROJECTIONS, device=images.device)
            directions = F.normalize(directions, dim=1)
            jittered = jitter(fine)
            scale = (self.trust(target) + 0.1).exp().clamp(min=1e-4)
            error = _projected(self.downsampler(jittered), directions) - _projected(target, directions)
            terms["views"] = terms["views"] + (error**2 / (2 * scale**2) + scale.log()).mean() / JITTERS
            if number == 0:
                terms["crf"] = CRF_WEIGHT * crf(imagenet_normalised(moved), _projected(jittered, directions))
        return terms


def crf(images: Tensor, maps: Tensor) -> Tensor:
    """The sampled loss of a random field: near pixels, and those of like colour, should have like values.

    Args:
        images: ``(B, 3, S, S)``, normalised.
        maps: ``(B, C, S, S)``.
    """
    height, width = images.shape[-2:]
    row, column = (torch.randint(size, (CRF_PIXELS,), device=images.device) for size in (height, width))
    place = torch.stack([row / height, column / width])[None]
    near, like, apart = (_squared(each) for each in (place, images[..., row, column], maps[..., row, column]))
    kernel = _W1 * (-near / (2 * _ALPHA) - like / (2 * _BETA)).exp() + _W2 * (-near / (2 * _GAMMA)).exp()
    return (apart * kernel).mean()


def _squared(values: Tensor) -> Tensor:
    """Squared distances of all pairs of ``(B, C, N)``, ``(B, N, N)``."""
    square = values.square().sum(1)
    return (square[:, :, None] + square[:, None] - 2 * values.transpose(1, 2) @ values).clamp(min=0)


def _projected(maps: Tensor, directions: Tensor) -> Tensor:
    return torch.einsum("bchw,bcd->bdhw", maps, directions)


def _normed(maps: Tensor) -> Tensor:
    return F.layer_norm(maps.permute(0, 2, 3, 1), maps.shape[1:2]).permute(0, 3, 1, 2)
