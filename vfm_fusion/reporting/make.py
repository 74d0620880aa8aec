"""Makes a report by modules that are loaded by name: an edit of one report does not concern the others."""

from __future__ import annotations

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
        VfmFusionError: an input is not what it should be, or the report cannot be drawn.
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
