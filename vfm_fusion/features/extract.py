"""Feature extraction: an encoder's native maps of a set of images into a verified store."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.encoders.sizes import fit_size, resize_to
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.manifest import Manifest, store_path
from vfm_fusion.features.partial import PartialStore
from vfm_fusion.progress import progress
from vfm_fusion.subset import subset

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Whose features are extracted, as their manifest says it.

    Attributes:
        dataset: name of the data set.
        encoder: name of the encoder in the configuration.
        architecture: its key in the registry.
        pretraining: how tables name its training.
        weights: what identifies its weights.
    """

    dataset: str
    encoder: str
    architecture: str
    pretraining: str
    weights: str


def extract(
    *,
    dataset: Dataset,
    dataset_name: str,
    encoder_name: str,
    encoder_config: EncoderConfig,
    settings: FeaturesConfig,
    token: str,
    manifest_path: Path,
    state_dir: Path,
) -> Manifest:
    """Extracts the native maps of a configured encoder; see :func:`extract_maps`.

    Args:
        dataset: the images.
        dataset_name: name of the data set.
        encoder_name: name of the encoder.
        encoder_config: its architecture and weights.
        settings: subset, image size, dtype, batch size.
        token: hash of everything that the features depend on beside the weights.
        manifest_path: ``<store>.manifest.json``.
        state_dir: folder for the store under construction.

    Returns:
        The manifest that was written.

    Raises:
        FeatureStoreError: see :func:`extract_maps`.
        WeightsError: see :func:`vfm_fusion.encoders.build.build_encoder`.
    """
    return extract_maps(
        dataset=dataset,
        encoder=build_encoder(encoder_config),
        source=Source(
            dataset=dataset_name,
            encoder=encoder_name,
            architecture=encoder_config.architecture,
            pretraining=describe_pretraining(encoder_config),
            weights=weights_digest(encoder_config),
        ),
        settings=settings,
        token=token,
        manifest_path=manifest_path,
        state_dir=state_dir,
    )


def extract_maps(
    *,
    dataset: Dataset,
    encoder: Encoder,
    source: Source,
    settings: FeaturesConfig,
    token: str,
    manifest_path: Path,
    state_dir: Path,
) -> Manifest:
    """Extracts the native maps of a data set's images, resuming what a killed job has left.

    The store is built under ``state_dir``, read back and verified, renamed to its place beside the manifest,
    and only then is the manifest written. A store that is already in its place is taken over, so that a
    damaged one is repaired map by map.

    Args:
        dataset: the images.
        encoder: the encoder, in evaluation mode.
        source: what the manifest says of it.
        settings: subset, image size, dtype, batch size.
        token: hash of everything that the features depend on beside ``source.weights``.
        manifest_path: ``<store>.manifest.json``.
        state_dir: folder for the store under construction.

    Returns:
        The manifest that was written.

    Raises:
        FeatureStoreError: images of several sizes without ``image_size``, features that overflow the dtype,
            or a disk that does not give back what was written.
    """
    encoder = encoder.to(_device())
    indices = subset(len(dataset), settings.max_images)
    image_ids = tuple(dataset.ids[index] for index in indices)
    image_size = _image_size(dataset, indices[0], settings)
    input_size = fit_size(*image_size, encoder.spec.size_divisor)
    _say_size(encoder, input_size, len(indices), settings)

    building = state_dir / "store.zarr"
    final = store_path(manifest_path)
    if final.exists() and not building.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        final.rename(building)
    store = PartialStore(building, f"{token}-{source.weights}", image_ids)
    for position, maps in _encode(encoder, dataset, indices, store.missing, image_size, settings):
        store.write(position, maps)
    store.verify()
    if store.missing:
        raise FeatureStoreError(
            f"{building}: {len(store.missing)} images read back otherwise than they were written; "
            "check the disk, then run the same command again"
        )
    store.publish(final)
    manifest = Manifest(
        **asdict(source),
        token=token,
        dtype=settings.dtype,
        image_size=image_size,
        input_size=input_size,
        shapes=store.shapes,
        digests={image: store.digests[image] for image in image_ids},
    )
    manifest.write(manifest_path)
    return manifest


def image_tensor(image: np.ndarray) -> Tensor:
    """Turns an image ``(H, W, 3)`` uint8 into ``(1, 3, H, W)`` float32 in [0, 1]."""
    return torch.tensor(image).permute(2, 0, 1)[None].float().div_(255)


def _encode(
    encoder: Encoder,
    dataset: Dataset,
    indices: list[int],
    positions: list[int],
    image_size: tuple[int, int],
    settings: FeaturesConfig,
) -> Iterator[tuple[int, dict[int, np.ndarray]]]:
    """Yields the native maps ``{stride: (C, h, w)}`` of the images at ``positions``."""
    dtype = np.dtype(settings.dtype)
    starts = range(0, len(positions), settings.batch_size)
    for start in progress(starts, f"features: {encoder.spec.architecture}", len(starts)):
        group = positions[start : start + settings.batch_size]
        images = torch.cat([_load(dataset, indices[p], image_size, settings) for p in group])
        images = resize_to(images, fit_size(*image_size, encoder.spec.size_divisor))  # (B, 3, H, W)
        with torch.inference_mode():
            native = encoder(images.to(_device()))
        maps = {stride: feature.float().cpu().numpy() for stride, feature in native.items()}
        for row, position in enumerate(group):
            with np.errstate(over="ignore"):  # an overflow becomes inf, which the store refuses by name
                yield position, {stride: feature[row].astype(dtype) for stride, feature in maps.items()}


def _load(dataset: Dataset, index: int, image_size: tuple[int, int], settings: FeaturesConfig) -> Tensor:
    image = image_tensor(dataset.image(index))  # (1, 3, H, W)
    if settings.image_size is None and tuple(image.shape[-2:]) != image_size:
        raise FeatureStoreError(
            f"image {dataset.ids[index]} is {tuple(image.shape[-2:])} pixels, the first one {image_size}; "
            "set features.image_size so that all images have one size"
        )
    return resize_to(image, image_size)


def _image_size(dataset: Dataset, index: int, settings: FeaturesConfig) -> tuple[int, int]:
    if settings.image_size is not None:
        return settings.image_size
    height, width = dataset.image(index).shape[:2]
    return height, width


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _say_size(encoder: Encoder, size: tuple[int, int], images: int, settings: FeaturesConfig) -> None:
    cells = sum(channels * (size[0] // s) * (size[1] // s) for s, channels in encoder.spec.channels.items())
    gigabytes = cells * images * np.dtype(settings.dtype).itemsize / 1e9
    _LOG.info(
        "%s: %d images at %d x %d, %.2f GB on disk", encoder.spec.architecture, images, *size, gigabytes
    )
