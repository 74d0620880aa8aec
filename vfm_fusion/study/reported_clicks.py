"""What reports show of interactive segmentation: their inputs, and how things are called in them."""

from __future__ import annotations

from typing import Any

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.study.clicking import clicked, of_cells, section, upsampled
from vfm_fusion.study.reported import encoder_names
from vfm_fusion.study.study import Study

PUBLISHED = "resources/published/isegprobe.csv"


def published(study: Study) -> list[str]:
    """The published clicks, where published values are shown."""
    return [PUBLISHED] if study.config.reporting.published else []


def qualities(study: Study) -> dict[str, list[str]]:
    """What was measured of upsampled maps themselves, and its cost; nothing where it is not asked for."""
    return {
        "quality": upsampled(study, "upsampled_quality"),
        "costs": upsampled(study, "upsampled_cost"),
    }


def counted_images(study: Study) -> list[str]:
    """The summaries of the data sets that are clicked in part, by which tables say of how many images."""
    config = section(study)
    if config.max_images is None:
        return []
    return study.files.every("index_summary", dataset=config.tested_on, split="val")


def of_objects(study: Study) -> dict[str, list[str]]:
    """The scores of all cells, seeds and data sets, and in the same order those of every object."""
    return {
        "scores": clicked(study, "clicked_scores"),
        "objects": clicked(study, "clicked_objects"),
    }


def shown_masks(study: Study) -> dict[str, list[str]]:
    """Masks of the first seed for figures, and in the same order the clicks behind them."""
    config = section(study)
    kinds = {"scores": "clicked_scores", "masks": "clicked_masks", "rounds": "clicked_rounds"}
    return {
        name: of_cells(study, kind, seed=config.seeds[:1], target=config.tested_on)
        for name, kind in kinds.items()
    }


def clicks_named(study: Study) -> dict[str, Any]:
    """How encoders, upsamplers and click models are called, in their order, and what is clicked."""
    config = section(study)
    return {
        **encoder_names(study),
        "upsamplers": [
            (name, {"label": upsampler.title, "architecture": upsampler.architecture})
            for name, upsampler in study.config.upsamplers.items()
        ],
        "click_models": [
            (name, {"click_encoder": model.click_encoder, "inject": model.inject})
            for name, model in config.click_models.items()
        ],
        "datasets": [(name, study.config.datasets[name].kind) for name in config.tested_on],
        "seeds": config.seeds,
    }


def clicks_compared(study: Study) -> dict[str, Any]:
    """The same, and how intervals over images are drawn."""
    metrics = study.config.metrics
    return {**clicks_named(study), "bootstrap": [metrics.bootstrap, metrics.seed]}


def beside_published(named: dict[str, Any]) -> dict[str, Any]:
    """The same, and the titles of all upsamplers, by which published values are called too."""
    return {**named, "titles": list(TITLES.items())}


def maps_named(study: Study) -> dict[str, Any]:
    """How encoders and upsamplers are called, and the encoders that maps are drawn of."""
    named = clicks_named(study)
    shown = list(dict.fromkeys(cell.encoder for cell in section(study).cells))
    return {"encoders": named["encoders"], "upsamplers": named["upsamplers"], "shown": shown}
