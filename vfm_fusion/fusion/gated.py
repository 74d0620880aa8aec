"""A gated residual that starts closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vfm_fusion.fusion.injection import Injection


class Gated(Injection):
    """``F^(s) = F_master^(s) + tanh(g_s) * aligned F_aux^(s)`` at the injection strides.

    ``g_s`` is one learned number per channel, 0 at first: training starts from the master alone.
    """

    def __init__(
        self, master: Mapping[int, int], auxiliary: Mapping[int, int], strides: Sequence[int], align: str
    ) -> None:
        """See :class:`Injection`."""
        super().__init__(master, auxiliary, strides, align)
        self.gate = nn.ParameterDict({str(s): torch.zeros(master[s]) for s in self.strides})

    def combine(self, stride: int, master: Tensor | None, injected: Tensor) -> Tensor:
        """See :meth:`Injection.combine`."""
        gate = self.gate[str(stride)].tanh()[:, None, None]  # (C, 1, 1)
        return master + gate * injected
