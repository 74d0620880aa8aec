"""Concatenation and projection back to the master's channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vfm_fusion.fusion.injection import Injection


class Concat(Injection):
    """``F^(s) = W_s [F_master^(s) ; aligned F_aux^(s)] + b_s`` at the injection strides.

    Both halves have the master's C channels, so ``W_s``, a 1x1 kernel, is ``(C, 2 C)``. With ``align:
    project`` this is every linear map of the two encoders' channels; with ``sample`` it sees those auxiliary
    channels that are kept.
    """

    def __init__(
        self, master: Mapping[int, int], auxiliary: Mapping[int, int], strides: Sequence[int], align: str
    ) -> None:
        """See :class:`Injection`."""
        super().__init__(master, auxiliary, strides, align)
        self.merge = nn.ModuleDict(
            {str(s): nn.Conv2d(2 * master[s], master[s], kernel_size=1) for s in self.strides}
        )

    def combine(self, stride: int, master: Tensor | None, injected: Tensor) -> Tensor:
        """See :meth:`Injection.combine`."""
        return self.merge[str(stride)](torch.cat([master, injected], dim=1))  # (B, 2 C, h, w) -> (B, C, h, w)
