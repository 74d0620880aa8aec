"""From an encoder's native maps to the four-stride pyramid that the mask head reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from vfm_fusion.config.base import STRIDES
from vfm_fusion.datasets.fitting import fit_size
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.pyramid import derive_pyramid, nearest_stride
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.fusion.align import resize_to_grid


def encode_native(encoder: Encoder, images: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
    """Returns the encoder's own maps that a pyramid at ``strides`` is derived from.

    An image whose sides are no multiples of the encoder's size divisor is resized bilinearly to the nearest
    size that is. The encoder runs no further than the strides need. (Strides that it lacks are resized from
    its nearest one by nearest neighbour, as in the released code, unless the run upsamples: see
    :mod:`vfm_fusion.segmentation.finer_maps`.)

    Args:
        encoder: the encoder.
        images: ``(B, 3, H, W)`` float RGB in [0, 1].
        strides: output strides wanted, of 4, 8, 16, 32.
    """
    height, width = images.shape[-2:]
    fitted = resize_to(images, fit_size(height, width, encoder.spec.size_divisor))
    return encoder(fitted, native_strides(encoder.spec, strides))


def native_strides(spec: EncoderSpec, strides: Collection[int]) -> frozenset[int]:
    """Returns the native strides that a pyramid at ``strides`` is derived from."""
    return frozenset(nearest_stride(spec.strides, stride) for stride in strides)


def derived_channels(spec: EncoderSpec) -> dict[int, int]:
    """Returns output stride -> channels of the pyramid that is derived from an encoder's maps."""
    return {stride: spec.channels[nearest_stride(spec.strides, stride)] for stride in STRIDES}


def projected_channels(spec: EncoderSpec, widths: Sequence[int]) -> dict[int, int]:
    """Returns stride -> channels after :class:`PyramidProjection`: ``widths`` for a single-stride encoder."""
    if len(spec.strides) == 1:
        return dict(zip(STRIDES, widths, strict=True))
    return derived_channels(spec)


class PyramidProjection(nn.Module):
    """Brings an encoder's pyramid to the exact stride grids and to the channels that the mask head reads.

    A single-stride encoder (a plain ViT) has the same tokens at every stride; a 1x1 convolution per stride
    gives each level its own view in the paper's widths (128, 256, 512, 1024). A hierarchical encoder keeps
    its channels.
    """

    def __init__(self, spec: EncoderSpec, widths: Sequence[int], skip: Collection[int] = frozenset()) -> None:
        """Builds the projection.

        Args:
            spec: the encoder.
            widths: channels at OS 4, 8, 16, 32 for a single-stride encoder.
            skip: strides that are left out, because fusion replaces them.
        """
        super().__init__()
        single = len(spec.strides) == 1
        derived = derived_channels(spec)
        self.projections = nn.ModuleDict(
            {
                str(stride): nn.Conv2d(derived[stride], width, kernel_size=1) if single else nn.Identity()
                for stride, width in projected_channels(spec, widths).items()
                if stride not in skip
            }
        )

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides that are projected."""
        return tuple(int(key) for key in self.projections)

    def forward(self, native: dict[int, Tensor], size: tuple[int, int]) -> dict[int, Tensor]:
        """Projects the pyramid of images of ``size`` = (H, W), multiples of 32.

        A map that grows is projected first: a 1x1 convolution gives every copy of a cell the same, and at
        OS 4 there are 16 copies of a plain ViT's tokens.

        Args:
            native: the encoder's own maps, see :func:`encode_native`.
            size: of the images.

        Returns:
            ``{stride: (B, C, H/stride, W/stride)}`` without the skipped strides.
        """
        projected: dict[int, Tensor] = {}
        for key, projection in self.projections.items():
            stride = int(key)
            source = nearest_stride(sorted(native), stride)
            feature = projection(native[source]) if stride < source else native[source]
            (resized,) = derive_pyramid({source: feature}, (stride,)).values()
            resized = resize_to_grid(resized, (size[0] // stride, size[1] // stride))
            projected[stride] = resized if stride < source else projection(resized)
        return projected
