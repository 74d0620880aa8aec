"""Code fingerprints: which rules an edit concerns.

Snakemake does not see an edit in a module that a script imports, and takes a touched script for a changed
one. So every rule carries a param ``code``: a hash of what its script and the project's own modules behind it
*do*. Comments, docstrings, formatting and the ``description=`` texts of settings are not part of it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

PACKAGE = "vfm_fusion"

DECLARATIONS = "vfm_fusion.encoders.entries."
"""Modules that hold declarations only. They are left out: what rules use of them is in their params."""


def fingerprint(script: Path, root: Path, loaded: Mapping[str, Collection[str]] | None = None) -> str:
    """Hashes a script and every first-party module that it reaches by import, transitively.

    Args:
        script: the Python script.
        root: folder that holds the ``vfm_fusion`` package.
        loaded: module to the modules that it imports by name when it runs; they count where it is reached.

    Returns:
        16 hexadecimal digits; equal for any two versions of the code that differ only in comments,
        docstrings, layout or descriptions of settings.

    Raises:
        SyntaxError: a reached module does not parse.
        FileNotFoundError: the script does not exist.
    """
    loaded = loaded or {}
    reached: dict[str, Path] = {}
    pending = _imports(script, root)
    while pending:
        name = pending.pop()
        path = _module_file(name, root)
        if path is None or name in reached or name.startswith(DECLARATIONS):
            continue
        reached[name] = path
        pending |= (_imports(path, root) | set(loaded.get(name, ()))) - reached.keys()
    digest = hashlib.sha256(_normalised(script, script.stat().st_mtime_ns).encode())
    for name in sorted(reached):
        path = reached[name]
        digest.update(f"\n# {name}\n{_normalised(path, path.stat().st_mtime_ns)}".encode())
    return digest.hexdigest()[:16]


@cache
def _tree(path: Path, _mtime: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _normalised(path: Path, mtime: int) -> str:
    return ast.unparse(_Normaliser().visit(ast.parse(ast.unparse(_tree(path, mtime)))))


def _imports(path: Path, root: Path) -> set[str]:
    """Names of the first-party modules that executing ``path`` imports, packages on the way included."""
    names: set[str] = set()
    for node in ast.walk(_tree(path, path.stat().st_mtime_ns)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    first_party = {name for name in names if name.split(".")[0] == PACKAGE}
    parents = {".".join(name.split(".")[:n]) for name in first_party for n in range(1, name.count(".") + 1)}
    return {name for name in first_party | parents if _module_file(name, root) is not None}


def _module_file(name: str, root: Path) -> Path | None:
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


class _Normaliser(ast.NodeTransformer):
    """Removes docstrings and the ``description`` of settings."""

    def _strip(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body = [statement for statement in node.body if not _is_text(statement)] or [ast.Pass()]
        return node

    visit_Module = visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _strip  # noqa: N815

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "Field":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
        return node


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
