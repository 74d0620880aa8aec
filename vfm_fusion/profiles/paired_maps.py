"""The stored maps of several encoders, image by image, at the same pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.fitting import Size, fit_image
from vfm_fusion.encoders.pyramid import derive_pyramid, nearest_stride
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.fusion.align import resize_to_grid
from vfm_fusion.profiles.labelled_pixels import Draw, Labelled, labelled_pixels
from vfm_fusion.profiles.stored_maps import native_maps, stored_positions

Native = Mapping[int, Tensor]
"""Native maps of one image by one encoder, ``{stride: (C, h, w)}``."""


class PairedMaps:
    """Several encoders' maps of the images that they have all seen.

    Encoders fit an image to multiples of their own patches, so that their grids at a stride may differ by a
    row. All maps are brought to one grid as fusion does it (bilinearly, where needed): the size at which
    the image is profiled, divided by the stride and rounded.

    Args:
        stores: encoder -> its native maps.
        dataset: holds the images that the features were extracted from.
        config: strides, interpolation of derived strides, seed.
        pixels: how many pixels of an image are drawn at most.

    Attributes:
        encoders: their names.
        strides: output strides of the pyramid, ascending.
        ids: the images.

    Raises:
        FeatureStoreError: a store holds other images than the first one, or one that the data set lacks.
    """

    def __init__(
        self, stores: Mapping[str, FeatureStore], dataset: Dataset, config: ProfileConfig, pixels: int
    ) -> None:
        self._stores, self._dataset, self._config = stores, dataset, config
        self._draw = Draw(pixels, config.seed)
        first = next(iter(stores.values()))
        for name, store in stores.items():
            if store.image_ids != first.image_ids:
                raise FeatureStoreError(
                    f"the features of {name} hold other images than those of {first.manifest.encoder}; "
                    "extract them again"
                )
        self.encoders = list(stores)
        self.strides = sorted(config.strides)
        self.ids = first.image_ids
        self._positions, self._fit = stored_positions(first, dataset), first.manifest.fit

    def source(self, encoder: str, stride: int) -> int:
        """The native stride that an encoder's map at a stride comes from."""
        native = sorted(self._stores[encoder].manifest.shapes)
        return stride if stride in native else nearest_stride(native, stride)

    def channels(self, encoder: str, stride: int) -> int:
        """Channels of an encoder's map at a stride."""
        return self._stores[encoder].manifest.shapes[self.source(encoder, stride)][0]

    def read(self, index: int) -> dict[str, Native]:
        """Reads the native maps of an image.

        Raises:
            FeatureStoreError: a store is damaged.
        """
        return {encoder: native_maps(store, index) for encoder, store in self._stores.items()}

    def grid(self, index: int, stride: int) -> Size:
        """(height, width) of the grid of an image at a stride."""
        size = fit_image(*self._dataset.size_of(self._positions[index]), self._fit).size
        height, width = (max(1, round(side / stride)) for side in size)
        return height, width

    def tokens(self, native: Native, stride: int, grid: Size, at: Tensor) -> Tensor:
        """Channel vectors of an encoder's map at a stride.

        Args:
            native: its maps of the image.
            stride: which map of the pyramid.
            grid: (h, w) that it is brought to.
            at: ``(n,)`` int64 pixels of the grid, in row-major order.

        Returns:
            ``(C, n)`` float32.
        """
        batch = {own: feature[None] for own, feature in native.items()}
        pyramid = derive_pyramid(batch, (stride,), self._config.interpolation)
        return resize_to_grid(pyramid[stride], grid)[0].flatten(1)[:, at]  # (1, C, h, w) -> (C, n)

    def drawn(self, index: int, candidates: Tensor) -> Tensor:
        """Draws pixels of an image: all candidates ``(m,)``, or as many as there may be, in order."""
        return self._draw(candidates, self.ids[index])

    def labelled(self, index: int) -> tuple[Labelled | None, int]:
        """Draws labelled pixels of an image on the grid of the finest stride, and counts the classes.

        Raises:
            CorruptImageError: a label file is damaged; see :meth:`Dataset.labels`.
        """
        grid = self.grid(index, self.strides[0])
        found, classes = labelled_pixels(self._dataset, self._positions[index], self._fit, grid, self._draw)
        return (None if found is None else replace(found, index=index)), classes
