"""What interactive segmentation makes, of what, and where it lies; and what is refused before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.interactive import Cell, InteractiveConfig
from vfm_fusion.config.schema import Config
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.encoders.spec import IMAGENET_MEAN, IMAGENET_STD
from vfm_fusion.errors import ConfigError
from vfm_fusion.interactive.encoder_limits import check_reads, check_side
from vfm_fusion.study.views import ViewSet, fixed_views

if TYPE_CHECKING:
    from vfm_fusion.study.study import Study


def section(study: Study) -> InteractiveConfig:
    """The section of an experiment that has one."""
    assert study.config.interactive is not None
    return study.config.interactive


def of_cells(study: Study, kind: str, cells: list[Cell] | None = None, **values: object) -> list[str]:
    """Files of a kind of all cells, each once: cell by cell, then in the order of ``values``.

    Args:
        study: the experiment, with interactive segmentation.
        kind: one of :data:`~vfm_fusion.study.files.PATTERNS`.
        cells: which cells; None for all.
        values: for wildcards beside a cell's own; the seeds are filled in where they are left out.
    """
    config = section(study)
    wanted = {"seed": config.seeds, **values}
    found: list[str] = []
    for cell in config.cells if cells is None else cells:
        found += study.files.every(
            kind, encoder=cell.encoder, upsampler=cell.upsampler, clicks=cell.clicks, **wanted
        )
    return list(dict.fromkeys(found))


def clicked(study: Study, kind: str) -> list[str]:
    """Files of a kind of all cells, seeds and data sets that are clicked."""
    return of_cells(study, kind, target=section(study).tested_on)


def upsampled(study: Study, kind: str) -> list[str]:
    """Files of a kind of every encoder and upsampler that some cell has; no scores where none are wanted."""
    if kind != "upsampled_maps" and section(study).quality is None:
        return []
    return of_cells(study, kind)


def click_views(config: Config, cell: Cell) -> ViewSet | None:
    """The views whose maps a cell's click model learns from; None where its encoder runs.

    It runs where crops are drawn anew, where clicks enter before it, and where something else is read of it
    than what is stored.
    """
    interactive = config.interactive
    assert interactive is not None
    recipe, model = interactive.training, interactive.click_models[cell.clicks]
    if recipe.cached_views is None or model.inject == "early":
        return None
    if not _reads_stored_maps(model, config.encoders[cell.encoder]):
        return None
    return fixed_views(config, interactive.trained_on, recipe.cached_views, recipe.augmentation)


def maps_of_clicks(study: Study, cell: Cell) -> list[str]:
    """The manifest of these maps; nothing where the encoder runs."""
    views = click_views(study.config, cell)
    if views is None:
        return []
    return study.files.every("view_features", dataset=views.dataset, views=views.name, encoder=cell.encoder)


def check_clicks(config: Config) -> None:
    """Data sets have objects; encoders have what click models read of them, and take the images of these.

    Raises:
        ConfigError: it names the key.
    """
    interactive = config.interactive
    if interactive is None:
        return
    for name in (interactive.trained_on, *interactive.tested_on):
        data = config.datasets[name]
        if data.kind == "folder" and data.objects is None:
            raise ConfigError(
                f"interactive: objects are clicked, but datasets.{name} tells none apart; set its "
                "objects.path to rasters of objects, or take another data set"
            )
    sides = {"protocol.zoom.side": interactive.protocol.zoom.side}
    if interactive.training.cached_views is None:
        sides["training.crops.side"] = interactive.training.crops.side
    for cell in interactive.cells:
        spec = spec_of(config.encoders[cell.encoder].architecture)
        model = interactive.click_models[cell.clicks]
        check_reads(model, spec, f"interactive.click_models.{cell.clicks}.")
        for key, side in sides.items():
            if side is not None:
                check_side(side, spec, f"interactive.{key}")


def _reads_stored_maps(model: ClickModelConfig, encoder: EncoderConfig) -> bool:
    """Whether a click model reads an encoder's maps as they are stored.

    These are of images normalised as the encoder has it, and on the image's grid, to which the tokens of a
    plain ViT with a resolution of its own are resampled.
    """
    spec = spec_of(encoder.architecture)
    of_own_images = model.statistics == "encoder" or (spec.mean, spec.std) == (IMAGENET_MEAN, IMAGENET_STD)
    on_grid = not spec.shows_tokens or (encoder.resolution or spec.input_side) is None
    return model.tap == "maps" and of_own_images and on_grid
