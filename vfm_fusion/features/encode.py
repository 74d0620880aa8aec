"""Encoding images batch by batch: reading, computing and writing overlap, in bounded memory."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.sizes import fit_size, resize_to
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.layout import StoreLayout, layout_of
from vfm_fusion.workflow.progress import progress

T = TypeVar("T")
R = TypeVar("R")


def ahead(function: Callable[[T], R], items: Sequence[T], *, threads: int, depth: int) -> Iterator[R]:
    """Yields ``function(item)`` in order, computed by threads that are at most ``depth`` items ahead.

    An error of ``function`` is raised where its result would have been yielded. Close the generator to stop
    the threads early (``contextlib.closing``).
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        pending: deque[Future[R]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > depth:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class Background(Generic[T]):
    """Runs ``function`` on items in one thread, in order, at most ``depth`` items behind.

    After an error nothing more is run; the error surfaces at the next :meth:`put`, or at the end of the
    ``with`` block at the latest.
    """

    def __init__(self, function: Callable[[T], None], depth: int) -> None:
        self._function = function
        self._depth = depth
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._pending: deque[Future[None]] = deque()
        self._stopped = False

    def put(self, item: T) -> None:
        """Hands over an item; waits while ``depth`` items are waiting.

        Raises:
            BaseException: what ``function`` has raised on an earlier item.
        """
        self._pending.append(self._pool.submit(self._run, item))
        while self._pending and (len(self._pending) > self._depth or self._pending[0].done()):
            self._pending.popleft().result()

    def __enter__(self) -> Background[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._pending:
                self._pending.popleft().result()
        finally:
            self._stopped = True
            self._pool.shutdown(cancel_futures=True)

    def _run(self, item: T) -> None:
        if self._stopped:
            return
        try:
            self._function(item)
        except BaseException:
            self._stopped = True
            raise


@dataclass(frozen=True)
class Images:
    """The images of a store, by their position in it.

    Attributes:
        dataset: holds them.
        indices: their positions in the data set.
        ids: their ids.
        size: (height, width) that they are brought to.
        input_size: (height, width) that they are then resized to for the encoder.
        resized: whether ``size`` was asked for; otherwise all images have it.
    """

    dataset: Dataset
    indices: tuple[int, ...]
    ids: tuple[str, ...]
    size: tuple[int, int]
    input_size: tuple[int, int]
    resized: bool

    @classmethod
    def of(cls, dataset: Dataset, encoder: Encoder, settings: FeaturesConfig) -> Images:
        """Picks the images that the settings ask for."""
        indices = _sampled(len(dataset), settings)
        size = settings.image_size or tuple(dataset.image(indices[0]).shape[:2])
        return cls(
            dataset=dataset,
            indices=indices,
            ids=tuple(dataset.ids[index] for index in indices),
            size=size,
            input_size=fit_size(*size, encoder.spec.size_divisor),
            resized=settings.image_size is not None,
        )

    def layout(self, encoder: Encoder, settings: FeaturesConfig) -> StoreLayout:
        """Lays out the store of their native maps."""
        return layout_of(len(self.ids), self.input_size, encoder.spec, settings)

    def load(self, position: int) -> Tensor:
        """Decodes an image to ``(1, 3, H, W)`` float32 in [0, 1], as the encoder takes it.

        Raises:
            FeatureStoreError: its size is not that of the others.
        """
        image = image_tensor(self.dataset.image(self.indices[position]))
        if not self.resized and tuple(image.shape[-2:]) != self.size:
            raise FeatureStoreError(
                f"image {self.ids[position]} is {tuple(image.shape[-2:])} pixels, the first one {self.size}; "
                "set features.image_size so that all images have one size"
            )
        return resize_to(resize_to(image, self.size), self.input_size)


def image_tensor(image: np.ndarray) -> Tensor:
    """Turns an image ``(H, W, 3)`` uint8 into ``(1, 3, H, W)`` float32 in [0, 1]."""
    return torch.tensor(image).permute(2, 0, 1)[None].float().div_(255)


def batches_with(missing: list[int], layout: StoreLayout, batch_size: int) -> list[range]:
    """Returns the batches that hold a missing image.

    The positions of a store are cut into batches once and for all, within every shard. So an image shares its
    batch with the same images whatever the number of parts and wherever a job was interrupted, and its
    features agree to the last bit.
    """
    batches = []
    for position in missing:
        shard = layout.images_of(position // layout.shard_images)
        start = position - (position - shard.start) % batch_size
        batch = range(start, min(start + batch_size, shard.stop))
        if not batches or batches[-1] != batch:
            batches.append(batch)
    return batches


def encode_batches(
    encoder: Encoder,
    images: Images,
    batches: list[range],
    settings: FeaturesConfig,
    layout: StoreLayout,
) -> Iterator[tuple[range, dict[int, Tensor]]]:
    """Yields the native maps of every batch.

    Args:
        encoder: the encoder, in evaluation mode.
        images: the images.
        batches: positions of the images, batch by batch.
        settings: precision, threads.
        layout: the layout of the store.

    Yields:
        The batch and ``{stride: (B, C, h, w)}`` on the CPU; those of an accelerator in the stored type.
    """
    positions = [position for batch in batches for position in batch]
    depth = 2 * max((len(batch) for batch in batches), default=1)
    with closing(ahead(images.load, positions, threads=settings.threads, depth=depth)) as loaded:
        for batch in progress(batches, f"features: {encoder.spec.architecture}", len(batches)):
            stacked = torch.cat(list(islice(loaded, len(batch))))  # (B, 3, H, W)
            yield batch, encode(encoder, stacked, settings, layout)


def encode(
    encoder: Encoder, images: Tensor, settings: FeaturesConfig, layout: StoreLayout
) -> dict[int, Tensor]:
    """Encodes images ``(B, 3, H, W)``; see :func:`encode_batches`."""
    device = next(encoder.buffers()).device
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
    with torch.inference_mode(), mixed:
        native = encoder(images.to(device))
    if device.type == "cpu":
        return native
    return {stride: feature.to(layout.element.computed).cpu() for stride, feature in native.items()}


def _sampled(count: int, settings: FeaturesConfig) -> tuple[int, ...]:
    limit = settings.max_images
    if settings.sampling == "random" and limit is not None and limit < count:
        return tuple(sorted(random.Random(settings.seed).sample(range(count), limit)))
    return tuple(subset(count, limit))
