"""Encoders that show their tokens: a plain ViT in four cuts, between which anything can be done to them.

``patchify | embed | blocks(i, j) | finish``, over a :class:`TokenState`. What should look like part of the
image (clicks, mask tokens) is put in after the first cut, what adapts an encoder between two blocks. Two
encoders can be stepped side by side::

    first, second = (encoder.start(images) for encoder in (one, other))
    for block in range(one.depth):
        first, second = one.blocks(first, block, block + 1), other.blocks(second, block, block + 1)
        first, second = first.with_tokens(...), second.with_tokens(...)
    maps = one.maps(one.finish(first))
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor, nn

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.errors import ShapeError


@dataclass(frozen=True)
class TokenState:
    """The tokens of a batch somewhere on their way through a ViT.

    Attributes:
        tokens: ``(B, P + h w, C)``: the prefix, then the patches row by row. SAM's, which timm keeps as maps,
            are flattened likewise.
        grid: ``(h, w)``, patches down and across.
        prefix: P, how many tokens stand before the patches (the class token first, then registers); 0 before
            :meth:`TokenEncoder.embed`.
        rotary: rotary positions of the patches ``(h w, 2 d)``, sines before cosines, which every block
            applies to its queries and keys; None where the model has none.
        embedded: whether it has been through :meth:`TokenEncoder.embed`.
    """

    tokens: Tensor
    grid: tuple[int, int]
    prefix: int = 0
    rotary: Tensor | None = None
    embedded: bool = False

    def __post_init__(self) -> None:
        """Checks that there is a token for every patch.

        Raises:
            ShapeError: there is not.
        """
        expected = self.prefix + self.grid[0] * self.grid[1]
        if self.tokens.ndim != 3 or self.tokens.shape[1] != expected:
            raise ShapeError(
                f"expected tokens (B, {expected}, C) of {self.prefix} before a grid of {self.grid}, "
                f"found {tuple(self.tokens.shape)}"
            )

    @property
    def patches(self) -> Tensor:
        """The patches' tokens ``(B, h w, C)``, without the prefix."""
        return self.tokens[:, self.prefix :]

    def with_tokens(self, tokens: Tensor) -> TokenState:
        """Returns the state with other tokens ``(B, P + h w, C)`` in place of its own."""
        return replace(self, tokens=tokens)


class Heads(NamedTuple):
    """What a block's attention works on, each ``(B, heads, P + h w, d)``, tokens in the state's order."""

    queries: Tensor
    keys: Tensor
    values: Tensor


class TokenEncoder(Encoder):
    """A plain ViT. A family provides the cuts and the taps; maps are made of them here, once for all."""

    @property
    @abstractmethod
    def layers(self) -> Sequence[nn.Module]:
        """The transformer's blocks, in order."""

    @property
    @abstractmethod
    def prefix(self) -> int:
        """How many tokens stand before the patches: a class token, registers."""

    @property
    def depth(self) -> int:
        """How many blocks there are."""
        return len(self.layers)

    @property
    def width(self) -> int:
        """Channels of a token between the blocks; those of the map (``spec.channels``) may be others."""
        return self.spec.channels[self.spec.strides[0]]

    @abstractmethod
    def patchify(self, normalised: Tensor) -> TokenState:
        """First cut: embeds the patches of normalised images ``(B, 3, h, w)``, nothing else.

        Args:
            normalised: what :meth:`Encoder.normalise` gives; sides multiples of the patch's.
        """

    @abstractmethod
    def position(self, patches: TokenState) -> TokenState:
        """Adds positions, resampled to the grid, the prefix, and the norm before the blocks."""

    @abstractmethod
    def step(self, state: TokenState, block: int) -> Tensor:
        """Returns the tokens behind one block."""

    @abstractmethod
    def finish(self, state: TokenState) -> TokenState:
        """Last cut: the final norm, and MaskCLIP's projection. SAM's norm is part of its neck: no change."""

    @abstractmethod
    def heads(self, state: TokenState, block: int, *, rotated: bool) -> Heads:
        """Tap: the queries, keys and values that ``block`` makes of the tokens before it.

        Keys of the last block: ``encoder.heads(encoder.blocks(state, 0, -1), -1, rotated=False).keys``. The
        block itself need not run.

        Args:
            state: the tokens that enter the block.
            block: its index; negative ones count from the end.
            rotated: whether queries and keys of the patches are turned by the rotary positions, as the
                block's attention has them. Without rotary positions it makes no difference. SAM's relative
                positions are a bias of its attention, and in no head.
        """

    @abstractmethod
    def value_path(self, state: TokenState, block: int) -> TokenState:
        """Tap: ``block``'s values through its attention's output projection: no mixing, residual or MLP.

        It is what MaskCLIP reads of the last block (Zhou et al., ECCV 2022, Sec. 3.2).

        Args:
            state: the tokens that enter the block.
            block: its index; negative ones count from the end.
        """

    def start(self, images: Tensor) -> TokenState:
        """Returns the tokens before the first block, of images as :meth:`Encoder.forward` takes them."""
        return self.embed(self.patchify(self.normalise(images)))

    def embed(self, patches: TokenState) -> TokenState:
        """Second cut: :meth:`position`, which the tokens go through once.

        Raises:
            ShapeError: they have been through it.
        """
        if patches.embedded:
            raise ShapeError(
                f"{self.spec.architecture}: expected patches without positions, found tokens that have been "
                "through embed; give it what patchify returns"
            )
        return replace(self.position(patches), embedded=True)

    def blocks(self, state: TokenState, start: int = 0, stop: int | None = None) -> TokenState:
        """Third cut: runs the blocks from ``start`` up to, without it, ``stop``, as a slice counts them.

        Raises:
            ShapeError: the state has not been through :meth:`embed`, or the encoder has fewer blocks.
        """
        if not state.embedded:
            raise ShapeError(
                f"{self.spec.architecture}: its blocks take tokens with positions, found patches without; "
                "call embed first"
            )
        if not all(-self.depth <= end <= self.depth for end in (start, stop or 0)):
            raise ShapeError(f"{self.spec.architecture} has {self.depth} blocks; found {start} to {stop}")
        for block in range(self.depth)[start:stop]:
            state = state.with_tokens(self.step(state, block))
        return state

    def encode(self, patches: TokenState) -> TokenState:
        """All cuts after the first: the finished tokens of embedded patches."""
        return self.finish(self.blocks(self.embed(patches)))

    def maps(self, state: TokenState) -> Tensor:
        """Returns the patches' tokens as maps ``(B, C, h, w)``, on the grid that the model sees."""
        return state.patches.unflatten(1, state.grid).permute(0, 3, 1, 2).contiguous()

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`: all cuts, one after the other."""
        return {self.spec.strides[0]: self.maps(self.encode(self.patchify(normalised)))}

    def intermediates(self, images: Tensor, blocks: Collection[int], *, norm: bool) -> dict[int, Tensor]:
        """Encodes images to the depths of several blocks; none behind the last of them is run.

        Args:
            images: as :meth:`Encoder.forward` takes them.
            blocks: the blocks behind which the tokens are wanted; negative ones count from the end.
            norm: whether they go through :meth:`finish`, as the last block's do in :meth:`Encoder.forward`.

        Returns:
            Maps ``{block: (B, C, H/stride, W/stride)}`` on the images' grid, blocks from first to last.

        Raises:
            ShapeError: wrong images, or a block that the encoder lacks.
        """
        if not all(-self.depth <= block < self.depth for block in blocks):
            raise ShapeError(f"{self.spec.architecture} has {self.depth} blocks; found {sorted(blocks)}")
        state, done, found = self.start(images), 0, {}
        for block in sorted(set(blocks), key=lambda index: index % self.depth):
            stop = block % self.depth + 1
            state, done = self.blocks(state, done, stop), stop
            maps = self.maps(self.finish(state) if norm else state)
            found[block] = self._on_grid(maps, self.spec.strides[0], images.shape[-2:])
        return found
