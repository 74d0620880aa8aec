"""Whether an upsampler can learn from an encoder's maps, before anything is built."""

from __future__ import annotations

from vfm_fusion.config.upsampling import LEARNED, UpsamplerTrainingConfig
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ConfigError


def check_trainable(key: str, name: str, recipe: UpsamplerTrainingConfig, spec: EncoderSpec) -> None:
    """Refuses a training that could not begin.

    Args:
        key: where the recipe stands, for the message.
        name: the upsampler.
        recipe: how it is to be trained.
        spec: the encoder.

    Raises:
        ConfigError: an upsampler that does not learn, an encoder that takes images of one size only, or a
            side of which it cannot take the parts.
    """
    if name not in LEARNED:
        raise ConfigError(f"{key}: {name!r} is not trained here; those that are: {', '.join(LEARNED)}")
    if spec.input_side is not None:
        raise ConfigError(
            f"{key}: {name} learns from maps of images of several sizes, but {spec.architecture} only takes "
            f"squares of {spec.input_side} pixels; take weights from a file, or another encoder"
        )
    unit = spec.size_divisor * LEARNED[name].part
    if recipe.side % unit:
        raise ConfigError(
            f"{key}.side: {name} learns from images of {recipe.side} pixels and parts of them, so "
            f"with {spec.architecture} it is a multiple of {unit}"
        )
