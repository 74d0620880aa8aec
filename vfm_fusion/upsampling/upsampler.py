"""The interface of all upsamplers."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vfm_fusion.errors import ShapeError
from vfm_fusion.upsampling.bands import Bands
from vfm_fusion.upsampling.resampling import resize, resize_banded


@dataclass(frozen=True)
class Released:
    """The weights that an upsampler's authors published.

    Attributes:
        page: where they are.
        terms: their licence.
        entry: the entry of their files that holds the state dict; None for the file itself or ``state_dict``.
        names: (pattern, replacement) pairs of regular expressions, each applied in turn: from their names to
            ours.
        skipped: patterns of names in their files that are no part of the upsampler.
    """

    page: str
    terms: str
    entry: str | None = None
    names: tuple[tuple[str, str], ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What is known of an upsampler before it runs.

    Attributes:
        title: its name in tables.
        source: who published it, where.
        native: the size of the map that it computes, in words; it is resized to the size that is asked for,
            bilinearly with corners aligned.
        guided: whether it reads the image.
        learned: whether it has parameters.
        per_encoder: whether its weights serve one encoder only.
        smallest: least rows and columns of a map that it can read.
        released: its authors' weights; None where there are none.
    """

    title: str
    source: str
    native: str = field(kw_only=True)
    guided: bool = field(default=True, kw_only=True)
    learned: bool = field(default=True, kw_only=True)
    per_encoder: bool = field(default=False, kw_only=True)
    smallest: int = field(default=1, kw_only=True)
    released: Released | None = field(default=None, kw_only=True)


class Upsampler(nn.Module, ABC):
    """Brings an encoder's maps to a higher resolution, guided by the image or not.

    Attributes:
        facts: what is known before it runs.
        channels: channels C of the maps.
    """

    facts: ClassVar[Facts]

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def up(self, features: Tensor, image: Tensor, output_size: tuple[int, int]) -> Tensor:
        """Upsamples maps.

        Args:
            features: ``(B, C, h, w)``, float32, bfloat16 or float16.
            image: ``(B, 3, H, W)``, the encoder's images, RGB, normalised by ImageNet's mean and deviation,
                on the features' device; best in float32 whatever the features are.
            output_size: ``(H', W')``, at least ``(h, w)``.

        Returns:
            ``(B, C, *size)`` in the features' dtype, where ``size`` is ``self.size((h, w), output_size)``:
            ``output_size`` for all but ``none``. What :meth:`notes` has to say is given as a warning.

        Raises:
            ShapeError: shapes that do not belong together, a map that is too small, or one of other channels.
        """
        self._check(features, image, output_size)
        grid, output_size = tuple(features.shape[-2:]), tuple(output_size)
        for note in self.notes(grid, output_size):
            warnings.warn(note, stacklevel=2)
        return self.upsample(features, image, self.size(grid, output_size))

    forward = up

    def size(self, grid: tuple[int, int], output_size: tuple[int, int]) -> tuple[int, int]:
        """Returns the size of the maps that :meth:`up` gives: ``output_size``, except for ``none``."""
        return output_size

    def notes(self, grid: tuple[int, int], output_size: tuple[int, int]) -> list[str]:
        """Returns what is done otherwise than published for maps of this size, each a sentence."""
        return []

    def skipped(self) -> tuple[str, ...]:
        """Returns patterns of names in its authors' files that are no part of this upsampler."""
        return self.facts.released.skipped if self.facts.released else ()

    @abstractmethod
    def upsample(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Does what :meth:`up` says, with what it has checked, for the size that it gives."""

    def _check(self, features: Tensor, image: Tensor, output_size: tuple[int, int]) -> None:
        if features.ndim != 4 or features.shape[1] != self.channels or not features.is_floating_point():
            raise ShapeError(
                f"features: expected floats (B, {self.channels}, h, w), "
                f"found {features.dtype} {tuple(features.shape)}; build the upsampler for these channels"
            )
        if image.ndim != 4 or image.shape[:2] != (len(features), 3) or not image.is_floating_point():
            raise ShapeError(
                f"image: expected normalised floats ({len(features)}, 3, H, W), "
                f"found {image.dtype} {tuple(image.shape)}"
            )
        grid = tuple(features.shape[-2:])
        if min(grid) < self.facts.smallest:
            raise ShapeError(
                f"{self.facts.title} needs a map of {self.facts.smallest} x {self.facts.smallest} or more, "
                f"found {grid[0]} x {grid[1]}; give a larger image or take another upsampler"
            )
        if len(output_size) != 2 or any(out < low for out, low in zip(output_size, grid, strict=True)):
            raise ShapeError(f"output_size: expected two numbers of at least {grid}, found {output_size}")


class BandedUpsampler(Upsampler):
    """An upsampler that computes one image after another, in bands of rows.

    So memory beyond the result does not grow with the batch, and other images of it change nothing. Where a
    gradient is wanted or the module is in training mode, the whole batch is computed at once.

    Computing is done in the parameters' precision (without parameters, the features'); positions, colours,
    statistics and sums over windows are float32 always.

    Attributes:
        band_rows: rows that are computed at once; None for as many as ``bands.BAND_VALUES`` allow.
    """

    band_rows: int | None = None

    def upsample(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        """See :meth:`Upsampler.upsample`."""
        native = self.native_size(tuple(features.shape[-2:]), size)
        guidance = self.guidance(image.float(), native)
        maps = features.to(next(self.parameters(), features).dtype)
        if self._whole(features, image):
            made = self.compute(maps, guidance, native, Bands(whole=True), None)
            return resize(made, size).to(features.dtype)
        bands, result = Bands(self.band_rows), features.new_empty((*features.shape[:2], *size))
        for index in range(len(features)):
            one = slice(index, index + 1)
            into = result[one]
            if native == size:
                self.compute(maps[one], guidance[one], native, bands, into)
            else:
                made = self.compute(maps[one], guidance[one], native, bands, None)
                resize_banded(made, into, bands)
        return result

    def native_size(self, grid: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """Returns the size of the maps that are computed, before they are resized to ``size``."""
        return size

    def guidance(self, image: Tensor, native: tuple[int, int]) -> Tensor:
        """Returns what is made of all images of a batch together, ``(B, 3, H, W)``; here, nothing."""
        return image

    def compute(
        self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands, into: Tensor | None
    ) -> Tensor:
        """Computes maps of the native size.

        Args:
            features: ``(B, C, h, w)`` in the parameters' precision.
            image: ``(B, 3, H, W)``, float32.
            native: the size of the result.
            bands: how many rows at once.
            into: ``(B, C, *native)`` to write the result to.

        Returns:
            ``(B, C, *native)``.
        """
        state = self.prepare(features, image, native, bands)
        row_values = len(features) * native[1] * self.pixel_values(tuple(features.shape[-2:]))
        return bands(lambda start, stop: self.rows(state, start, stop), native[0], row_values, into)

    @abstractmethod
    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> Any:
        """Returns what all rows of the result need; see :meth:`compute`."""

    @abstractmethod
    def rows(self, state: Any, start: int, stop: int) -> Tensor:
        """Returns the rows from ``start`` to ``stop - 1`` of the result, ``(B, C, stop - start, W)``."""

    @abstractmethod
    def pixel_values(self, grid: tuple[int, int]) -> int:
        """Returns how many values are alive for a pixel of the result while its row is computed, about."""

    def _whole(self, features: Tensor, image: Tensor) -> bool:
        learning = any(p.requires_grad for p in (features, image, *self.parameters()))
        return self.training or (learning and torch.is_grad_enabled())
