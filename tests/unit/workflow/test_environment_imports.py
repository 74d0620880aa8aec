"""Every conda environment installs what the scripts that run in it import, however deep."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.utils import canonicalize_name

from vfm_fusion.reporting.registry import REPORTS

ROOT = Path(__file__).parents[3]
INSTALLED_WITH_TIMM = {"huggingface-hub"}


@cache
def imports(path: Path) -> frozenset[str]:
    """Names that a file imports anywhere, as modules or from modules."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def module_file(name: str) -> Path | None:
    base = ROOT / Path(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


distributions = cache(packages_distributions)


def packages(script: Path) -> set[str]:
    """Distributions behind everything that a script reaches."""
    owners = distributions()
    pending, reached, found = set(imports(script)), set(), set()
    while pending:
        name = pending.pop()
        top = name.partition(".")[0]
        if top != "vfm_fusion":
            found |= {canonicalize_name(owner) for owner in owners.get(top, [])} - {"snakemake"}
        elif name not in reached:
            reached.add(name)
            path = module_file(name)
            pending |= {name.rpartition(".")[0]} | (imports(path) if path else set())
            pending -= reached | {""}
    return found


def scripts(environment: str) -> list[Path]:
    """Scripts of the rules that name an environment, and modules of the reports that do."""
    rules = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    bodies = [body for body in re.split(r"^(?=rule )", rules, flags=re.MULTILINE) if environment in body]
    names = [name for body in bodies for name in re.findall(r"scripts/(\w+\.py)", body)]
    reports = [report for report in REPORTS if report.environment == environment]
    modules = {name: module_file(name) for report in reports for name in report.modules}
    scripts_of_reports = ["report.py"] if reports else []
    return [ROOT / "workflow_scripts" / name for name in [*names, *scripts_of_reports]] + list(
        modules.values()
    )


@pytest.mark.parametrize("environment", ["workflow.yaml", "training.yaml"])
def test_an_environment_has_what_its_scripts_import(environment: str) -> None:
    listed = yaml.safe_load((ROOT / "envs" / environment).read_text())["dependencies"]
    (pinned,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    installed = {canonicalize_name(pin.partition("==")[0]) for pin in pinned} | INSTALLED_WITH_TIMM
    found = scripts(environment)
    assert len(found) > 5
    lacking = {path.name: packages(path) - installed for path in found}
    assert not {name: names for name, names in lacking.items() if names}
    assert "torch" in packages(ROOT / "workflow_scripts" / "train.py"), "imports are followed"
