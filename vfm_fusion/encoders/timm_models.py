"""timm's encoders behind the :class:`Encoder` interface: plain ViTs, hierarchical transformers, CNNs."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec

ensure_torchvision()

import timm  # noqa: E402  (torchvision must be importable first)


class TimmViT(Encoder):
    """A plain ViT: the patch tokens of the last block after the final norm, at the patch stride."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model = timm.create_model(spec.timm_name, pretrained=False, num_classes=0, **spec.options)
        self.model.prune_intermediate_layers(1, prune_head=True)

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        (tokens,) = self.model.forward_intermediates(
            normalised, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return {self.spec.strides[0]: tokens}


class TimmSam(Encoder):
    """SAM's ViT: the patch tokens of the last block; the norm that follows them is part of the neck."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model = timm.create_model(spec.timm_name, pretrained=False, num_classes=0, **spec.options)
        self.model.prune_intermediate_layers(1, prune_norm=True, prune_head=True)

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        (tokens,) = self.model.forward_intermediates(
            normalised, indices=1, output_fmt="NCHW", intermediates_only=True
        )
        return {self.spec.strides[0]: tokens}


class TimmHierarchical(Encoder):
    """A hierarchical transformer (Hiera, Swin): the output of every stage, before a final norm or head."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model = timm.create_model(spec.timm_name, pretrained=False, num_classes=0, **spec.options)
        self.model.prune_intermediate_layers(len(spec.strides), prune_norm=True, prune_head=True)

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        wanted = sorted(strides)
        maps = self.model.forward_intermediates(
            normalised,
            indices=[self.spec.strides.index(stride) for stride in wanted],
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return dict(zip(wanted, maps, strict=True))


class TimmCNN(Encoder):
    """A CNN: the last map at each output stride from 4 to 32."""

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(spec)
        self.model = timm.create_model(
            spec.timm_name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4), **spec.options
        )

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        return dict(zip(self.spec.strides, self.model(normalised), strict=True))
