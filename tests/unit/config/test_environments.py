"""The pinned environments agree with each other and with the project's ranges."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins(lines: list[str]) -> dict[str, str]:
    split = (line.strip().split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in split}


def test_conda_environments_pin_what_the_constraints_pin(repository: Path) -> None:
    constraints = pins((repository / "constraints.txt").read_text().splitlines())
    for path in (repository / "envs").glob("*.yaml"):
        (packages,) = [
            d["pip"] for d in yaml.safe_load(path.read_text())["dependencies"] if isinstance(d, dict)
        ]
        found = pins(packages)
        assert len(found) == len(packages)
        assert found == {name: constraints[name] for name in found}, path.name


def test_constraints_lie_in_the_projects_ranges(repository: Path) -> None:
    constraints = pins((repository / "constraints.txt").read_text().splitlines())
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"] + project["optional-dependencies"]["dev"]:
        requirement = Requirement(text)
        assert constraints[canonicalize_name(requirement.name)] in requirement.specifier, text
