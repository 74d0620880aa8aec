"""Code fingerprints follow imports and ignore what does nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vfm_fusion.errors import ConfigError
from vfm_fusion.workflow import fingerprint as fingerprints
from vfm_fusion.workflow.fingerprint import Sources, fingerprint, in_use

FILES = {
    "script.py": '"""Doc."""\nfrom vfm_fusion.a import f\nprint(f())\n',
    "vfm_fusion/__init__.py": '"""Package."""\n',
    "vfm_fusion/a.py": "from vfm_fusion.sub.b import g\n\n\ndef f():\n    return g() + 1\n",
    "vfm_fusion/sub/__init__.py": "",
    "vfm_fusion/sub/b.py": "def g():\n    return 1\n",
    "vfm_fusion/unrelated.py": "X = 1\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def edit(tree: Path, name: str, text: str) -> None:
    path = tree / name
    path.write_text(text)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))


def edit_new(tree: Path, name: str, text: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("script.py", FILES["script.py"].replace("print(f())", "print(f(), 2)")),
        ("vfm_fusion/a.py", FILES["vfm_fusion/a.py"].replace("+ 1", "+ 2")),
        ("vfm_fusion/sub/b.py", "def g():\n    return 2\n"),
        ("vfm_fusion/sub/__init__.py", "import sys\n"),
        ("vfm_fusion/a.py", "def f():\n    from vfm_fusion.unrelated import X\n    return X\n"),
    ],
)
def test_an_edit_of_reached_code_changes_it(tree: Path, name: str, text: str) -> None:
    before = fingerprint(tree / "script.py", tree)
    edit(tree, name, text)
    assert fingerprint(tree / "script.py", tree) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("script.py", FILES["script.py"]),
        ("script.py", '"""Other words."""\n# A comment.\nfrom vfm_fusion.a import f\n\nprint( f() )\n'),
        ("vfm_fusion/a.py", FILES["vfm_fusion/a.py"].replace("f():\n", 'f():\n    """New docstring."""\n')),
        ("vfm_fusion/unrelated.py", "X = 2\n"),
    ],
)
def test_touch_comment_layout_docstring_and_unrelated_code_do_not(tree: Path, name: str, text: str) -> None:
    before = fingerprint(tree / "script.py", tree)
    edit(tree, name, text)
    assert fingerprint(tree / "script.py", tree) == before


def test_modules_loaded_by_name_count_where_their_loader_is_reached(tree: Path) -> None:
    for name in ("one", "two", "behind"):
        edit_new(tree, f"vfm_fusion/sub/{name}.py", "X = 1\n")
    edit(tree, "vfm_fusion/sub/one.py", "from vfm_fusion.sub import behind\n")
    loaded = {"vfm_fusion.sub.b": ["vfm_fusion.sub.one"], "vfm_fusion.unrelated": ["vfm_fusion.sub.two"]}

    def seen() -> str:
        return fingerprint(tree / "script.py", tree, loaded)

    before = seen()
    assert before != fingerprint(tree / "script.py", tree)
    edit(tree, "vfm_fusion/sub/two.py", "X = 2\n")
    assert seen() == before
    edit(tree, "vfm_fusion/sub/behind.py", "X = 2\n")
    assert seen() != before


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("encoders/entries/a", False),
        ("config/registries", False),
        ("config/registries_read", True),
        ("encoders/entries_read", True),
    ],
)
def test_tables_of_names_alone_do_not_count(tree: Path, name: str, counts: bool) -> None:
    file, module = f"vfm_fusion/{name}.py", f"vfm_fusion.{name.replace('/', '.')}"
    edit_new(tree, file, "X = 1\n")
    edit(tree, "script.py", f"from {module} import X\n")
    before = fingerprint(tree / "script.py", tree)
    edit(tree, file, "X = 2\n")
    assert (fingerprint(tree / "script.py", tree) != before) == counts


def test_a_line_of_a_registry_counts_where_it_is_used(tree: Path) -> None:
    for name in ("one", "two", "three"):
        edit_new(tree, f"vfm_fusion/sub/{name}.py", f"X = Y = Z = {name!r}\n")
    one, two, three = (f"vfm_fusion.sub.{name}" for name in ("one", "two", "three"))
    registry = {"a": f"{one}:X", "b": f"{two}:X", "c": f"{one}:Y"}

    def seen(**lines: str) -> str:
        loaded = {"vfm_fusion.a": in_use({**registry, **lines}, ["a", "b"])}
        return fingerprint(tree / "script.py", tree, loaded)

    before = seen()
    assert seen(d=f"{three}:X") == seen(d=f"{one}:Z") == before
    changed = [seen(a=f"{three}:X"), seen(a=f"{one}:Z"), seen(a=f"{two}:X", b=f"{one}:X")]
    assert len({before, *changed}) == 4


def test_a_loaded_module_that_is_missing_is_named(tree: Path) -> None:
    with pytest.raises(ConfigError, match=r"vfm_fusion\.sub\.bb:X.*no module vfm_fusion\.sub\.bb .*registry"):
        fingerprint(tree / "script.py", tree, {"vfm_fusion.a": ["vfm_fusion.sub.bb:X"]})


@pytest.mark.parametrize(
    ("name", "there"),
    [("f", True), ("A", True), ("B", True), ("C", True), ("given", True), ("g", False), ("ff", False)],
)
def test_a_loaded_object_that_is_missing_is_named(tree: Path, name: str, there: bool) -> None:
    text = "from x import y as given\nA: int = 1\nif A:\n    B, C = 1, 2\n\n\ndef f():\n    g = 1\n"
    edit_new(tree, "vfm_fusion/sub/one.py", text)
    loaded = {"vfm_fusion.a": [f"vfm_fusion.sub.one:{name}"]}
    if there:
        fingerprint(tree / "script.py", tree, loaded)
        return
    with pytest.raises(ConfigError, match=rf"one:{name}'.* no {name} in .*one\.py, which vfm_fusion\.a"):
        fingerprint(tree / "script.py", tree, loaded)


@pytest.mark.parametrize("line", ["from . import unrelated", "from .unrelated import X", "from ..a import f"])
def test_a_relative_import_is_refused(tree: Path, line: str) -> None:
    edit(tree, "vfm_fusion/sub/b.py", f"def g():\n    {line}\n    return 1\n")
    with pytest.raises(SyntaxError, match=r"sub/b\.py, line 2: .*write the module's whole name"):
        fingerprint(tree / "script.py", tree)


def test_descriptions_of_settings_do_not(tree: Path) -> None:
    edit(tree, "vfm_fusion/a.py", "from pydantic import Field\nf = Field(1, ge=0, description='old')\n")
    before = fingerprint(tree / "script.py", tree)
    edit(tree, "vfm_fusion/a.py", "from pydantic import Field\nf = Field(1, ge=0, description='new')\n")
    assert fingerprint(tree / "script.py", tree) == before
    edit(tree, "vfm_fusion/a.py", "from pydantic import Field\nf = Field(1, ge=1, description='new')\n")
    assert fingerprint(tree / "script.py", tree) != before


def test_metric_code_reaches_profiling_but_neither_extraction_nor_training(repository: Path) -> None:
    scripts = repository / "workflow_scripts"
    reached = {
        name: fingerprint(scripts / f"{name}.py", repository)
        for name in ("extract_features", "profile_encoder", "train")
    }
    assert len(set(reached.values())) == 3


def test_files_are_taken_apart_once_and_again_when_they_change(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    look_at = fingerprints._look_at

    def watched(content: bytes, path: Path) -> fingerprints.Source:
        looked_at.append(path.name)
        return look_at(content, path)

    monkeypatch.setattr(fingerprints, "_look_at", watched)
    kept = tmp_path / "kept" / "fingerprints.json"

    def seen() -> str:
        sources = Sources(kept)
        found = fingerprint(tree / "script.py", tree, sources=sources)
        sources.save()
        return found

    first = seen()
    assert sorted(looked_at) == ["__init__.py", "__init__.py", "a.py", "b.py", "script.py"]
    looked_at.clear()
    assert seen() == first == fingerprint(tree / "script.py", tree, sources=Sources(kept))
    assert looked_at == []
    edit(tree, "vfm_fusion/sub/b.py", "def g():\n    return 2\n")
    assert seen() != first
    assert looked_at == ["b.py"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"maker": "another", "known": {}}', '{"maker": 1}'])
def test_what_is_kept_is_made_anew_when_it_cannot_be_used(tree: Path, tmp_path: Path, content: str) -> None:
    kept = tmp_path / "fingerprints.json"
    kept.write_text(content)
    expected = fingerprint(tree / "script.py", tree)
    sources = Sources(kept)
    assert fingerprint(tree / "script.py", tree, sources=sources) == expected
    sources.save()
    assert Sources(kept).of(tree / "script.py") == sources.of(tree / "script.py")
