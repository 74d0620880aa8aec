"""What a run of an upsampler will need, known before it: the same code on tensors without data."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vfm_fusion.upsampling.upsampler import Upsampler


@dataclass(frozen=True)
class Needed:
    """Memory of a run.

    Attributes:
        result: bytes of the result.
        beyond: bytes at the peak beyond the result, the inputs and the parameters.
    """

    result: int
    beyond: int


def predict(
    upsampler: Upsampler,
    features: tuple[int, int, int, int],
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    dtype: torch.dtype = torch.float32,
) -> Needed:
    """Predicts the memory of :meth:`Upsampler.up` without gradients.

    The upsampler's own code runs on torch's ``meta`` device, where tensors have shapes but no data: nothing
    is computed, and of many bands only the first two run. What a library may hold while an operation runs is
    allowed for: a convolution may copy its input and its output into a layout of its own.

    Args:
        upsampler: what will run, with its ``band_rows``.
        features: ``(B, C, h, w)``.
        image_size: of the images, ``(H, W)``.
        output_size: of the result.
        dtype: of the features.
    """
    twin = copy.deepcopy(upsampler).to("meta").eval().requires_grad_(False)
    maps = torch.empty(features, dtype=dtype, device="meta")
    image = torch.empty((features[0], 3, *image_size), device="meta")
    with torch.no_grad(), _Alive(maps, image, *twin.state_dict().values()) as alive:
        result = twin.up(maps, image, output_size)
    size = result.numel() * result.element_size()
    return Needed(size, max(0, alive.peak - size))


class _Alive(TorchDispatchMode):
    """Follows the bytes of all tensors that operations make, from when they are made until they are freed."""

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, Any] = {}
        for tensor in given:
            self._follow(tensor, size=0)

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]
        for tensor in tensors:
            self._follow(tensor, tensor.untyped_storage().nbytes())
        workspace = 0
        if func.overloadpacket is torch.ops.aten.convolution:
            workspace = sum(t.numel() * t.element_size() for t in (args[0], *tensors))
        self.peak = max(self.peak, self.now + workspace)
        return made

    def _follow(self, tensor: Tensor, size: int) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return

        def freed(_: Any) -> None:
            self.now -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, freed)
        self.now += size
