"""Code fingerprints: which rules an edit concerns.

Snakemake does not see an edit in a module that a script imports, and takes a touched script for a changed
one. So every rule carries a param ``code``: a hash of what its script and the project's own modules behind it
*do*. Comments, docstrings, formatting and the ``description=`` texts of settings are not part of it.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.errors import ConfigError

PACKAGE = "vfm_fusion"

DECLARATIONS = (
    "vfm_fusion.config.registries.",
    "vfm_fusion.encoders.entries.",
    "vfm_fusion.encoders.registry.",
    "vfm_fusion.evaluation.registry.",
)
"""Modules and packages that hold declarations only, and compute nothing.

They are left out: what rules use of them is in their params, or among the modules that they load by name.
"""


@dataclass(frozen=True)
class Source:
    """What matters of one file.

    Attributes:
        digest: SHA-256 of what the file does.
        imports: names of the project's own modules that it may import, packages on the way included.
        objects: names that it defines, those inside functions and classes left out.
    """

    digest: str
    imports: frozenset[str]
    objects: frozenset[str]


class Sources:
    """Files that have been looked at, kept on disk by their content.

    Every job of a workflow reads the rules anew. Taking three hundred files apart is most of that time, and
    finding that none has changed is little.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Takes up what is known.

        Args:
            file: where it is kept (JSON); nowhere when left out. What another version of Python or of this
                module wrote is not used.
        """
        self._file = file
        self._maker = hashlib.sha256(
            f"{sys.version_info[:3]}{Path(__file__).read_text()}".encode()
        ).hexdigest()
        self._known: dict[str, Source] = {}
        self._looked_at: dict[tuple[Path, int, int], Source] = {}
        self._new = False
        self._read()

    def of(self, path: Path) -> Source:
        """Returns what matters of a file.

        Raises:
            SyntaxError: it does not parse, or has a relative import.
            FileNotFoundError: it does not exist.
        """
        status = path.stat()
        state = (path, status.st_mtime_ns, status.st_size)
        if state not in self._looked_at:
            content = path.read_bytes()
            key = hashlib.sha256(content).hexdigest()
            if key not in self._known:
                self._known[key] = _look_at(content, path)
                self._new = True
            self._looked_at[state] = self._known[key]
        return self._looked_at[state]

    def save(self) -> None:
        """Keeps what is new for the next process."""
        if self._file is None or not self._new:
            return
        known = {
            key: [source.digest, sorted(source.imports), sorted(source.objects)]
            for key, source in self._known.items()
        }
        write_text(self._file, json.dumps({"maker": self._maker, "known": known}))
        self._new = False

    def _read(self) -> None:
        if self._file is None or not self._file.is_file():
            return
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            if kept["maker"] == self._maker:
                self._known = {
                    key: Source(digest, frozenset(imports), frozenset(objects))
                    for key, (digest, imports, objects) in kept["known"].items()
                }
        except (ValueError, KeyError, TypeError):  # it only saves time: made anew
            self._known = {}


def fingerprint(
    script: Path,
    root: Path,
    loaded: Mapping[str, Sequence[str]] | None = None,
    sources: Sources | None = None,
) -> str:
    """Hashes a script and every first-party module that it reaches by import, transitively.

    Args:
        script: the Python script.
        root: folder that holds the ``vfm_fusion`` package.
        loaded: module to what it imports by name when it runs, each a ``module`` or ``module:object``. They
            count where it is reached, in this order.
        sources: what is known of the files.

    Returns:
        16 hexadecimal digits; equal for any two versions of the code that differ only in comments,
        docstrings, layout or descriptions of settings.

    Raises:
        ConfigError: there is no such module as one of ``loaded``, or it defines no such object.
        SyntaxError: a reached module does not parse, or has a relative import.
        FileNotFoundError: the script does not exist.
    """
    loaded, sources = loaded or {}, sources or Sources()
    reached: dict[str, Source] = {}
    pending = set(sources.of(script).imports)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        seen.add(name)
        path = None if f"{name}.".startswith(DECLARATIONS) else _module_file(name, root)
        if path is not None:
            reached[name] = sources.of(path)
            pending |= (reached[name].imports | _modules(loaded.get(name, ()), name, root, sources)) - seen
    digest = hashlib.sha256(sources.of(script).digest.encode())
    for name in sorted(reached):
        digest.update(f"\n# {name} {list(loaded.get(name, ()))}\n{reached[name].digest}".encode())
    return digest.hexdigest()[:16]


def in_use(registry: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Finds the part of a registry that rules depend on where some of its names are used.

    Args:
        registry: name to ``module:object``.
        names: those that are used.

    Returns:
        The ``module:object`` of every used name, in the order of the names: a line that nothing uses is not
        among them, and names that change places are.
    """
    return [registry[name] for name in sorted(set(names))]


def _modules(targets: Sequence[str], loader: str, root: Path, sources: Sources) -> set[str]:
    for target in targets:
        module, _, name = target.partition(":")
        path = _module_file(module, root)
        if path is None or name not in {"", *sources.of(path).objects}:
            missing = f"no module {module} below {root}" if path is None else f"no {name} in {path}"
            raise ConfigError(
                f"{target!r}: there is {missing}, which {loader} would load; correct the line of the "
                "registry that names it"
            )
    return {target.partition(":")[0] for target in targets}


def _look_at(content: bytes, path: Path) -> Source:
    tree = ast.parse(content, filename=str(path))
    imports = _imports(tree, path)  # before the docstrings go
    text = ast.unparse(_Normaliser().visit(tree))
    return Source(hashlib.sha256(text.encode()).hexdigest(), imports, _objects(tree))


def _objects(tree: ast.Module) -> frozenset[str]:
    names: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        pending += ast.iter_child_nodes(node)
    return frozenset(names)


def _imports(tree: ast.Module, path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SyntaxError(
                    f"{path}, line {node.lineno}: a relative import, which code fingerprints do not follow; "
                    "write the module's whole name"
                )
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    own = {name for name in names if name.split(".")[0] == PACKAGE}
    parents = {".".join(name.split(".")[:n]) for name in own for n in range(1, name.count(".") + 1)}
    return frozenset(own | parents)


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
