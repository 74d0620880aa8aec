"""One map of one frozen encoder, and, for plain ViTs, the place behind the patch embedding."""

from __future__ import annotations

from torch import Tensor, nn

from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.datasets.fitting import Size
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.pyramid import nearest_stride
from vfm_fusion.encoders.spec import IMAGENET_MEAN, IMAGENET_STD
from vfm_fusion.encoders.tokens import TokenEncoder, TokenState
from vfm_fusion.interactive.encoder_limits import check_reads
from vfm_fusion.upsampling.resampling import imagenet_normalised


class Featurizer(nn.Module):
    """Reads an encoder as a click model does.

    A plain ViT gives its tokens on the grid that its model sees, which is finer or coarser than the stride
    where a ``resolution`` is set; any other encoder gives a map of :meth:`Encoder.forward`.

    Attributes:
        encoder: the encoder.
        stride: the stride that is read.
        width: C, channels of the map.
        token_width: channels of embedded patches, of a plain ViT; None of any other encoder.
        patch: side of a cell in pixels of :meth:`seen_size`.
    """

    def __init__(self, encoder: Encoder, config: ClickModelConfig) -> None:
        """Wraps an encoder.

        Args:
            encoder: any encoder of the registry.
            config: what is read of it.

        Raises:
            ConfigError: see :func:`check_reads`.
        """
        super().__init__()
        check_reads(config, encoder.spec)
        self.is_vit = isinstance(encoder, TokenEncoder)
        self.encoder, self.tap, self.statistics = encoder, config.tap, config.statistics
        self.stride = nearest_stride(encoder.spec.strides, config.stride)
        self.token_width = encoder.width if self.is_vit else None
        self.width = self.token_width if config.tap == "keys" else encoder.spec.channels[self.stride]
        self.patch = encoder.spec.cell(self.stride) if self.is_vit else self.stride

    def seen_size(self, size: Size) -> Size:
        """Returns the (H, W) at which the cells of the map have the side :attr:`patch`, of a given image."""
        return self.encoder.seen_size(*size) if self.is_vit else size

    def grid(self, size: Size) -> Size:
        """Returns (h, w) of the map of an image of ``size``."""
        height, width = self.seen_size(size)
        return height // self.patch, width // self.patch

    def forward(self, images: Tensor) -> Tensor:
        """Encodes images ``(B, 3, H, W)`` in [0, 1] to the map ``(B, C, h, w)``.

        Raises:
            ShapeError: see :meth:`Encoder.forward`.
        """
        if self.is_vit:
            return self.encode(self.patchify(images), tuple(images.shape[-2:]))
        return self.encoder(self._restyled(images), [self.stride])[self.stride]

    def patchify(self, images: Tensor) -> TokenState:
        """Embeds the patches of images, of a plain ViT.

        Raises:
            ShapeError: see :meth:`Encoder.forward`.
        """
        return self.encoder.patchify(self.encoder.normalise(self._restyled(images)))

    def encode(self, patches: TokenState, size: Size) -> Tensor:
        """Makes the map ``(B, C, h, w)`` of the embedded patches of images of ``size``."""
        encoder = self.encoder
        if self.tap == "maps":
            maps = encoder.maps(encoder.encode(patches))
        else:
            maps = _key_map(encoder, encoder.blocks(encoder.embed(patches), 0, -1))
        height, width = self.grid(size)
        return maps[..., :height, :width]  # without the cells of what was filled up

    def _restyled(self, images: Tensor) -> Tensor:
        """Images of which the encoder's own normalisation makes those normalised by ImageNet's statistics."""
        own = (self.encoder.spec.mean, self.encoder.spec.std)
        if self.statistics == "encoder" or own == (IMAGENET_MEAN, IMAGENET_STD):
            return images
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in own)
        return imagenet_normalised(images) * std + mean


def _key_map(encoder: TokenEncoder, entering: TokenState) -> Tensor:
    """Keys of the last attention ``(B, d heads, h, w)``; channel d' heads + h' is number d' of head h'."""
    keys = encoder.heads(entering, -1, rotated=False).keys[:, :, entering.prefix :]  # (B, heads, h w, d)
    return keys.permute(0, 3, 1, 2).flatten(1, 2).unflatten(2, entering.grid).contiguous()
