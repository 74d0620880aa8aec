"""Makes a report by modules that are loaded by name: an edit of one report does not concern the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any


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
        writer: module with ``write(built, files, settings)``.
        inputs: paths by name.
        settings: what else the report depends on.
        outputs: path of every file by name.

    Raises:
        VfmFusionError: an input is not what it should be, or the report cannot be drawn.
    """
    paths = {
        name: [Path(path) for path in ([given] if isinstance(given, str) else given)]
        for name, given in inputs.items()
    }
    built = import_module(build).build(paths, settings)
    files = {name: Path(path) for name, path in outputs.items()}
    import_module(writer).write(built, files, settings)
