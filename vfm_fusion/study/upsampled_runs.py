"""Which upsamplers runs use, for the maps of which encoders, and where their weights lie."""

from __future__ import annotations

from vfm_fusion.config.base import STRIDES
from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.runs import ROLES, RunConfig
from vfm_fusion.config.schema import Config
from vfm_fusion.config.upsampling import UpsamplerTrained
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.files import Files


def upsampled_encoders(config: Config, run: str) -> dict[str, list[str]]:
    """Returns upsampler to the encoders whose maps a run may come to upsample by it.

    Where the run names a role, these are all encoders that lack a stride.
    """
    settings = config.runs[run]
    found: dict[str, set[str]] = {name: set() for name in settings.upsampling.used.values()}
    for role, name in settings.upsampling.used.items():
        found[name] |= {e for e in _encoders_as(config, settings, role) if _finest(config, e) > STRIDES[0]}
    return {name: sorted(encoders) for name, encoders in found.items()}


def upsamplers_of(config: Config, run: str) -> list[tuple[str, str]]:
    """Returns every (upsampler, encoder whose maps it upsamples) that a run may come to use."""
    return [
        (name, encoder) for name, encoders in upsampled_encoders(config, run).items() for encoder in encoders
    ]


def trained_weights(config: Config) -> dict[str, UpsamplerTrained]:
    """Returns the upsamplers that the workflow trains, by name, whatever uses them."""
    return {
        name: upsampler.weights
        for name, upsampler in config.upsamplers.items()
        if isinstance(upsampler.weights, UpsamplerTrained)
    }


def trained_for(config: Config, run: str) -> list[tuple[str, str]]:
    """Returns the (upsampler, encoder) of a run that the workflow trains."""
    trained = trained_weights(config)
    return [(name, encoder) for name, encoder in upsamplers_of(config, run) if name in trained]


def trained_upsamplers(config: Config, files: Files, run: str) -> list[str]:
    """The weights of those that are trained."""
    return [
        files.pattern("upsampler", upsampler=name, encoder=encoder)
        for name, encoder in trained_for(config, run)
    ]


def check_upsamplers(config: Config) -> None:
    """The data sets that upsamplers learn from are defined, and so are the upsamplers of runs.

    Raises:
        ConfigError: one is not, or a run would upsample nothing.
    """
    for name, weights in trained_weights(config).items():
        if weights.dataset not in config.datasets:
            raise ConfigError(
                f"upsamplers.{name}.weights.dataset: {weights.dataset!r} is not defined; datasets has: "
                f"{', '.join(config.datasets)}{did_you_mean(weights.dataset, config.datasets)}"
            )
    for run, settings in config.runs.items():
        for role, name in settings.upsampling.used.items():
            _check_upsampling(config, f"runs.{run}.upsampling.{role}", settings, role, name)
        for name, encoder in trained_for(config, run):
            _check_stride(config, run, name, encoder)


def _check_upsampling(config: Config, key: str, run: RunConfig, role: str, name: str) -> None:
    if name not in config.upsamplers:
        raise ConfigError(
            f"{key}: {name!r} is not defined; upsamplers has: {', '.join(config.upsamplers) or 'none'}"
            f"{did_you_mean(name, config.upsamplers)}"
        )
    if config.upsamplers[name].architecture == "none":
        raise ConfigError(
            f"{key}: {name!r} is of architecture none, which leaves maps as they are; name another, or leave "
            "it out for nearest neighbour"
        )
    encoders, read = _encoders_as(config, run, role), _read_strides(run, role)
    if not any(stride < _finest(config, encoder) for encoder in encoders for stride in read):
        raise ConfigError(
            f"{key}: there is nothing to upsample: {', '.join(encoders)} has maps of its own at every stride "
            f"that is read of it ({', '.join(map(str, read))}); leave it out, or take an encoder that lacks "
            "one, such as a plain ViT"
        )


def _check_stride(config: Config, run: str, name: str, encoder: str) -> None:
    """A trained upsampler has learned from the map that a run upsamples, the encoder's finest."""
    strides = spec_of(config.encoders[encoder].architecture).strides
    stride = config.upsamplers[name].weights.recipe.stride
    if len(strides) > 1 and stride != min(strides):
        raise ConfigError(
            f"upsamplers.{name}.weights.recipe.stride: it learns from maps of stride {stride}, but "
            f"runs.{run} upsamples those of stride {min(strides)}, the finest of {encoder}; write that, "
            "or give the run an upsampler of its own"
        )


def _encoders_as(config: Config, run: RunConfig, role: str) -> list[str]:
    """The encoders that may come to play a role in a run: the named one, or any."""
    named = getattr(run, role)
    return list(config.encoders) if named in ROLES else [named]


def _read_strides(run: RunConfig, role: str) -> list[int]:
    """The strides at which a run may come to read the maps of a role."""
    injected = set(run.fusion.strides)
    if role == "auxiliary":
        return [stride for stride in STRIDES if stride in injected or "selected" in injected]
    replaced = injected if run.auxiliary is not None and run.fusion.operator == "replace" else set()
    return [stride for stride in STRIDES if stride not in replaced]


def _finest(config: Config, encoder: str) -> int:
    return min(spec_of(config.encoders[encoder].architecture).strides)
