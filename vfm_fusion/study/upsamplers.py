"""Upsamplers of an experiment: for which encoders, and, where they are trained, from what."""

from __future__ import annotations

from typing import Any

from vfm_fusion.config.base import canonical
from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.schema import Config
from vfm_fusion.config.upsampling import UpsamplerTrained
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsampled_runs import trained_weights, upsamplers_of
from vfm_fusion.upsampling.pretraining.trainable import check_trainable


class UpsamplerSettings:
    """What the training of upsamplers depends on.

    Args:
        study: the experiment.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def training(self, upsampler: str, encoder: str) -> str:
        """Training an upsampler on the maps of an encoder, as one canonical JSON string."""
        dataset = self._dataset(upsampler)
        return canonical(
            {
                "names": {"upsampler": upsampler, "encoder": encoder, "dataset": dataset},
                "dataset": self._study.dataset_section(dataset),
                "encoder": self._study.encoder_section(encoder),
                "spec": self._study.encoder_spec(encoder),
                "upsampler": upsampler_section(self._study.config, upsampler),
            }
        )

    def index(self, upsampler: str) -> str:
        """The index of the images that an upsampler learns from."""
        return self._study.files.pattern("index", dataset=self._dataset(upsampler), split="train")

    def data(self, upsampler: str) -> str:
        """Folder of these images, where they are generated."""
        return self._study.files.pattern("data", dataset=self._dataset(upsampler))

    def threads(self, upsampler: str) -> int:
        """A thread for the training, and one for each process that loads images."""
        return 1 + trained_weights(self._study.config)[upsampler].recipe.workers

    def _dataset(self, upsampler: str) -> str:
        return trained_weights(self._study.config)[upsampler].dataset


def upsampler_section(config: Config, upsampler: str) -> dict[str, Any]:
    """What upsampled maps depend on of an upsampler: not its label, nor where weights are put besides,
    nor how many processes load what it learns from.
    """
    unread = {"label": True, "weights": {"shipped_for": True, "recipe": {"workers"}}}
    return config.upsamplers[upsampler].model_dump(mode="json", exclude=unread)


def used_upsamplers(config: Config) -> list[tuple[str, str]]:
    """Every (upsampler, encoder whose maps it upsamples) that something is made of, each once."""
    cells = config.interactive.cells if config.interactive else []
    used = [(cell.upsampler, cell.encoder) for cell in cells]
    used += [pair for run in config.runs for pair in upsamplers_of(config, run)]
    return list(dict.fromkeys(used))


def shipped_pairs(config: Config) -> list[tuple[str, str]]:
    """The (upsampler, encoder) that the target ``pretrain_upsamplers`` ships."""
    return [
        (name, encoder)
        for name, weights in trained_weights(config).items()
        for encoder in dict.fromkeys(weights.shipped_for)
    ]


def check_trained_upsamplers(config: Config) -> None:
    """Upsamplers that are trained can learn from the maps of the encoders that they are trained for.

    Raises:
        ConfigError: it names the key.
    """
    trained = trained_weights(config)
    for name, weights in trained.items():
        key = f"upsamplers.{name}.weights"
        unknown = [encoder for encoder in weights.shipped_for if encoder not in config.encoders]
        if unknown:
            raise ConfigError(
                f"{key}.shipped_for: {unknown[0]!r} is not defined; encoders has: "
                f"{', '.join(config.encoders) or 'none'}{did_you_mean(unknown[0], config.encoders)}"
            )
        if weights.shipped_for and not config.datasets[weights.dataset].generated:
            raise ConfigError(
                f"{key}.shipped_for: it learns from {weights.dataset}, which belongs to others; what comes "
                "with the project has learned from generated scenes; leave it out"
            )
    for name, encoder in dict.fromkeys([*used_upsamplers(config), *shipped_pairs(config)]):
        if name in trained:
            spec = spec_of(config.encoders[encoder].architecture)
            key = f"upsamplers.{name}.weights.recipe"
            check_trainable(key, config.upsamplers[name].architecture, trained[name].recipe, spec)
    _check_strides(config, trained)


def _check_strides(config: Config, trained: dict[str, UpsamplerTrained]) -> None:
    """Maps that click models read are those that upsamplers have learned from."""
    for cell in config.interactive.cells if config.interactive else ():
        if cell.upsampler not in trained:
            continue
        learned = trained[cell.upsampler].recipe.stride
        read = config.interactive.click_models[cell.clicks].stride
        if learned != read:
            raise ConfigError(
                f"upsamplers.{cell.upsampler}.weights.recipe.stride: it learns from maps of stride "
                f"{learned}, but click model {cell.clicks!r} reads stride {read}; give both the same, or the "
                "click model an upsampler of its own"
            )
