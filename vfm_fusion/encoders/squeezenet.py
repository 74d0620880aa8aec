"""SqueezeNet 1.0 (torchvision) as a three-stride encoder."""

from __future__ import annotations

from collections.abc import Collection

import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec

ensure_torchvision()

from torchvision.models import squeezenet1_0  # noqa: E402  (must be importable first)

_LAST_LAYER_AT = {4: 5, 8: 10, 16: 12}
"""Output stride -> index of the last Fire module of ``features`` at that stride."""


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
        wanted = {index: stride for stride, index in _LAST_LAYER_AT.items()}
        for index, layer in enumerate(self.model[: _LAST_LAYER_AT[max(strides)] + 1]):
            x = layer(x)
            if index in wanted:
                maps[wanted[index]] = x
        return maps
