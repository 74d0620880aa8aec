"""``categories.json``: the classes of a data set as a plain file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from vfm_fusion.atomic import write_json
from vfm_fusion.datasets.base import Category
from vfm_fusion.errors import DatasetLayoutError


def write_categories(categories: tuple[Category, ...], path: Path) -> None:
    """Writes the classes as a JSON list, atomically."""
    write_json(path, [asdict(category) for category in categories])


def read_categories(path: Path) -> tuple[Category, ...]:
    """Reads what :func:`write_categories` wrote.

    Raises:
        DatasetLayoutError: missing or damaged file, or ids that are not 0..K-1 in order.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        categories = tuple(Category(**{**row, "color": tuple(row["color"])}) for row in rows)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetLayoutError(
            f"{path}: not a list of categories ({error}). Delete it; the workflow writes it again."
        ) from error
    if [category.id for category in categories] != list(range(len(categories))):
        raise DatasetLayoutError(
            f"{path}: the ids are {[category.id for category in categories]}, expected 0, 1, 2, ... in order."
            " Delete the file; the workflow writes it again."
        )
    return categories
