"""The stored maps of a run's frozen encoders: what they made of each image, read in place of running them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from vfm_fusion.config.runs import RunConfig
from vfm_fusion.features.matching import store_of
from vfm_fusion.features.store import FeatureStore
from vfm_fusion.segmentation.encoded import Encoded, Maps

Strides = tuple[Collection[int], Collection[int]]
"""Native strides that are read of the master and of the auxiliary."""


class StoredMaps:
    """What one frozen encoder, or two, made of a sequence of images.

    Every map is checked as it is read, see :class:`~vfm_fusion.features.store.FeatureStore`.
    """

    def __init__(
        self,
        image_ids: Sequence[str],
        run: RunConfig,
        manifests: Mapping[str, Path],
        strides: Strides,
        with_images: bool = False,
    ) -> None:
        """Opens the stores of a run's encoders.

        Args:
            image_ids: the images, in their order.
            run: the run, with encoder names in place of roles.
            manifests: encoder to the manifest of its store.
            strides: which maps are read, see
                :attr:`~vfm_fusion.segmentation.model.FusedSegmenter.read_strides`.
            with_images: whether the model needs the images beside their maps, see
                :attr:`~vfm_fusion.segmentation.model.FusedSegmenter.reads_images`.

        Raises:
            FeatureStoreError: a store or its manifest is missing, or is not of these images.
        """
        self.master = store_of(manifests[run.master], image_ids)
        self.auxiliary = None if run.auxiliary is None else store_of(manifests[run.auxiliary], image_ids)
        self.strides, self.with_images = strides, with_images

    def read(self, place: int, size: tuple[int, int], pixels: Tensor | None = None) -> Encoded:
        """Reads the maps of one image, as a batch of one.

        Args:
            place: the image.
            size: (H, W) that it had for the encoders, multiples of 32.
            pixels: the image itself ``(1, 3, H, W)``, where the model needs it.

        Raises:
            FeatureStoreError: a map is missing, cut or altered; names store, image and stride.
        """
        auxiliary = None if self.auxiliary is None else _maps(self.auxiliary, place, self.strides[1])
        return Encoded(size, _maps(self.master, place, self.strides[0]), auxiliary, pixels)


def _maps(store: FeatureStore, place: int, strides: Collection[int]) -> Maps:
    read = store.read(place, strides)
    return {stride: torch.from_numpy(feature)[None] for stride, feature in read.items()}
