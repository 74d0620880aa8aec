"""Makes torchvision importable beside a torch build that lacks its compiled operators."""

from __future__ import annotations

import sys
from functools import cache

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_libraries: list[torch.library.Library] = []


@cache
def ensure_torchvision() -> None:
    """Imports torchvision, declaring ``nms`` where a CUDA build of it meets a CPU build of torch.

    The package index offers only a CUDA build of torchvision; beside a CPU torch its import dies with
    "operator torchvision::nms does not exist". Declaring the two operator schemas lets transforms, models and
    box operations work; ``nms`` itself still fails loudly when called. Where torchvision imports normally
    this does nothing.

    Raises:
        RuntimeError: torchvision fails for another reason.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define(f"nms{_SCHEMA}")
        library.define(f"qnms{_SCHEMA}")
        _libraries.append(library)  # an operator lives as long as its library object
        import torchvision  # noqa: F401
