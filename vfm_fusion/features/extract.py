"""Feature extraction: an encoder's native maps of a set of images into a verified store."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.base import Dataset
from vfm_fusion.datasets.fitting import Size
from vfm_fusion.datasets.registry import open_indexed
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.encode import Background, Images, encode_batches
from vfm_fusion.features.layout import StoreLayout
from vfm_fusion.features.locks import store_lock
from vfm_fusion.features.manifest import Manifest, store_path
from vfm_fusion.features.partial import PartialStore, identity_of, prepare_store
from vfm_fusion.features.space import describe_size, disk_errors, require_space
from vfm_fusion.workflow.progress import note
from vfm_fusion.workflow.provenance import token

_LOG = logging.getLogger(__name__)
_ROUNDS = 2
"""What is read back otherwise than it was written is written again once; twice is the disk's fault."""
_BATCHES_BEHIND = 2


def default_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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


@dataclass(frozen=True)
class Extraction:
    """What is extracted and where to.

    The store is built under ``state_dir``, read back shard by shard, renamed to its place beside the
    manifest, and only then is the manifest written. A store that is already in its place is taken over, so
    that a damaged one is repaired map by map. Several jobs may each write a part of one store.

    Attributes:
        dataset: the images.
        encoder: the encoder, in evaluation mode; it is moved to ``device``.
        source: what the manifest says of it.
        settings: subset, image size, element type, batch size, shards.
        token: hash of everything that the features depend on beside ``source.weights``.
        manifest_path: ``<store>.manifest.json``.
        state_dir: folder for the store under construction.
        device: where the encoder computes.
    """

    dataset: Dataset
    encoder: Encoder
    source: Source
    settings: FeaturesConfig
    token: str
    manifest_path: Path
    state_dir: Path
    device: torch.device = field(default_factory=default_device)

    @cached_property
    def images(self) -> Images:
        """The images of the store."""
        return Images.of(self.dataset, self.encoder.spec, self.settings)

    @cached_property
    def layout(self) -> StoreLayout:
        """The layout of the store."""
        return self.images.layout(self.settings)

    def run(self) -> Manifest:
        """Extracts what is missing, checks and publishes the store, and returns its manifest.

        Raises:
            FeatureStoreError: another job writes the store; the disk is full, fails, or does not give back
                what was written; an image that has another size than its index says; features that overflow
                the type.
        """
        with self._store(range(self.layout.shards)) as store:
            self.manifest_path.unlink(missing_ok=True)
            self._complete(store)
            manifest = self._manifest(store.publish(store_path(self.manifest_path)).content)
            manifest.write(self.manifest_path)
        return manifest

    def run_part(self, part: int, parts: int) -> None:
        """Extracts the shards of one part, for :meth:`run` to publish them.

        Args:
            part: number of the part, 1 .. ``parts``.
            parts: number of parts.

        Raises:
            FeatureStoreError: as :meth:`run` does.
        """
        count = self.layout.shards
        shards = range((part - 1) * count // parts, part * count // parts)
        with self._store(shards, f"{part}of{parts}") as store:
            self._complete(store)
            store.checked()

    @contextmanager
    def _store(self, shards: range, part: str | None = None) -> Iterator[PartialStore]:
        """Yields the store under construction, of which this job alone writes ``shards``."""
        final = store_path(self.manifest_path)
        with store_lock(self.state_dir) as lock, disk_errors(self._building, self.layout):
            prepare_store(self._building, final, self.layout, self._identity, shards, lock)
            store = PartialStore(self._building, self.layout, self.images.ids, shards, part)
            with closing(store):
                yield store

    @property
    def _building(self) -> Path:
        return self.state_dir / "store.zarr"

    @property
    def _identity(self) -> str:
        return identity_of(f"{self.token}-{self.source.weights}", self.images.ids, self.layout)

    def _complete(self, store: PartialStore) -> None:
        """Extracts what is missing until all of it is written and read back."""
        self._announce()
        require_space(store.path, self.layout)
        for _ in range(_ROUNDS):
            self._extract(store)
            store.verify()
            if not store.missing:
                return
        raise FeatureStoreError(
            f"{store.path}: {len(store.missing)} images read back otherwise than they were written; "
            "check the disk, then run the same command again"
        )

    def _extract(self, store: PartialStore) -> None:
        missing = set(store.missing)
        batches = self.images.batches(sorted(missing), self.layout, self.settings.batch_size)

        def write(item: tuple[tuple[int, ...], dict[int, Tensor]]) -> None:
            batch, maps = item
            for row, position in enumerate(batch):
                if position in missing:
                    height, width = self.images.inputs[position].size
                    inside = {s: feature[row, :, : height // s, : width // s] for s, feature in maps.items()}
                    store.write(position, {s: self.layout.element.encode(m) for s, m in inside.items()})

        if batches:
            with Background(write, _BATCHES_BEHIND) as writer:
                encoder = self.encoder.to(self.device)
                for item in encode_batches(encoder, self.images, batches, self.settings, self.layout):
                    writer.put(item)

    def _announce(self) -> None:
        sizes = [entry.canvas for entry in self.images.inputs]
        height, width = (_span(sides) for sides in zip(*sizes, strict=True))
        text = f"{self.source.encoder} on {self.source.dataset}, {height} x {width}: "
        text += describe_size(self.layout)
        _LOG.info(text)
        note(text)

    def _manifest(self, content: str) -> Manifest:
        return Manifest(
            **asdict(self.source),
            token=self.token,
            precision=self.settings.precision,
            dtype=self.settings.dtype,
            fit=self.images.setting,
            image_size=_common(fit.size for fit in self.images.fits),
            input_size=_common(self.encoder.seen_size(*entry.canvas) for entry in self.images.inputs),
            images=len(self.images.ids),
            shard_images=self.settings.shard_images,
            shapes=self.layout.shapes,
            content=content,
        )


def extraction(
    *,
    dataset: Dataset,
    dataset_name: str,
    encoder_name: str,
    encoder_config: EncoderConfig,
    settings: FeaturesConfig,
    token: str,
    manifest_path: Path,
    state_dir: Path,
) -> Extraction:
    """Prepares the extraction of a configured encoder's native maps.

    Args:
        dataset: the images.
        dataset_name: name of the data set.
        encoder_name: name of the encoder.
        encoder_config: its architecture and weights.
        settings: see :class:`Extraction`.
        token: see :class:`Extraction`.
        manifest_path: see :class:`Extraction`.
        state_dir: see :class:`Extraction`.

    Raises:
        WeightsError: see :func:`vfm_fusion.encoders.build.build_encoder`.
    """
    return Extraction(
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


def _span(sides: Sequence[int]) -> str:
    return str(min(sides)) if len(set(sides)) == 1 else f"{min(sides)}-{max(sides)}"


def _common(sizes: Iterable[Size]) -> Size | None:
    found = set(sizes)
    return found.pop() if len(found) == 1 else None


def configured_extraction(
    *,
    config: str,
    code: str,
    index: Path,
    generated: Path,
    dataset: str,
    encoder: str,
    manifest: Path,
    state: Path,
    threads: int,
    seen: Callable[[Dataset], Dataset] | None = None,
) -> Extraction:
    """Prepares the extraction of a configured encoder.

    Args:
        config: JSON of the settings of the data set, the encoder and the features.
        code: fingerprint of the code.
        index: index of the split.
        generated: folder of the data set if it is a generated one.
        dataset: name of the data set.
        encoder: name of the encoder.
        manifest: ``<store>.manifest.json``.
        state: folder for the store under construction.
        threads: threads of the job.
        seen: what is encoded of the data set; its images as they are when left out.

    Raises:
        DatasetLayoutError: see :func:`vfm_fusion.datasets.registry.open_indexed`.
        WeightsError: see :func:`vfm_fusion.encoders.build.build_encoder`.
    """
    settings = json.loads(config)
    images = open_indexed(settings["dataset"], index, generated)
    return extraction(
        dataset=images if seen is None else seen(images),
        dataset_name=dataset,
        encoder_name=encoder,
        encoder_config=EncoderConfig.model_validate_json(json.dumps(settings["encoder"])),
        settings=features_settings(settings["features"], threads),
        token=token(config, code, index),
        manifest_path=manifest,
        state_dir=state,
    )


def features_settings(settings: dict, threads: int) -> FeaturesConfig:
    """Validates the settings of the features of a job with so many threads."""
    return FeaturesConfig.model_validate_json(json.dumps({**settings, "threads": threads}))
