"""The picture of which package imports which: ``python -m vfm_fusion.workflow.import_graph`` draws it.

Packages stand in layers, each above all that it imports. A package that imports itself by way of others has
no layer, so the picture can only be drawn of a house in which imports go one way.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path

from vfm_fusion.atomic import write_text
from vfm_fusion.errors import ConfigError

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "imports.svg"

_BOX, _GAP, _ROW = (132, 40), 26, 104
_STYLE = (
    "<style>text{font:13px sans-serif;text-anchor:middle;fill:#222}.small{font-size:10px;fill:#666}"
    "rect{fill:#eef3f8;stroke:#5b7c99}path{fill:none;stroke:#c9d3dc}.near{stroke:#5b7c99;stroke-width:1.4}"
    "</style>"
)

Graph = Mapping[str, frozenset[str]]
"""Package to the packages that it imports."""


def import_graph(root: Path = ROOT) -> dict[str, frozenset[str]]:
    """Reads which package of ``vfm_fusion`` imports which others, imports inside functions included.

    Single modules beside the packages (``errors``, ``atomic``, ``compat``) are below all and left out.
    """
    imported: dict[str, set[str]] = {}
    for path in sorted((root / "vfm_fusion").glob("*/**/*.py")):
        package = path.relative_to(root / "vfm_fusion").parts[0]
        found = imported.setdefault(package, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vfm_fusion"):
                _, _, inner = str(node.module).partition(".")
                found |= {inner.split(".")[0]} if inner else {alias.name for alias in node.names}
    return {name: frozenset(found & imported.keys() - {name}) for name, found in imported.items()}


def layers(graph: Graph) -> list[list[str]]:
    """Sorts packages into layers, the lowest first: each as low as what it imports allows.

    Raises:
        ConfigError: packages import one another in a circle.
    """
    level: dict[str, int] = {}
    while len(level) < len(graph):
        ready = [name for name in graph if name not in level and graph[name] <= level.keys()]
        if not ready:
            circle = ", ".join(sorted(graph.keys() - level.keys()))
            raise ConfigError(
                f"packages import one another in a circle, somewhere among: {circle}. Data flows one way; "
                "move what both need into the lower one"
            )
        level |= {name: max((level[below] + 1 for below in graph[name]), default=0) for name in ready}
    return [
        sorted(name for name in level if level[name] == height) for height in range(max(level.values()) + 1)
    ]


def nearest(graph: Graph) -> dict[str, frozenset[str]]:
    """Leaves out what a package imports that another of its imports imports already, directly or not."""
    below: dict[str, set[str]] = {}
    for layer in layers(graph):
        for name in layer:
            below[name] = set(graph[name]).union(*(below[other] for other in graph[name]))
    return {
        name: frozenset(other for other in found if not any(other in below[third] for third in found))
        for name, found in graph.items()
    }


def draw(root: Path = ROOT) -> str:
    """Returns the picture as SVG: dark lines for the nearest imports, light ones for the others."""
    graph = import_graph(root)
    rows, near = layers(graph)[::-1], nearest(graph)
    width = max(len(row) for row in rows) * (_BOX[0] + _GAP) + _GAP
    height = len(rows) * _ROW
    places = {
        name: ((position + 0.5) * width / len(row), number * _ROW + 10)
        for number, row in enumerate(rows)
        for position, name in enumerate(row)
    }
    lines = [
        (other in near[name], _line(places[name], places[other]))
        for name in graph
        for other in sorted(graph[name])
    ]
    parts = [f'<path class="{"near" if dark else "far"}" d="{line}"/>' for dark, line in sorted(lines)]
    parts += [_box(name, *places[name], root) for name in graph]
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}">'
    return f"{head}\n{_STYLE}\n{body}\n</svg>\n"


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x, y), (to_x, to_y) = (start[0], start[1] + _BOX[1]), end
    bend = (to_y - y) / 2
    return f"M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}"


def _box(name: str, x: float, y: float, root: Path) -> str:
    files = list((root / "vfm_fusion" / name).rglob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    size = f"{len(files)} files, {lines / 1000:.1f} k lines"
    return (
        f'<rect x="{x - _BOX[0] / 2:.0f}" y="{y}" width="{_BOX[0]}" height="{_BOX[1]}" rx="5"/>'
        f'<text x="{x:.0f}" y="{y + 17}">{escape(name)}</text>'
        f'<text class="small" x="{x:.0f}" y="{y + 32}">{size}</text>'
    )


def main() -> int:
    """Draws the picture; with ``--check`` only says whether imports still go one way."""
    try:
        picture = draw()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    if "--check" not in sys.argv:
        write_text(PICTURE, picture)
        print(f"{PICTURE.relative_to(ROOT)}: written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
