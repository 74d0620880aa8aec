"""How large the stores will be that are not there yet, from the index of the images alone."""

from __future__ import annotations

from pathlib import Path

from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.index import read_index
from vfm_fusion.encoders.sizes import fit_size
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.features.layout import StoreLayout, layout_of


def planned_layout(index: Path, spec: EncoderSpec, settings: FeaturesConfig) -> StoreLayout:
    """Lays out the store of an encoder's maps of the images in an index.

    Args:
        index: index of the split.
        spec: the encoder.
        settings: subset, image size, element type, shards.

    Raises:
        DatasetLayoutError: the index is missing or damaged.
    """
    images = read_index(index)
    size = settings.image_size or (int(images["height"].iloc[0]), int(images["width"].iloc[0]))
    count = min(len(images), settings.max_images or len(images))
    return layout_of(count, fit_size(*size, spec.size_divisor), spec, settings)
