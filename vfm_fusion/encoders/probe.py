"""What a timm model without an entry is: its maps, sizes and normalisation, from timm and from a probe.

The probe runs on torch's ``meta`` device, where tensors have shapes alone: a model of any size takes a moment
and no memory. Only a model that needs numbers on its way is built in full.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vfm_fusion.config.base import STRIDES
from vfm_fusion.config.encoders import Positions
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.spec import EncoderSpec, HubWeights, Published
from vfm_fusion.encoders.timm_models import (
    TimmHierarchical,
    TimmSam,
    TimmViT,
    VisionTransformer,
    VisionTransformerSAM,
    shows_tokens,
    timm,
)
from vfm_fusion.errors import ConfigError

_OPTIONS = ({}, {"dynamic_img_size": True})
"""What makes models of timm's take images of any size; the first that does is taken."""

_MULTIPLES = (1, 2, 4, 7, 8)
"""How many cells of its coarsest map a model may want the sides of an image to be multiples of."""

_SHAPES = ((3, 5), (2, 4), (5, 2))
"""Heights and widths of the probed images, in units of what their sides must be multiples of."""

_CLASSES: dict[str, type[Encoder]] = {"vit": TimmViT, "sam": TimmSam, "hierarchical": TimmHierarchical}


class _Level(NamedTuple):
    index: int
    channels: int
    stride: float


def probed_spec(name: str) -> EncoderSpec:
    """Finds out what a timm model is.

    Args:
        name: timm's name of the model, with or without a tag of pre-trained weights.

    Returns:
        Its spec. An encoder of it has been seen to give the maps that it declares, at images of several
        sizes or at the one size that the model takes.

    Raises:
        ConfigError: timm has no such model or tag, or the model has no maps on the grids of strides 4 to 32;
            says what is missing, and what to write instead.
    """
    _check_known(name)
    problem = ""
    for device in ("meta", "cpu"):
        try:
            return _probed(name, device)
        except ConfigError:
            raise
        except Exception as error:  # whatever a model raises, of a thousand, that cannot be used in this way
            problem = f"{type(error).__name__}: {error}"
    raise _refusal(name, f"timm gives no maps of it ({problem})")


def _check_known(name: str) -> None:
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=4)
        raise ConfigError(
            f"timm {timm.__version__} has no model {architecture!r}; "
            + (f"did you mean: {', '.join(near)}" if near else "timm.list_models() names those that it has")
        )
    tags = timm.list_pretrained(f"{architecture}.*")
    if tag and name not in tags:
        raise ConfigError(
            f"timm {timm.__version__} has no weights {tag!r} of {architecture}; "
            + (f"choose from: {', '.join(tags)}" if tags else "leave the tag out, it has none")
        )


def _probed(name: str, device: str) -> EncoderSpec:
    with torch.device(device), torch.random.fork_rng(devices=[]):
        model = timm.create_model(name, pretrained=False, num_classes=0).eval()
    channels, side, width = model.pretrained_cfg["input_size"]
    if channels != 3 or side != width:
        raise _refusal(name, f"it takes {channels} x {side} x {width}, and not RGB squares")
    free = _free(name, model, side, device)
    if free is not None:
        return _with_weights(free, name, model)
    fixed = replace(_spec(name, model, _levels(model, side, device), side), input_side=side)
    if not _gives_its_maps(_outline(fixed, device), _SHAPES[:1], fixed.size_divisor, device):
        raise _refusal(name, "its maps are of other sizes than those of its stages")
    return _with_weights(fixed, name, model)


def _free(name: str, model: nn.Module, side: int, device: str) -> EncoderSpec | None:
    """The spec of a model that takes images of any size whose sides are multiples of something; or None."""
    whole = math.ceil(side / STRIDES[-1]) * STRIDES[-1]  # some CNNs are for squares of 299
    for probed in dict.fromkeys((side, whole)):
        try:
            spec = _spec(name, model, _levels(model, probed, device), probed)
        except ConfigError:
            if probed == whole:
                raise
            continue
        for options in _OPTIONS:
            found = _at_any_size(replace(spec, options=options), device)
            if found is not None:
                return found
    return None


def _levels(model: nn.Module, side: int, device: str) -> list[_Level]:
    """Every map that a model gives for a square of the size that it was made for."""
    with torch.device(device), torch.inference_mode():
        image = torch.zeros(1, 3, side, side)
        maps = model.forward_intermediates(image, output_fmt="NCHW", intermediates_only=True)
    return [_Level(index, feature.shape[1], side / feature.shape[2]) for index, feature in enumerate(maps)]


def _spec(name: str, model: nn.Module, levels: Sequence[_Level], side: int) -> EncoderSpec:
    """What the maps say, apart from sizes and weights."""
    last = {level.stride: level for level in levels}  # of several at one stride the last
    if len(last) == 1:
        ((patch, level),) = last.items()
        found = {min(STRIDES, key=lambda stride: abs(math.log2(patch / stride))): level}
        fits = patch == int(patch)
    else:
        patch = None
        found = {stride: last[stride] for stride in STRIDES if stride in last}
        fits = bool(found) and all(stride in (1, 2, *STRIDES) for stride in last if stride <= STRIDES[-1])
    if not fits:
        sides = ", ".join(f"{side / stride:g}" for stride in last)
        raise _refusal(name, f"at {side} x {side} pixels its maps are {sides} wide, not 1/4 to 1/32 of that")
    family = _family(model)
    levels = {stride: level.index for stride, level in found.items()} if family == "hierarchical" else {}
    return EncoderSpec(
        f"timm:{name}",
        family=family,
        channels={stride: level.channels for stride, level in found.items()},
        size_divisor=max(found),
        patch_size=patch and int(patch),
        levels=levels,
        timm_name=name,
    )


def _family(model: nn.Module) -> str:
    if shows_tokens(model):
        return "vit"
    is_sam = isinstance(model, VisionTransformerSAM) and model.pos_embed is not None
    return "sam" if is_sam else "hierarchical"


def _outline(spec: EncoderSpec, device: str) -> Encoder:
    with torch.device(device), torch.random.fork_rng(devices=[]):
        encoder = _CLASSES[spec.family](spec).eval()
    encoder.resolution = spec.input_side
    return encoder


def _at_any_size(spec: EncoderSpec, device: str) -> EncoderSpec | None:
    """The spec with the smallest divisor of sides that its model gets along with; None for none at all."""
    try:
        encoder = _outline(spec, device)
    except TypeError:  # it has no such option
        return None
    for multiple in _MULTIPLES:
        divisor = multiple * spec.size_divisor
        if _gives_its_maps(encoder, _SHAPES, divisor, device):
            if multiple == 1:
                return spec
            if spec.patch_size in (None, spec.size_divisor):
                return replace(spec, size_divisor=divisor, patch_size=None)
    return None


def _gives_its_maps(encoder: Encoder, shapes: Sequence[tuple[int, int]], divisor: int, device: str) -> bool:
    """Whether an encoder's maps of images of these shapes, times ``divisor``, are those that it declares."""
    spec = encoder.spec
    try:
        for size in ((rows * divisor, columns * divisor) for rows, columns in shapes):
            with torch.device(device), torch.inference_mode():
                maps = encoder.features(encoder.normalise(torch.zeros(1, 3, *size)), spec.strides)
            seen = encoder.seen_size(*size)
            expected = {s: (1, c, *(side // spec.cell(s) for side in seen)) for s, c in spec.channels.items()}
            if {stride: tuple(feature.shape) for stride, feature in maps.items()} != expected:
                return False
    except Exception:  # whatever a model raises at a size that it does not take
        return False
    return True


def _with_weights(spec: EncoderSpec, name: str, model: nn.Module) -> EncoderSpec:
    """Adds what timm says of the weights: normalisation, unused keys, where and what they are."""
    config = model.pretrained_cfg
    with torch.device("meta"):
        whole = timm.create_model(name, pretrained=False, num_classes=1000)
    own = _outline(spec, "meta").state_dict()
    used = {key.removeprefix("model."): value.shape for key, value in own.items()}
    return replace(
        spec,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        unused=_unused(whole.state_dict(), used),
        positions=_positions(name, model) if spec.family == "vit" else None,
        fixed_fit="pad" if spec.family == "sam" else "resize",
        published=_published(name, config),
    )


def _unused(whole: Mapping[str, Tensor], used: Mapping[str, torch.Size]) -> tuple[str, ...]:
    """Short patterns of the whole model's keys that the encoder lacks or has in another shape."""
    patterns = []
    for key, value in whole.items():
        if used.get(key) == value.shape:
            continue
        parts = key.split(".")
        starts = [".".join(parts[:n]) + "." for n in range(1, len(parts))]
        start = next((s for s in starts if not any(other.startswith(s) for other in used)), None)
        patterns.append(f"{start}*" if start else key)
    return tuple(dict.fromkeys(patterns))


def _positions(name: str, model: nn.Module) -> Positions | None:
    """The code of DINO and DINOv2 resizes with an offset, that of DINOv2 with registers does not."""
    if type(model) is not VisionTransformer or model.pos_embed is None:
        return None
    offset = name.endswith(".dino") or ("_dinov2" in name and "_reg" not in name)
    return "offset" if offset else "antialiased"


def _published(name: str, config: dict[str, Any]) -> Published | None:
    """What timm says of the weights of a tag; nothing of a name without one, which may be any."""
    architecture, _, tag = name.partition(".")
    if not tag:
        return None
    in_timms_names = config.get("hf_hub_id") and not config.get("hf_hub_filename")
    families = {"DINO": "dino" in name, "SAM": architecture.startswith(("samvit", "sam2"))}
    return Published(
        pretraining=f"timm's {tag}",
        supervision=None,
        lineage=next((family for family, is_so in families.items() if is_so), None),
        licence=config.get("license") or "not stated by timm",
        hub=HubWeights(config["hf_hub_id"]) if in_timms_names else None,
    )


def _refusal(name: str, problem: str) -> ConfigError:
    return ConfigError(
        f"timm:{name} cannot be taken as it is: {problem}; write a class of your own for it, which gives "
        "maps at some of the strides 4, 8, 16 and 32 (docs/your_encoder.md)"
    )
