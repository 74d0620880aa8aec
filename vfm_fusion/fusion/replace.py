"""Replacement (paper, Sec. 3.3, Eq. 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from vfm_fusion.errors import ShapeError
from vfm_fusion.fusion.injection import Injection


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
