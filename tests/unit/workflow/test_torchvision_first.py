"""What imports torchvision can come first of all: a build of it that needs mending is mended before."""

from __future__ import annotations

import ast
from pathlib import Path

NEED_IT = {"timm", "torchvision", "transformers"}


def imported(statement: ast.stmt) -> set[str]:
    names = [statement.module or ""] if isinstance(statement, ast.ImportFrom) else []
    names += [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
    return {name.partition(".")[0] for name in names}


def test_every_module_mends_torchvision_before_it_is_imported(repository: Path) -> None:
    early, seen = [], 0
    for path in (repository / "vfm_fusion").rglob("*.py"):
        mended = path.name == "compat.py"
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            mended = mended or ast.unparse(statement) == "ensure_torchvision()"
            if NEED_IT & imported(statement):
                seen += 1
                early += [] if mended else [f"{path.relative_to(repository)}:{statement.lineno}"]
    assert seen > 5
    assert early == []
