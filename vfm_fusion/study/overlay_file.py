"""Overlays as files: YAML in which every key stands once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from vfm_fusion.errors import ConfigError


class _EveryKeyOnce(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML's readers keep the last and say nothing."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, list[int]] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                lines.setdefault(key.value, []).append(key.start_mark.line + 1)
        for name, given in lines.items():
            if len(given) > 1:
                raise ConfigError(f"{name}: is given in lines {' and '.join(map(str, given))}; keep one")
        return node


def read_overlay(path: Path) -> dict[str, Any]:
    """Reads an overlay.

    Raises:
        ConfigError: it is no YAML, gives a key twice, or is no section with keys.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_EveryKeyOnce)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict | None):
        raise ConfigError(f"{where}: expected keys, each with what it stands for; found {content!r:.60}")
    return content or {}
