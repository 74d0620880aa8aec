"""Element types of stored features, and what they are on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_BLOCK = 1 << 16
"""Elements that are looked at in one go; they stay in the cache."""


@dataclass(frozen=True)
class Element:
    """One element type.

    Attributes:
        name: as in the configuration and the manifest.
        computed: the type in torch.
        stored: the type on disk. NumPy and Zarr have no bfloat16; its bit patterns are stored as uint16.
        bits: unsigned type of the same width.
        exponent: the exponent's bits; all are set in NaN and in infinity, and in nothing else.
        fill: NaN as ``stored``.
    """

    name: str
    computed: torch.dtype
    stored: np.dtype
    bits: np.dtype
    exponent: int
    fill: Any

    def encode(self, features: Tensor) -> np.ndarray:
        """Casts features of any float type, on any device, to what is stored; an overflow becomes inf."""
        cast = features.detach().to(self.computed).cpu().contiguous()
        return cast.view(torch.uint16).numpy() if self.computed is torch.bfloat16 else cast.numpy()

    def decode(self, stored: np.ndarray) -> np.ndarray:
        """Turns what is stored, a writable array, into float32 of the same shape, exactly."""
        tensor = torch.from_numpy(stored)
        if self.computed is torch.bfloat16:
            tensor = tensor.view(torch.bfloat16)
        return tensor.float().numpy()

    def non_finite(self, stored: np.ndarray) -> int:
        """Counts NaN and infinity in what is stored, by its bits; many times faster than ``isfinite``."""
        bits, count = stored.reshape(-1).view(self.bits), 0
        exponents = np.empty(min(_BLOCK, bits.size), dtype=self.bits)
        for start in range(0, bits.size, _BLOCK):
            block = bits[start : start + _BLOCK]
            found = np.bitwise_and(block, self.bits.type(self.exponent), out=exponents[: block.size])
            count += int(np.count_nonzero(found == self.exponent))
        return count


def _element(name: str, stored: str, bits: str, exponent: int, fill: Any) -> Element:
    return Element(name, getattr(torch, name), np.dtype(stored), np.dtype(bits), exponent, fill)


ELEMENTS = {
    element.name: element
    for element in (
        _element("float16", "<f2", "<u2", 0x7C00, float("nan")),
        _element("bfloat16", "<u2", "<u2", 0x7F80, 0x7FC0),
        _element("float32", "<f4", "<u4", 0x7F800000, float("nan")),
    )
}
"""Every element type by name."""
