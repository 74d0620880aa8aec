"""Encoders as a caller has them: names, settings, models, functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import vfm_fusion
from vfm_fusion.config.encoders import EncoderConfig, FileWeights, HubWeights
from vfm_fusion.encoders.base import Encoder
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.describe import check_encoder, describe_pretraining
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.encoders.shipped import SHIPPED
from vfm_fusion.errors import ConfigError
from vfm_fusion.features.extract import Source, default_device
from vfm_fusion.profiling.own_encoder import OwnEncoder, borrowed, probe

Given = str | EncoderConfig | OwnEncoder | nn.Module | Callable[[Tensor], object]
"""A name of the registry, ``timm:NAME``, a mini encoder's name, settings, a model, or a function."""

_WEIGHTS = Path(vfm_fusion.__file__).parents[1] / "resources" / "encoders"


@dataclass(frozen=True)
class GivenEncoder:
    """An encoder that is to be profiled, checked but not yet loaded.

    Attributes:
        name: its name in tables.
        pretraining: what its weights were trained on.
        source: what manifests say of it.
        settings: what else its features depend on, as text.
        build: makes the encoder.
        device: where it computes.
    """

    name: str
    pretraining: str
    source: Source
    settings: str
    build: Callable[[], Encoder]
    device: torch.device


def given_encoders(
    encoders: Given | Iterable[Given] | Mapping[str, Given],
    strides: Sequence[int],
    dataset: str,
    device: str | None,
    stack: ExitStack,
) -> list[GivenEncoder]:
    """Names and checks encoders.

    Args:
        encoders: one, several, or several by the name that tables are to have.
        strides: output strides that are wanted.
        dataset: name of the pictures.
        device: where to compute; None for the GPU where there is one (for a function, the CPU).
        stack: gives the caller's own models back as they were.

    Raises:
        ConfigError: there is none, a name is unknown, or no weights are known for it.
        WeightsError: its weights are missing or damaged.
        ShapeError: a model fails on a picture, or gives no maps of whole strides.
    """
    found = []
    for name, encoder in _named(encoders).items():
        if isinstance(encoder, str):
            encoder = settings_of(encoder)
        if isinstance(encoder, EncoderConfig):
            found.append(_configured(name, encoder, dataset, device))
        else:
            own = encoder if isinstance(encoder, OwnEncoder) else OwnEncoder(encoder)
            found.append(_own(name, own, strides, dataset, device, stack))
    return found


def settings_of(name: str) -> EncoderConfig:
    """Returns the settings of an encoder that is named alone: with its published weights from the hub.

    These are of the commit that the registry pins, or the newest where it pins none.

    Args:
        name: a name of the registry, ``timm:NAME``, or that of a mini encoder of
            :data:`~vfm_fusion.encoders.shipped.SHIPPED`.

    Raises:
        ConfigError: the name is unknown, or no published weights are known for it.
    """
    if name not in SHIPPED:
        pinned = EncoderConfig(architecture=name, weights=HubWeights(source="hub"))
        newest = EncoderConfig(architecture=name, weights=HubWeights(source="hub", revision="main"))
        try:
            check_encoder(name, pinned)
        except ConfigError:
            check_encoder(name, newest)
            return newest
        return pinned
    architecture, pretraining = SHIPPED[name]
    path = str(_WEIGHTS / f"{name}.safetensors")
    weights = FileWeights(source="file", path=path, pretraining=pretraining, lineage="none")
    return EncoderConfig(architecture=architecture, weights=weights)


def _named(encoders: Given | Iterable[Given] | Mapping[str, Given]) -> dict[str, Given]:
    if isinstance(encoders, Mapping):
        named = dict(encoders)
    else:
        several = _is_encoder(encoders) or not isinstance(encoders, Iterable)
        named = {}
        for encoder in [encoders] if several else encoders:
            name = _name(encoder)
            number = sum(other == name or other.startswith(f"{name} (") for other in named)
            named[f"{name} ({number + 1})" if number else name] = encoder
    if not named:
        raise ConfigError("encoders: there are none; name at least one, as in ['dinov2_vits14']")
    for name, encoder in named.items():
        if not _is_encoder(encoder):
            raise ConfigError(
                f"encoders.{name}: expected a name, EncoderConfig, OwnEncoder, a module or a function, found "
                f"{type(encoder).__name__}"
            )
    return named


def _is_encoder(encoder: object) -> bool:
    return isinstance(encoder, str | EncoderConfig | OwnEncoder) or callable(encoder)


def _name(encoder: object) -> str:
    if isinstance(encoder, str):
        return encoder.removeprefix("timm:")
    if isinstance(encoder, EncoderConfig):
        return encoder.label or encoder.architecture
    model = encoder.model if isinstance(encoder, OwnEncoder) else encoder
    return getattr(model, "__name__", type(model).__name__)


def _configured(name: str, config: EncoderConfig, dataset: str, device: str | None) -> GivenEncoder:
    check_encoder(name, config)
    pretraining = describe_pretraining(config)
    return GivenEncoder(
        name=name,
        pretraining=pretraining,
        source=Source(dataset, name, config.architecture, pretraining, weights_digest(config)),
        settings=f"{config.model_dump_json(exclude={'label'})} {spec_of(config.architecture).facts()}",
        build=lambda: build_encoder(config),
        device=_device(device) if device else default_device(),
    )


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"device: {name!r} is no device here ({said}); choose cpu, cuda or cuda:1"
        ) from error
    return device


def _own(
    name: str, own: OwnEncoder, strides: Sequence[int], dataset: str, device: str | None, stack: ExitStack
) -> GivenEncoder:
    stack.enter_context(borrowed(own.model))
    automatic = default_device() if isinstance(own.model, nn.Module) else torch.device("cpu")
    where = _device(device) if device else automatic
    encoder, digest = probe(own, name, strides, where)
    return GivenEncoder(
        name=name,
        pretraining=own.pretraining,
        source=Source(dataset, name, type(own.model).__name__, own.pretraining, digest),
        settings=f"{encoder.spec} {own.resolution}",
        build=lambda: encoder,
        device=where,
    )
