"""The operators: what happens at an injection stride (Eq. 9). They are listed in ``config.registries``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vfm_fusion.config.registries import OPERATORS
from vfm_fusion.config.runs import FusionConfig
from vfm_fusion.errors import ShapeError
from vfm_fusion.fusion.injection import FusionOperator, Injection
from vfm_fusion.loading import load


class Replace(Injection):
    """``F^(s) = aligned F_aux^(s)`` at the injection strides, else ``F_master^(s)``."""

    def __init__(
        self, master: Mapping[int, int], auxiliary: Mapping[int, int], strides: Sequence[int], align: str
    ) -> None:
        """See :class:`Injection`.

        Raises:
            ShapeError: also where every map of the master would be replaced.
        """
        super().__init__(master, auxiliary, strides, align)
        if set(self.strides) == set(master):
            raise ShapeError(
                f"injection strides {list(self.strides)}: replacing all leaves nothing of the master; "
                "train the auxiliary as the master, or fuse with concat or gated"
            )
        self.replaced = frozenset(self.strides)

    def combine(self, stride: int, master: Tensor | None, injected: Tensor) -> Tensor:
        """See :meth:`Injection.combine`."""
        return injected


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


def build_fusion(
    config: FusionConfig, strides: Sequence[int], master: Mapping[int, int], auxiliary: Mapping[int, int]
) -> FusionOperator:
    """Builds the configured operator.

    Args:
        config: which operator, which channel alignment.
        strides: injection strides, already resolved.
        master: output stride -> channels of the master's pyramid.
        auxiliary: output stride -> channels of the auxiliary's pyramid.

    Raises:
        ShapeError: the operator cannot inject at these strides.
    """
    return load(OPERATORS[config.operator])(master, auxiliary, strides, config.align)
