"""Generates the JSON schema and the documented defaults: ``python -m vfm_fusion.config.document``."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from vfm_fusion.atomic import write_text
from vfm_fusion.config.clicks import ClickModelConfig
from vfm_fusion.config.datasets import FolderConfig, MiniscapesConfig
from vfm_fusion.config.encoders import (
    CheckpointWeights,
    EncoderConfig,
    FileWeights,
    HubWeights,
    SeededWeights,
)
from vfm_fusion.config.features import ProfiledConfig
from vfm_fusion.config.interactive import GridConfig, InteractiveConfig
from vfm_fusion.config.metrics import MetricConfig, ProfileConfig
from vfm_fusion.config.own_data import OwnCocoConfig
from vfm_fusion.config.own_folder_data import FolderObjects, OwnFolderConfig
from vfm_fusion.config.pretraining import (
    MultilabelConfig,
    PretrainedConfig,
    PretrainingConfig,
    PromptableMasksConfig,
    SelfDistillationConfig,
)
from vfm_fusion.config.recipes import RecipeConfig
from vfm_fusion.config.runs import RunConfig
from vfm_fusion.config.schema import Config
from vfm_fusion.config.upsampling import UpsamplerConfig, UpsamplerFile, UpsamplerTrained

SCHEMA = Path("docs/config.schema.json")
DEFAULTS = Path("docs/config.default.yaml")

_HEAD = """\
# Every setting with its default and meaning. Generated from vfm_fusion/config (make config); do not edit.
# Write the keys you want to change into config.yaml, or pass them with --config.
"""
_ENTRIES: dict[tuple[type[BaseModel], str], tuple[type[BaseModel], ...]] = {
    (Config, "datasets"): (MiniscapesConfig, FolderConfig, OwnFolderConfig, OwnCocoConfig),
    (Config, "also_profiled"): (ProfiledConfig,),
    (Config, "encoders"): (EncoderConfig,),
    (ProfileConfig, "definitions"): (MetricConfig,),
    (Config, "recipes"): (RecipeConfig,),
    (Config, "upsamplers"): (UpsamplerConfig,),
    (Config, "runs"): (RunConfig,),
    (PretrainingConfig, "models"): (PretrainedConfig,),
    (PretrainedConfig, "objective"): (SelfDistillationConfig, PromptableMasksConfig, MultilabelConfig),
    (EncoderConfig, "weights"): (SeededWeights, FileWeights, HubWeights, CheckpointWeights),
    (UpsamplerConfig, "weights"): (UpsamplerFile, UpsamplerTrained),
    (OwnFolderConfig, "objects"): (FolderObjects,),
    (InteractiveConfig, "click_models"): (ClickModelConfig,),
    (InteractiveConfig, "grid"): (GridConfig,),
}
"""(Section, key) whose value is chosen or repeated by the user -> the sections that may stand there."""


def json_schema() -> str:
    """Returns the JSON schema of the whole configuration."""
    return json.dumps(Config.model_json_schema(), indent=2, sort_keys=True) + "\n"


def documented_defaults() -> str:
    """Returns YAML with every key, its default and its description."""
    return _HEAD + "\n".join(_section(Config, 0)) + "\n"


def _section(
    model: type[BaseModel], depth: int, commented: bool = False, given: Any = PydanticUndefined
) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(given, model):
            field = copy(field)
            field.default, field.default_factory = getattr(given, name), None
        yield from _comment(field.description or "", depth)
        yield from _entry(model, name, field, depth, commented)


def _entry(
    section: type[BaseModel], name: str, field: FieldInfo, depth: int, commented: bool
) -> Iterator[str]:
    """One key; what the user chooses or repeats is shown commented out, once."""
    indent = "  " * depth
    annotation = field.annotation
    if name in Config.possible_systems():
        lines = [f"{name}:", *_section(Config.possible_systems()[name], 1, commented=True)]
        yield from (_commented(line, 0) for line in lines)
    elif (section, name) in _ENTRIES:
        yield f"{indent}{name}:"
        for model in _ENTRIES[section, name]:
            yield from _possible(model, depth + 1, commented, keyed=get_origin(annotation) is dict)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield f"{indent}{name}:"
        yield from _section(annotation, depth + 1, commented, field.get_default(call_default_factory=True))
    elif isinstance(default := field.get_default(call_default_factory=True), BaseModel):
        yield f"{indent}{name}:"
        yield from _section(type(default), depth + 1, commented)
        for model in get_args(annotation):
            if not isinstance(default, model) and issubclass(model, BaseModel):
                yield from _possible(model, depth + 1, commented)
    elif isinstance(default, dict) and default:
        yield f"{indent}{name}:"
        yield from (f"{indent}  {key}: {_yaml(value)}" for key, value in default.items())
    else:
        yield f"{indent}{name}: {_default(field)}"


def _possible(model: type[BaseModel], depth: int, commented: bool, keyed: bool = False) -> Iterator[str]:
    """A section that may stand here, commented out."""
    indent = "  " * depth
    yield from _comment((model.__doc__ or "").splitlines()[0], depth)
    lines = [*([f"{indent}<name>:"] if keyed else []), *_section(model, depth + keyed, commented=True)]
    yield from lines if commented else (_commented(line, len(indent)) for line in lines)


def _commented(line: str, column: int) -> str:
    return f"{line[:column]}# {line[column:]}"


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        is_choice = get_origin(field.annotation) is Literal
        return f"{get_args(field.annotation)[0]}" if is_choice else "# required"
    return _yaml(list(default) if isinstance(default, tuple) else default)


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def _comment(text: str, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for line in textwrap.wrap(text, 108 - len(indent)):
        yield f"{indent}# {line}"


def main() -> int:
    """Writes both files; with ``--check`` only says whether they are up to date."""
    stale = []
    for path, text in ((SCHEMA, json_schema()), (DEFAULTS, documented_defaults())):
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if "--check" not in sys.argv:
            write_text(path, text)
    for path in stale:
        print(f"{path}: {'out of date; run make config' if '--check' in sys.argv else 'written'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
