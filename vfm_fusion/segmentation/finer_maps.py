"""Maps at strides finer than an encoder's own, made by a frozen upsampler in place of nearest neighbour."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.base import Section
from vfm_fusion.config.upsampling import UpsamplerConfig, UpsamplerFile
from vfm_fusion.segmentation.encoded import Maps
from vfm_fusion.upsampling.build import build_upsampler
from vfm_fusion.upsampling.configured import configured_upsampler
from vfm_fusion.upsampling.resampling import imagenet_normalised
from vfm_fusion.upsampling.upsampler import Upsampler
from vfm_fusion.upsampling.weight_files import upsampler_file


class UsedUpsampler(Section):
    """An upsampler that a run uses, and the weights of it that the workflow has trained."""

    name: str = Field(description="Its name in the experiment.")
    config: UpsamplerConfig = Field(description="The upsampler.")
    trained: dict[str, str] = Field(
        default_factory=dict, description="Encoder to the weights that the workflow has trained for it."
    )
    untrained: bool = Field(False, description="Leave it as initialised: it costs what a trained one does.")

    def build(self, encoder: str, channels: int) -> Upsampler:
        """Builds it for the maps of an encoder; see :func:`configured_upsampler` for the errors."""
        if self.untrained:
            return build_upsampler(self.config.architecture, channels, **self.config.class_settings)
        return configured_upsampler(self.name, self.config, encoder, channels, self._trained(encoder))

    def digest(self, encoder: str) -> str | None:
        """SHA-256 of its weight file for an encoder; None for one that does not learn."""
        if isinstance(self.config.weights, UpsamplerFile):
            key = f"upsamplers.{self.name}.weights"
            return file_sha256(upsampler_file(key, self.config.weights, encoder))
        trained = self._trained(encoder)
        return None if trained is None else file_sha256(trained)

    def _trained(self, encoder: str) -> Path | None:
        return Path(self.trained[encoder]) if encoder in self.trained else None


def given_upsamplers(
    config: Mapping[str, Any], trained: Iterable[str], *, untrained: bool = False
) -> dict[str, UsedUpsampler]:
    """Reads what a stage's settings say of the upsamplers of a run.

    Args:
        config: the settings of the stage; their ``upsamplers``, if any, are each a ``config`` and the
            encoders for which it is ``trained``.
        trained: the weights that the workflow has trained, in that order.
        untrained: whether they stay as initialised.
    """
    files = iter(trained)
    return {
        name: UsedUpsampler(
            name=name,
            config=UpsamplerConfig.model_validate_json(json.dumps(used["config"])),
            trained={} if untrained else {encoder: next(files) for encoder in used["trained"]},
            untrained=untrained,
        )
        for name, used in config.get("upsamplers", {}).items()
    }


class FinerMaps(nn.Module):
    """Adds maps at finer strides to those of an encoder.

    The upsampler is frozen: it stays in evaluation mode and computes in its own precision, whatever the
    model does. Gradients pass through it to an encoder that is fine-tuned.

    Attributes:
        upsampler: what makes them.
        source: stride of the map that they are made of, the encoder's finest.
        strides: their strides, ascending.
    """

    def __init__(self, upsampler: Upsampler, source: int, strides: Collection[int]) -> None:
        super().__init__()
        self.upsampler = upsampler.requires_grad_(False)
        self.source, self.strides = source, tuple(sorted(strides))
        self.train(False)

    @property
    def reads_images(self) -> bool:
        """Whether the upsampler is guided by the images."""
        return self.upsampler.facts.guided

    def train(self, mode: bool = True) -> FinerMaps:
        """Leaves everything in evaluation mode."""
        return super().train(False)

    def forward(self, native: Maps, images: Tensor | None, size: tuple[int, int]) -> Maps:
        """Adds the finer maps.

        Args:
            native: the encoder's own maps; the one at ``source`` among them.
            images: ``(B, 3, H, W)`` float RGB in [0, 1]; None where the upsampler does not read them.
            size: (H, W) of the images.

        Returns:
            ``native`` and ``{stride: (B, C, H/stride, W/stride)}`` at ``strides``.

        Raises:
            ShapeError: see :meth:`Upsampler.up`.
        """
        feature = native[self.source]
        with torch.autocast(feature.device.type, enabled=False):
            guidance = (
                feature.new_zeros(len(feature), 3, 1, 1) if images is None else imagenet_normalised(images)
            )
            finer = {
                stride: self.upsampler(feature, guidance, (size[0] // stride, size[1] // stride))
                for stride in self.strides
            }
        return finer | native
