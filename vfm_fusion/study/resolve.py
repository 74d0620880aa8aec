"""From ``config.yaml`` and an experiment overlay to one validated configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vfm_fusion.config.merge import deep_merge
from vfm_fusion.config.names import did_you_mean
from vfm_fusion.config.schema import Config
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.checks import check
from vfm_fusion.study.messages import explain
from vfm_fusion.study.overlay_file import read_overlay


def from_command_line(data: Any) -> Any:
    """Reads the scalars of a nested ``--config`` value, all of which Snakemake passes on as text.

    >>> from_command_line({"training": {"steps": "6", "learning_rate": "1e-4"}})
    {'training': {'steps': 6, 'learning_rate': '1e-4'}}
    """
    if isinstance(data, Mapping):
        return {key: from_command_line(value) for key, value in data.items()}
    if isinstance(data, list):
        return [from_command_line(value) for value in data]
    return yaml.safe_load(data) if isinstance(data, str) else data


def experiments(folder: Path) -> list[str]:
    """Returns the names of the overlays in ``folder``."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _choose(name: object, overlays: Path) -> str:
    known = experiments(overlays)
    return f"choose from: {', '.join(known)}{did_you_mean(name, known)}"


def resolve(raw: Mapping[str, Any], overlays: Path) -> Config:
    """Lays ``raw`` (config.yaml and ``--config``) over its experiment's overlay and validates the result.

    A configuration that names every section, as a resolved one does, stands for itself without an overlay.

    Args:
        raw: the user's configuration; ``experiment`` names the overlay (default ``miniature``).
        overlays: folder with one ``<experiment>.yaml`` per experiment.

    Raises:
        ConfigError: unknown experiment, key, data set, encoder or stride, or a wrong type; one line per
            problem with the key's path, what was found and a hint.
    """
    name = raw.get("experiment", "miniature")
    if name not in experiments(overlays):
        raise ConfigError(f"experiment: {name!r} is unknown; {_choose(name, overlays)}")
    if Config.model_fields.keys() - Config.optional() <= raw.keys():  # resolved, so complete
        return validate(deep_merge({}, raw))
    return validate(deep_merge(_overlay(name, overlays), raw))


def _overlay(name: str, overlays: Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Reads an overlay; one with a ``base`` says only what is otherwise than in that one."""
    overlay = read_overlay(overlays / f"{name}.yaml")
    base = overlay.pop("base", None)
    if base is None:
        return overlay
    if base not in experiments(overlays):
        raise ConfigError(f"experiments/{name}.yaml: base: {base!r} is unknown; {_choose(base, overlays)}")
    lineage = (*above, name)
    if base in lineage:
        raise ConfigError(
            f"experiments/{name}.yaml: base: {base!r} rests on this overlay again "
            f"({' -> '.join((*lineage, base))}); name one that does not"
        )
    return deep_merge(_overlay(base, overlays, lineage), overlay)


def validate(data: Mapping[str, Any]) -> Config:
    """Validates a complete configuration; see :func:`resolve` for the errors."""
    try:
        config = Config.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigError("\n".join(explain(error.errors()))) from None
    check(config)
    return config
