"""A model of the caller's own as an encoder: its strides and channels are found by a pass."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.pyramid import nearest_stride
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ShapeError

_PROBE = (6, 8)
"""Sides of the image of the pass, in the divisor of image sides."""


@dataclass(frozen=True, eq=False)
class OwnEncoder:
    """A model of one's own, with what cannot be seen from outside.

    >>> from torch import nn
    >>> OwnEncoder(nn.Conv2d(3, 8, 4, stride=4), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)).size_divisor
    32

    Attributes:
        model: takes images ``(B, 3, H, W)`` float32 RGB and returns maps ``(B, C, h, w)`` of one or several
            strides: a tensor, or a list, tuple or mapping of tensors.
        mean: mean of RGB in [0, 1] that is subtracted before. None: what a timm model says of itself; others
            get RGB in [0, 1] as it is.
        std: standard deviation that it is divided by; None: likewise.
        size_divisor: sides of images are brought to the nearest multiples of this.
        patch_size: side of a ViT's patches, in place of ``size_divisor``. With patches of 14 pixels the model
            sees images at 14/16 of their size, so that its tokens lie on the grid of OS 16.
        resolution: side of the only square that the model takes; None for one that takes any size.
        pretraining: what the weights were trained on, as tables print it.
    """

    model: Callable[[Tensor], Any]
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    size_divisor: int = 32
    patch_size: int | None = None
    resolution: int | None = None
    pretraining: str = "own weights"


class OwnMaps(Encoder):
    """The maps of an :class:`OwnEncoder`.

    Args:
        spec: what the pass has found.
        own: the model.
    """

    def __init__(self, spec: EncoderSpec, own: OwnEncoder) -> None:
        super().__init__(spec)
        self.resolution = own.resolution
        self.model = own.model

    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """See :meth:`Encoder.features`."""
        height, width = normalised.shape[-2:]
        grids = {(height // self.spec.cell(s), width // self.spec.cell(s)): s for s in self.spec.strides}
        maps = {
            grids[tuple(found.shape[-2:])]: found
            for found in maps_of(
                _passed(self.model, normalised, self.spec.architecture), self.spec.architecture
            )
            if tuple(found.shape[-2:]) in grids
        }
        missing = [stride for stride in strides if stride not in maps]
        if missing:
            raise ShapeError(
                f"{self.spec.architecture}: on images of {height} x {width} pixels it gives no maps at "
                f"strides {missing}, as it did on others; return maps of (H / stride, W / stride) cells"
            )
        return maps


def maps_of(output: Any, name: str) -> list[Tensor]:
    """Returns what a model gives as maps ``(B, C, h, w)``.

    Raises:
        ShapeError: it is something else; says what to return instead.
    """
    if isinstance(output, Mapping):
        output = list(output.values())
    found = [output] if isinstance(output, Tensor) else output
    expected = f"{name}: expected maps (B, C, h, w): a tensor, or a list or dict of tensors; found"
    if not isinstance(found, Sequence) or not found:
        raise ShapeError(f"{expected} {type(output).__name__}")
    for one in found:
        if not isinstance(one, Tensor):
            raise ShapeError(f"{expected} {type(one).__name__} in {type(output).__name__}")
        if one.ndim != 4:
            raise ShapeError(f"{expected} {tuple(one.shape)}, {_remedy(one)}")
        if not one.is_floating_point():
            raise ShapeError(f"{expected} {one.dtype}; return floating-point numbers, as by .float()")
    return list(found)


def _remedy(output: Tensor) -> str:
    if output.ndim == 3:
        return (
            "tokens without a grid: leave out those that are no patches and reshape the rest, as in "
            "tokens[:, 1:].transpose(1, 2).unflatten(2, (h, w))"
        )
    return (
        "no spatial maps: take the model before its pooling and head, as in "
        "timm.create_model(name, features_only=True)"
    )


def probe(own: OwnEncoder, name: str, strides: Sequence[int], device: torch.device) -> tuple[Encoder, str]:
    """Passes an image of noise through a model to find its strides and channels.

    Args:
        own: the model.
        name: what it is called.
        strides: output strides that are wanted; native ones that none of them is derived from are left out.
        device: where it computes.

    Returns:
        The encoder, and a SHA-256 of its maps of that image, which tells models apart whatever they are.

    Raises:
        ShapeError: the model fails on the image, or does not give maps of whole strides.
    """
    mean, std = _normalisation(own, name)
    sides = (own.resolution,) * 2 if own.resolution else _sides(own)
    noise = torch.rand((1, 3, *sides), generator=torch.Generator().manual_seed(0))
    image = ((noise - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)).to(device)
    if isinstance(own.model, nn.Module):
        own.model.to(device)
    with torch.inference_mode():
        maps = maps_of(_passed(own.model, image, name), name)
    cells = {_cell(one, sides, name): one for one in maps}
    if len(cells) < len(maps):
        raise ShapeError(f"{name}: gives several maps of one stride {sorted(cells)}; return one of each")
    digest = hashlib.sha256()
    for cell in sorted(cells):
        one = cells[cell].float().cpu()
        if not one.isfinite().all():
            raise ShapeError(f"{name}: its map of cells of {cell} pixels holds NaN or infinity on noise")
        digest.update(one.contiguous().numpy().tobytes())
    spec = _spec(own, name, {cell: one.shape[1] for cell, one in cells.items()}, strides, (mean, std))
    return OwnMaps(spec, own).eval(), digest.hexdigest()


def _passed(model: Callable[[Tensor], Any], images: Tensor, name: str) -> Any:
    """Passes images through a model of someone else's, which may raise anything."""
    try:
        return model(images)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        said = (str(error).splitlines() or [""])[0]
        raise ShapeError(
            f"{name}: fails on images {tuple(images.shape)} on {images.device} ({type(error).__name__}: "
            f"{said}); where it takes other sizes, give OwnEncoder(model, resolution=...), patch_size= or "
            "size_divisor=; where it lies on another device, device="
        ) from error


def _normalisation(own: OwnEncoder, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    said = getattr(own.model, "pretrained_cfg", None) or {}
    mean = tuple(own.mean or said.get("mean") or (0.0, 0.0, 0.0))
    std = tuple(own.std or said.get("std") or (1.0, 1.0, 1.0))
    if (len(mean), len(std)) != (3, 3) or min(std) <= 0:
        raise ShapeError(
            f"{name}: expected mean and std of red, green and blue in [0, 1], the latter above 0; found mean "
            f"{mean} and std {std}"
        )
    return mean, std


def _sides(own: OwnEncoder) -> tuple[int, int]:
    if own.patch_size is None:
        return _PROBE[0] * own.size_divisor, _PROBE[1] * own.size_divisor
    return 2 * _PROBE[0] * own.patch_size, 2 * _PROBE[1] * own.patch_size


def _cell(one: Tensor, sides: tuple[int, int], name: str) -> int:
    """Side of a cell of a map of the image of the pass."""
    height, width = one.shape[-2:]
    cell = sides[0] // max(1, height)
    if len(one) != 1 or (height * cell, width * cell) != sides:
        raise ShapeError(
            f"{name}: expected a map (1, C, h, w) of whole strides of an image (1, 3, {sides[0]}, "
            f"{sides[1]}), found {tuple(one.shape)}; pad the model so that h = H / stride, move "
            "channels that come last (.permute(0, 3, 1, 2)), or say the side of its patches: "
            "OwnEncoder(model, patch_size=14)"
        )
    return cell


def _spec(
    own: OwnEncoder,
    name: str,
    channels: Mapping[int, int],
    strides: Sequence[int],
    normalisation: tuple[tuple[float, ...], tuple[float, ...]],
) -> EncoderSpec:
    odd = [cell for cell in channels if cell & (cell - 1)]
    if odd and len(channels) > 1:
        raise ShapeError(
            f"{name}: has maps of cells of {sorted(channels)} pixels; return one map alone where the side of "
            "a cell is no power of two"
        )
    patch = odd[0] if odd else None
    nominal = {1 << round(math.log2(cell)): count for cell, count in channels.items()}
    kept = {_source(sorted(nominal), stride) for stride in strides}
    divisor = max(nominal) if own.patch_size or patch else math.lcm(own.size_divisor, max(nominal))
    return EncoderSpec(
        name,
        family="own",
        channels={stride: nominal[stride] for stride in sorted(kept)},
        size_divisor=divisor,
        patch_size=patch,
        mean=normalisation[0],
        std=normalisation[1],
    )


def _source(native: list[int], stride: int) -> int:
    return stride if stride in native else nearest_stride(native, stride)


@contextmanager
def borrowed(model: object) -> Iterator[None]:
    """Gives a module back as it was: in training or not, and on its device."""
    if not isinstance(model, nn.Module):
        yield
        return
    modes = {module: module.training for module in model.modules()}
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        if len(devices) == 1:
            model.to(devices.pop())
