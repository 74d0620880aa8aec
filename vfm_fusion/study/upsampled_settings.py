"""What scores and pictures of upsampled maps depend on, and which images they are of."""

from __future__ import annotations

from typing import Any

from vfm_fusion.config.base import canonical
from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.study.clicking import section
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsamplers import upsampler_section


def shown_on(study: Study) -> str:
    """The data set whose maps are scored, or at least shown."""
    config = section(study)
    return config.measured_on or config.tested_on[0]


def probe_index(study: Study) -> list[str]:
    """The index of the training images that the probe learns from; nothing where none are read.

    They are those of the measured data set, where the experiment reads its training split for something else:
    other data sets have other classes, and some have no training split.
    """
    named = (shown_on(study), "train")
    if named not in study.splits:
        return []
    return study.files.every("index", dataset=named[0], split=named[1])


def upsamplers_of(study: Study, encoder: str) -> list[str]:
    """The upsamplers that some cell has with an encoder, in the order of the grids."""
    cells = section(study).cells
    return list(dict.fromkeys(cell.upsampler for cell in cells if cell.encoder == encoder))


class UpsampledSettings:
    """The settings of both stages.

    Args:
        study: the experiment, with interactive segmentation.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def quality(self, encoder: str, upsampler: str) -> str:
        """Scoring the maps of an encoder by one upsampler."""
        config = self._study.config
        quality = section(self._study).quality
        assert quality is not None
        definition = config.selection.definition
        metrics = {
            "strides": [quality.stride],
            "definitions": {definition: config.metrics.definitions[definition].model_dump(mode="json")},
            **config.metrics.model_dump(mode="json", include={"interpolation", "bootstrap", "seed"}),
        }
        return canonical(
            {
                **self._encoder(encoder, upsampler),
                "upsampler_name": upsampler,
                "upsampler": upsampler_section(config, upsampler),
                "measuring": {
                    **quality.model_dump(mode="json", include={"images", "probe_images"}),
                    **config.pairs.model_dump(mode="json", include={"pixels", "ridge"}),
                    "image_size": self._image_size(),
                    "metrics": metrics,
                },
            }
        )

    def maps(self, encoder: str) -> str:
        """Colouring the maps of an encoder by all its upsamplers."""
        config = section(self._study)
        upsamplers = upsamplers_of(self._study, encoder)
        return canonical(
            {
                **self._encoder(encoder, upsamplers[0]),
                "upsamplers": [(name, upsampler_section(self._study.config, name)) for name in upsamplers],
                "image_size": self._image_size(),
                "max_images": config.max_images,
                "shown": config.shown_images,
                "protocol": config.protocol.model_dump(mode="json"),
            }
        )

    def _encoder(self, encoder: str, upsampler: str) -> dict[str, Any]:
        """The images, the encoder, and what the first click model on both reads of it."""
        config = section(self._study)
        clicks = next(c.clicks for c in config.cells if (c.encoder, c.upsampler) == (encoder, upsampler))
        read = config.click_models[clicks].model_dump(include={"tap", "stride", "statistics"})
        return {
            "name": shown_on(self._study),
            "dataset": self._study.dataset_section(shown_on(self._study)),
            "encoder_name": encoder,
            "encoder": self._study.encoder_section(encoder),
            "spec": self._study.encoder_spec(encoder),
            "reads": ClickModelConfig(inject="none", **read).model_dump(mode="json"),
        }

    def _image_size(self) -> Any:
        """The size at which the data set is profiled; the images' own where it is not."""
        name = shown_on(self._study)
        return self._study.image_size(name) if name in self._study.profiled else None
