"""The notebook and the snippets of docs/profile.md run as they stand, offline."""

from __future__ import annotations

import ast
import doctest
import json
import re
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from vfm_fusion.config.datasets import MiniscapesConfig
from vfm_fusion.miniature.scenes.render import render


def run_cell(source: str, names: dict[str, object]) -> object:
    """Runs a cell and returns what it ends with."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.parametrize("module", ["call", "own_encoder"])
def test_the_examples_of_docstrings_run(module: str) -> None:
    done = doctest.testmod(import_module(f"vfm_fusion.profiling.{module}"))
    assert done.attempted
    assert not done.failed


def test_the_notebook_runs(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = repository / "examples" / "three_encoders.ipynb"
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    nbformat.validate(notebook)
    names: dict[str, object] = {"__name__": "__main__"}
    shown = [run_cell(cell.source, names) for cell in notebook.cells if cell.cell_type == "code"]
    pictures = [one._repr_html_().count("<img ") for one in shown if type(one).__name__.startswith("Profile")]
    assert pictures == [2, 2]
    printed = capsys.readouterr().out
    assert "10 (128, 256, 3) uint8" in printed
    assert re.search(r"mini-\w+ into mini-\w+ at OS \d+", printed)
    assert "my model" in printed
    assert all(not cell.get("outputs") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a folder of photos, and one of masks."""
    scenes = MiniscapesConfig(kind="miniscapes", height=128, width=160)
    for number in range(2):
        rendered = render(scenes, "val", number)
        for name, pixels in (("photos", rendered.image), ("masks", rendered.annotation.label_ids)):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_snippets_of_the_page_run(folder: Path, repository: Path) -> None:
    text = (repository / "docs" / "profile.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) >= 4
    names: dict[str, object] = {"__name__": "__main__"}
    for snippet in snippets:
        exec(compile(snippet, "docs/profile.md", "exec"), names)
    assert (folder / "profile" / "profile.html").is_file()
