"""From ``config.yaml`` and an experiment overlay to one validated configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from vfm_fusion.config.merge import deep_merge
from vfm_fusion.config.recipes import overlaid
from vfm_fusion.config.schema import Config
from vfm_fusion.encoders.describe import check_encoder
from vfm_fusion.errors import ConfigError
from vfm_fusion.study.comparisons import check_comparisons


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
        known = ", ".join(experiments(overlays))
        raise ConfigError(f"experiment: {name!r} is unknown; choose from: {known}")
    if Config.model_fields.keys() <= raw.keys():  # a resolved configuration: complete as it is
        return validate(deep_merge({}, raw))
    return validate(deep_merge(_overlay(name, overlays), raw))


def _overlay(name: str, overlays: Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Reads an overlay; one with a ``base`` says only what is otherwise than in that one."""
    overlay = yaml.safe_load((overlays / f"{name}.yaml").read_text(encoding="utf-8")) or {}
    base = overlay.pop("base", None)
    if base is None:
        return overlay
    if base not in experiments(overlays):
        known = ", ".join(experiments(overlays))
        raise ConfigError(f"experiments/{name}.yaml: base: {base!r} is unknown; choose from: {known}")
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
        raise ConfigError("\n".join(_explain(item, data) for item in error.errors())) from None
    for name, encoder in config.encoders.items():
        check_encoder(name, encoder)
    for name, recipe in config.recipes.items():
        for key, changes in recipe:
            _check_changes(config, f"recipes.{name}", key, changes)
    check_comparisons(config)
    return config


def _check_changes(config: Config, recipe: str, key: str, changes: Mapping[str, Any]) -> None:
    section = getattr(config, key)
    try:
        overlaid(section, changes)
    except ValidationError as error:
        data = {key: deep_merge(section.model_dump(mode="json"), changes)}
        found = [_explain({**item, "loc": (key, *item["loc"])}, data) for item in error.errors()]
        raise ConfigError("\n".join(f"{recipe}.{line}" for line in found)) from None


def canonical(section: Any) -> str:
    """One canonical JSON string for a section or plain data: sorted keys, no spaces.

    Snakemake compares params as a bag of values; one string per rule makes that comparison exact.
    """
    data = section.model_dump(mode="json") if hasattr(section, "model_dump") else section
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _explain(item: Any, data: Mapping[str, Any]) -> str:
    path = ".".join(_visible(item["loc"], data)) or "config"
    found = item.get("input")
    if item["type"] == "extra_forbidden":
        return f"{path}: unknown key{_did_you_mean(item['loc'])}"
    if item["type"] == "missing":
        return f"{path}: required, but not given"
    if item["type"] == "value_error":
        message = str(item["ctx"]["error"])
        return message if not item["loc"] else f"{path}: {message}"
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"{path}: {message}; found {found!r}{_hint(found)}"


def _visible(location: tuple[Any, ...], data: Any) -> list[str]:
    """The key path as the user wrote it, without the tags that Pydantic inserts for alternatives."""
    parts = []
    for part in location[:-1]:
        if (isinstance(data, Mapping) and part in data) or (
            isinstance(data, list | tuple) and isinstance(part, int)
        ):
            data = data[part]
        else:
            continue
        parts.append(str(part))
    return [*parts, *(str(part) for part in location[-1:])]


def _hint(found: Any) -> str:
    if isinstance(found, str):
        try:
            number = float(found)
        except ValueError:
            return ""
        if "e" in found.lower():
            return f" (YAML reads {found} as text; write {_with_point(found)})"
        return f" (a number in quotes; write {number:g})"
    return ""


def _with_point(text: str) -> str:
    mantissa, exponent = text.lower().split("e")
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _did_you_mean(location: tuple[Any, ...]) -> str:
    allowed = list(_model_at(location[:-1]).model_fields)
    close = get_close_matches(str(location[-1]), allowed, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (allowed: {', '.join(allowed)})"


def _model_at(location: tuple[Any, ...]) -> type[BaseModel]:
    """The section that a Pydantic error location lies in; a location names keys and alternatives' tags."""
    kind: Any = Config
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[part].annotation
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            kind = next(model for model in _alternatives(kind) if part in _tags(model))
    return kind


def _alternatives(kind: Any) -> tuple[type[BaseModel], ...]:
    union = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(union)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return tuple(
        tag
        for field in model.model_fields.values()
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    )
