"""Imports between packages go one way, and the picture shows it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from vfm_fusion.errors import ConfigError
from vfm_fusion.workflow.import_graph import draw, import_graph, layers, nearest

DIAMOND = {
    "top": frozenset({"left", "right", "bottom"}),
    "left": frozenset({"bottom"}),
    "right": frozenset({"bottom"}),
    "bottom": frozenset(),
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / "vfm_fusion" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_reads_imports_of_packages_inside_functions_too(tmp_path: Path) -> None:
    files = {
        "errors.py": "",
        "low/a.py": "from vfm_fusion.errors import X\nimport os\n",
        "high/b.py": "def f():\n    from vfm_fusion.low.a import g\n    from vfm_fusion import errors\n",
        "high/deep/c.py": "from vfm_fusion.high.b import f\n",
    }
    found = import_graph(write(tmp_path, files))
    assert found == {"low": frozenset(), "high": frozenset({"low"})}


def test_layers_stand_above_all_that_they_import() -> None:
    assert layers(DIAMOND) == [["bottom"], ["left", "right"], ["top"]]
    assert nearest(DIAMOND)["top"] == {"left", "right"}


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="in a circle, somewhere among: left, right, top"):
        layers({**DIAMOND, "left": frozenset({"right"}), "right": frozenset({"left"})})


def test_the_flow_of_the_house_goes_one_way() -> None:
    order = [name for layer in layers(import_graph()) for name in layer]
    flow = ["datasets", "features", "profiles", "selection"]
    assert [name for name in order if name in flow] == flow
    flow = ["encoders", "training", "segmentation", "evaluation", "reporting"]
    assert [name for name in order if name in flow] == flow


def test_the_picture_holds_every_package() -> None:
    drawn = ElementTree.fromstring(draw())
    texts = {text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert import_graph().keys() <= texts
