"""A figure that cannot be drawn states the reason in its files; a table or text ends with an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from vfm_fusion.reporting.make import make_or_state
from vfm_fusion.reporting.render.figure_files import MOST_PIXELS, save_figure
from vfm_fusion.reporting.render.undrawn import undrawn

RENDER = "vfm_fusion.reporting.render"
MODULE = """
from matplotlib.figure import Figure
from vfm_fusion.errors import ReportingError

def build(inputs, settings):
    if settings["wrong"]:
        error = {"name": ReportingError, "fault": KeyError}[settings["wrong"]]
        raise error("images differ: $5 < $6 – ü " * 9)
    return {"one": Figure(), "two": Figure()}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "drawn_or_not.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    names = {f"{part}_{suffix}": f"{part}.{suffix}" for part in ("one", "two") for suffix in ("pdf", "png")}
    return {name: str(tmp_path / file) for name, file in names.items()}


@pytest.mark.parametrize(("wrong", "name"), [("name", "ReportingError"), ("fault", "KeyError")])
def test_every_file_states_the_reason(
    files: dict[str, str], caplog: pytest.LogCaptureFixture, wrong: str, name: str
) -> None:
    settings = {"dpi": 50, "wrong": wrong}
    make_or_state("drawn_or_not", f"{RENDER}.figure_files", {}, settings, files)
    assert all(Path(path).stat().st_size for path in files.values())
    found = undrawn(files.values())
    assert [path.name for path in found] == ["one.png", "two.png"]
    assert all(reason.startswith(f"{name}: ") and "$5 < $6 – ü" in reason for reason in found.values())
    assert "Traceback" in caplog.text
    assert "raise error(" in caplog.text

    make_or_state("drawn_or_not", f"{RENDER}.figure_files", {}, settings | {"wrong": None}, files)
    assert undrawn(files.values()) == {}


def test_a_table_or_text_is_never_replaced(files: dict[str, str], tmp_path: Path) -> None:
    for writer, suffixes in (("table_files", ("csv", "tex", "md", "html")), ("text_files", ("md", "html"))):
        outputs = {suffix: str(tmp_path / f"new.{suffix}") for suffix in suffixes}
        with pytest.raises(KeyError):
            make_or_state("drawn_or_not", f"{RENDER}.{writer}", {}, {"wrong": "fault"}, outputs)
        assert not any(Path(path).exists() for path in outputs.values())


def test_files_that_are_not_there_state_nothing(tmp_path: Path) -> None:
    assert undrawn([tmp_path / "none.png", tmp_path / "table.md"]) == {}


def test_a_figure_of_many_rows_is_drawn_as_finely_as_fits(tmp_path: Path) -> None:
    from PIL import Image

    png = tmp_path / "high.png"
    save_figure(Figure(figsize=(0.5, 500)), pdf=tmp_path / "high.pdf", png=png, dpi=200)
    with Image.open(png) as image:
        assert MOST_PIXELS - 200 < image.height <= MOST_PIXELS
