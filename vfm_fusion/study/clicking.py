"""What interactive segmentation makes, of what, and where it lies."""

from __future__ import annotations

from vfm_fusion.config.interactive import Cell, InteractiveConfig
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
    """Files of a kind of every encoder and upsampler that some cell has."""
    return of_cells(study, kind)
