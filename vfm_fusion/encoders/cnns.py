"""CNNs that are not timm's: SqueezeNet 1.0 (torchvision), R2D2 and PiDiNet."""

from __future__ import annotations

from collections.abc import Collection

import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec

ensure_torchvision()

from torchvision.models import squeezenet1_0  # noqa: E402  (must be importable first)

_FIRE_AT = {4: 5, 8: 10, 16: 12}
"""Output stride -> index of SqueezeNet's last Fire module of ``features`` at that stride."""

_OPS_AT = {4: 17, 8: 19, 16: 21, 32: 22}
"""Output stride -> index of R2D2's last layer of ``ops`` at that stride."""


class SqueezeNet(Encoder):
    """The last Fire module's output at OS 4, 8 and 16.

    The stem's 7x7 convolution has no padding in the original; here the image is padded by 2 and 3 pixels so
    that every map has exactly H/stride x W/stride cells over the whole image.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model = squeezenet1_0(weights=None).features

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        x = F.pad(normalised, (2, 3, 2, 3), mode="replicate")
        maps: dict[int, Tensor] = {}
        wanted = {index: stride for stride, index in _FIRE_AT.items()}
        for index, layer in enumerate(self.model[: _FIRE_AT[max(strides)] + 1]):
            x = layer(x)
            if index in wanted:
                maps[wanted[index]] = x
        return maps


class R2D2(Encoder):
    """Local-descriptor CNN, trained without labels for repeatability and reliability (Revaud, NeurIPS 2019).

    The original keeps full resolution with dilated convolutions. The same weights with strides in place of
    the dilations give the same responses at every second (fourth, ...) pixel, that is a pyramid at OS 1 to
    32, of which OS 4 to 32 are returned. The layer indices are those of the released state dict
    (``ops.<i>``); its last convolution has no normalisation.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        m = spec.options["width"]
        layers: list[nn.Module] = []
        channels = 3
        for width, stride in ((8, 1), (8, 1), (16, 2), (16, 1), (32, 2), (32, 1)):
            layers += [nn.Conv2d(channels, width * m, 3, stride, padding=1), _norm(width * m), nn.ReLU()]
            channels = width * m
        for _ in range(2):
            layers += [nn.Conv2d(channels, channels, 2, 2), _norm(channels)]
        layers.append(nn.Conv2d(channels, 128, 2, 2))
        self.ops = nn.Sequential(*layers)

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        wanted = {index: stride for stride, index in _OPS_AT.items()}
        maps: dict[int, Tensor] = {}
        x = normalised
        for index, layer in enumerate(self.ops[: _OPS_AT[max(strides)] + 1]):
            x = layer(x)
            if index in wanted:
                maps[wanted[index]] = x
        return maps


class PiDiNet(Encoder):
    """Edge detector of pixel-difference convolutions (Su et al., ICCV 2021), trained on drawn contours.

    The differences are folded into plain convolutions, as the authors convert it: every block is a depthwise
    convolution (5x5 for radial differences, 3x3 for others) and a 1x1 one beside a shortcut. Of its stages at
    OS 1, 2, 4 and 8 the last two are returned; OS 16 and 32 are the last one max-pooled. The names are
    those of the released state dict, whose edge heads are left out.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        width = spec.options["width"]
        self.init_block = nn.Conv2d(3, width, 3, padding=1, bias=False)
        channels, layer = width, 1
        for stage, (depth, multiple) in enumerate(((3, 1), (4, 2), (4, 4), (4, 4)), start=1):
            for block in range(1, depth + 1):
                made = _ContourBlock(
                    channels,
                    multiple * width,
                    kernel=5 if layer % 4 == 2 else 3,
                    halves=stage > 1 and block == 1,
                )
                self.add_module(f"block{stage}_{block}", made)
                channels, layer = multiple * width, layer + 1

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        maps: dict[int, Tensor] = {}
        x = self.init_block(normalised)
        for stage, stride in enumerate((1, 2, 4, 8), start=1):
            for block in (m for name, m in self.named_children() if name.startswith(f"block{stage}_")):
                x = block(x)
            maps[stride] = x
            if stride >= max(strides):
                return maps
        for stride in (16, 32):
            maps[stride] = x = F.max_pool2d(x, 2)
        return maps


class _ContourBlock(nn.Module):
    """Block of :class:`PiDiNet`; one that halves the map max-pools it first."""

    def __init__(self, channels: int, out: int, kernel: int, *, halves: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
        self.conv2 = nn.Conv2d(channels, out, 1, bias=False)
        self.shortcut = nn.Conv2d(channels, out, 1) if halves else None

    def forward(self, x: Tensor) -> Tensor:
        if self.shortcut is None:
            return self.conv2(F.relu(self.conv1(x))) + x
        x = F.max_pool2d(x, 2)
        return self.conv2(F.relu(self.conv1(x))) + self.shortcut(x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, affine=False)
