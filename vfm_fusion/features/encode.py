"""Encoding images batch by batch: reading, computing and writing overlap, in bounded memory."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from vfm_fusion.config.features import FeaturesConfig
from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.datasets.base import Dataset, subset
from vfm_fusion.datasets.fitting import Fit, Size, fit_image, fit_size
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.sizes import fit_canvas, padded_to, resize_to
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import FeatureStoreError
from vfm_fusion.features.layout import StoreLayout, layout_of
from vfm_fusion.features.profiled import profiled_image
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
        setting: the size that they are profiled at.
        spec: the encoder that they are for.
    """

    dataset: Dataset
    indices: tuple[int, ...]
    ids: tuple[str, ...]
    setting: ImageSize | None
    spec: EncoderSpec

    @classmethod
    def of(cls, dataset: Dataset, spec: EncoderSpec, settings: FeaturesConfig) -> Images:
        """Picks the images that the settings ask for."""
        indices = sampled(len(dataset), settings)
        ids = tuple(dataset.ids[index] for index in indices)
        return cls(dataset, indices, ids, settings.image_size, spec)

    @cached_property
    def fits(self) -> tuple[Fit, ...]:
        """How each of them is brought to its size."""
        return tuple(fit_image(*self.dataset.size_of(index), self.setting) for index in self.indices)

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """How large each of them is for the encoder."""
        return tuple(input_of(fit, self.spec.size_divisor) for fit in self.fits)

    def layout(self, settings: FeaturesConfig) -> StoreLayout:
        """Lays out the store of their native maps."""
        return layout_of([entry.size for entry in self.inputs], self.spec, settings)

    def load(self, position: int) -> Tensor:
        """Decodes an image to ``(1, 3, H, W)`` float32 in [0, 1], as the encoder takes it.

        Raises:
            FeatureStoreError: its size is not that of its index.
        """
        index = self.indices[position]
        pixels, indexed = self.dataset.image(index), self.dataset.size_of(index)
        if pixels.shape[:2] != indexed:
            raise FeatureStoreError(
                f"image {self.ids[position]} is {pixels.shape[:2]} pixels (height, width), but was {indexed} "
                "when its data set was indexed; delete the index, and the workflow makes it again"
            )
        size, canvas = self.inputs[position]
        return padded_to(resize_to(profiled_image(pixels, self.setting), size), canvas, self.spec.mean)

    def batches(self, missing: list[int], layout: StoreLayout, batch_size: int) -> list[tuple[int, ...]]:
        """Returns the batches that hold a missing image.

        The positions of every shard are sorted by what the encoder is given and cut into batches of one size
        once and for all. So an image shares its batch with the same images whatever the number of parts and
        wherever a job was interrupted, and its features agree to the last bit.
        """
        wanted, batches = set(missing), []
        for shard in sorted({position // layout.shard_images for position in missing}):
            groups: dict[Size, list[int]] = {}
            for position in layout.images_of(shard):
                groups.setdefault(self.inputs[position].canvas, []).append(position)
            for group in groups.values():
                batches += [tuple(group[at : at + batch_size]) for at in range(0, len(group), batch_size)]
        return [batch for batch in batches if wanted.intersection(batch)]


class Input(NamedTuple):
    """(height, width) of an image for an encoder, and of what it is filled up to, fitted to its divisor."""

    size: Size
    canvas: Size


def input_of(fit: Fit, divisor: int) -> Input:
    """Fits what is profiled of an image to an encoder whose sides are multiples of ``divisor``."""
    canvas = fit_size(*fit.canvas, divisor)
    return Input(fit_canvas(fit.size, canvas, divisor), canvas)


def encode_batches(
    encoder: Encoder,
    images: Images,
    batches: list[tuple[int, ...]],
    settings: FeaturesConfig,
    layout: StoreLayout,
) -> Iterator[tuple[tuple[int, ...], dict[int, Tensor]]]:
    """Yields the native maps of every batch.

    Args:
        encoder: the encoder, in evaluation mode.
        images: the images.
        batches: positions of the images, batch by batch.
        settings: precision, threads.
        layout: the layout of the store.

    Yields:
        The batch and ``{stride: (B, C, h, w)}`` on the CPU, cells of padding among them; those of an
        accelerator in the stored type.
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


def sampled(count: int, settings: FeaturesConfig) -> tuple[int, ...]:
    """Returns the positions of the images that the settings pick of so many."""
    limit = settings.max_images
    if settings.sampling == "random" and limit is not None and limit < count:
        return tuple(sorted(random.Random(settings.seed).sample(range(count), limit)))
    return tuple(subset(count, limit))
