"""R2D2's descriptor CNN (Revaud et al., NeurIPS 2019), with strides for dilations, as an encoder."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor, nn

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec

_LAST_LAYER_AT = {4: 17, 8: 19, 16: 21, 32: 22}
"""Output stride -> index of the last layer of ``ops`` at that stride."""


class R2D2(Encoder):
    """Local-descriptor CNN, trained without labels for repeatability and reliability.

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
        wanted = {index: stride for stride, index in _LAST_LAYER_AT.items()}
        maps: dict[int, Tensor] = {}
        x = normalised
        for index, layer in enumerate(self.ops[: _LAST_LAYER_AT[max(strides)] + 1]):
            x = layer(x)
            if index in wanted:
                maps[wanted[index]] = x
        return maps


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, affine=False)
