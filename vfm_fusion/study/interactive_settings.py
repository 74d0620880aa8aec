"""What each stage of interactive segmentation depends on, as one canonical JSON string."""

from __future__ import annotations

from typing import Any

from vfm_fusion.config.base import canonical
from vfm_fusion.config.clicks import ClickTrainingConfig
from vfm_fusion.config.interactive import Cell
from vfm_fusion.study.clicking import click_views, section
from vfm_fusion.study.study import Study
from vfm_fusion.study.upsamplers import upsampler_section


class ClickSettings:
    """The settings of every stage of interactive segmentation.

    Args:
        study: the experiment, with interactive segmentation.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def training(self, encoder: str, upsampler: str, clicks: str) -> str:
        """Training a click model."""
        config = section(self._study)
        views = click_views(self._study.config, Cell(encoder, upsampler, clicks))
        return canonical(
            {
                "dataset": self._study.dataset_section(config.trained_on),
                "maps": None if views is None else views.name,
                "recipe": self._recipe(),
                **self._parts(encoder, upsampler, clicks),
            }
        )

    def evaluation(self, encoder: str, upsampler: str, clicks: str, target: str) -> str:
        """Clicking a data set with a click model."""
        config = section(self._study)
        return canonical(
            {
                "name": target,
                "trained_on": config.trained_on,
                "dataset": self._study.dataset_section(target),
                "protocol": config.protocol.model_dump(mode="json"),
                "robustness": self._robustness(target),
                "max_images": config.max_images,
                "shown": config.shown_images,
                **self._parts(encoder, upsampler, clicks),
            }
        )

    def _recipe(self) -> dict[str, Any]:
        """The recipe; scores count by their file, and of views that are not drawn nothing does."""
        recipe: ClickTrainingConfig = section(self._study).training
        unused = {"scores", "workers", *(["augmentation"] if recipe.cached_views is None else [])}
        return recipe.model_dump(mode="json", exclude=unused)

    def _parts(self, encoder: str, upsampler: str, clicks: str) -> dict[str, Any]:
        model = section(self._study).click_models[clicks]
        return {
            "cell": {"encoder": encoder, "upsampler": upsampler, "clicks": clicks},
            "encoder": self._study.encoder_section(encoder),
            "spec": self._study.encoder_spec(encoder),
            "upsampler": upsampler_section(self._study.config, upsampler),
            "clicks": model.model_dump(mode="json"),
        }

    def _robustness(self, target: str) -> dict[str, Any] | None:
        """The clicks beside the best ones; nothing on a data set that is not clicked so."""
        robustness = section(self._study).robustness
        if robustness is None or target not in (robustness.datasets or (target,)):
            return None
        return robustness.model_dump(mode="json", exclude={"datasets"})
