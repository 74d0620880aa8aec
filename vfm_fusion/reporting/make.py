"""Makes a report by modules that are loaded by name: an edit of one report does not concern the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from vfm_fusion.errors import ReportingError


def make(
    build: str,
    writer: str,
    inputs: Mapping[str, str | Iterable[str]],
    settings: Mapping[str, Any],
    outputs: Mapping[str, str],
) -> None:
    """Builds a report and writes its files.

    Args:
        build: module with ``build(inputs, settings)``.
        writer: module with ``write(built, files, settings)`` and ``BUILT``, the type that it writes.
        inputs: paths by name.
        settings: what else the report depends on.
        outputs: path of every file by name.

    Raises:
        ReportingError: what was built is of another type.
        VfmFusionError: an input is not what it should be, or the report cannot be made of it.
    """
    paths = {
        name: [Path(path) for path in ([given] if isinstance(given, str) else given)]
        for name, given in inputs.items()
    }
    built, written = import_module(build).build(paths, settings), import_module(writer)
    if not isinstance(built, written.BUILT):
        wanted = " or ".join(kind.__name__ for kind in get_args(written.BUILT) or (written.BUILT,))
        raise ReportingError(f"{build}.build returned {type(built).__name__}; expected {wanted}")
    written.write(built, {name: Path(path) for name, path in outputs.items()}, settings)


def make_or_state(
    build: str,
    writer: str,
    inputs: Mapping[str, str | Iterable[str]],
    settings: Mapping[str, Any],
    outputs: Mapping[str, str],
) -> None:
    """Makes a report, or, of a figure that cannot be drawn, files that state the reason.

    So the tables and the page that shows them all do not wait for a figure, whatever is wrong with it. Such
    files do not count as made: the workflow removes them at its end, and fails.

    Args:
        build: see :func:`make`, as for the others.
        writer: what has a function ``write_undrawn(error, files, settings)`` can state a reason.
        inputs: paths by name.
        settings: what else the report depends on.
        outputs: path of every file by name.

    Raises:
        Exception: the report is no figure and cannot be made.
    """
    try:
        make(build, writer, inputs, settings, outputs)
    except Exception as error:
        write_undrawn = getattr(import_module(writer), "write_undrawn", None)
        if write_undrawn is None:
            raise
        logging.getLogger(__name__).exception("the figure could not be drawn; its files state the reason")
        write_undrawn(error, {name: Path(path) for name, path in outputs.items()}, settings)
