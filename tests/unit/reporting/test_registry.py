"""The registry of reports: what follows from an entry, for which experiments, and what an edit concerns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.entry import Benchmarks, Report, report_rules
from vfm_fusion.reporting.make import make
from vfm_fusion.reporting.registry import REPORTS
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study
from vfm_fusion.workflow.fingerprint import Sources, fingerprint

ROOT = Path(__file__).parents[3]
PARTS = {"feature_grid", "pca_maps", "energy_maps", "picture_grid"}
"""Modules of figures that draw parts of others."""


def study(**raw: Any) -> Study:
    return Study(resolve({"experiment": "quick", **raw}, ROOT / "experiments"))


def rule(name: str) -> Any:
    (found,) = [rule for report in REPORTS for rule in report.rules() if rule.name == name]
    return found


def example(name: str, **changes: Any) -> Report:
    given = {"category": "1. Profiles", "label": "New", "message": "New", "inputs": lambda study, item: {}}
    return Report(name, "vfm_fusion.reporting.new", **{**given, **changes})


def test_every_module_of_a_table_or_figure_is_a_report() -> None:
    built = {report.build for report in REPORTS}
    for folder in ("tables", "figures"):
        modules = {path.stem for path in (ROOT / "vfm_fusion/reporting" / folder).glob("[!_]*.py")} - PARTS
        package = f"vfm_fusion.reporting.{folder}."
        assert {name.removeprefix(package) for name in built if name.startswith(package)} == modules
    names = [rule.name for report in REPORTS for rule in report.rules()]
    assert len(names) == len(set(names)) == 53


def test_the_registry_is_light() -> None:
    code = "import sys, vfm_fusion.reporting.registry; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"pandas", "numpy", "matplotlib", "torch", "h5py", "zarr"} & set(done.stdout.split())


def test_an_entry_makes_rule_files_and_labels() -> None:
    made = example("table_new", per="comparison").rules()
    assert [rule.name for rule in made] == ["table_new", "table_new_elsewhere"]
    assert [rule.path for rule in made] == ["table_new", "table_new/{comparison}"]
    assert [rule.message for rule in made] == ["New", "New, {wildcards.comparison}"]
    main, elsewhere = (dict(rule.outputs(study())) for rule in made)
    assert [output.path for output in main.values()] == [
        f"results/quick/tables/new.{suffix}" for suffix in ("csv", "tex", "md", "html")
    ]
    assert elsewhere["html"] == (
        "results/quick/tables/new-{comparison}.html",
        "table_new",
        "New, {comparison}",
    )
    assert [output.caption for output in main.values()] == [None, None, None, "table_new"]

    (text,) = example("text_new").rules()
    assert {name: output.path for name, output in text.outputs(study())} == {
        "md": "results/quick/tables/new.md",
        "html": "results/quick/tables/new.html",
    }
    on_each = example("figure_new", per="dataset", label={"one": "One", "two": "Two"}).rules()[1]
    found = dict(on_each.outputs(study()))
    assert list(found) == ["one_pdf", "one_png", "two_pdf", "two_png"]
    assert found["two_png"] == ("results/quick/figures/two-{dataset}.png", "figure_two", "Two on {dataset}")


@pytest.mark.parametrize(
    "wrong", [{"name": "graph_new"}, {"category": "9. Other"}, {"per": "encoder"}, {"needs": ("pairs",)}]
)
def test_what_an_entry_cannot_say_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(
        ReportingError, match=r"report '.*_new': '(graph|9. Other|encoder|pairs)' is none of: "
    ):
        example(**{"name": "table_new", **wrong})


def test_items_are_those_of_the_wildcard_or_the_main_one() -> None:
    experiment = study()
    main, elsewhere = example("table_new", per="comparison").rules()
    assert main.items(experiment) == {}
    assert main.item(experiment, SimpleNamespace()) == "miniscapes-panoptic"
    assert elsewhere.items(experiment) == {"comparison": []}
    assert elsewhere.item(experiment, SimpleNamespace(comparison="other")) == "other"
    paper = Study(resolve({"experiment": "paper"}, ROOT / "experiments"))
    assert rule("table_profiles_elsewhere").items(paper) == {"dataset": ["coco"]}
    assert rule("table_main_results_elsewhere").items(paper) == {"comparison": paper.elsewhere}
    swept = set(rule("table_injection_stride_elsewhere").items(paper)["comparison"])
    fused = set(rule("table_stride_gain_elsewhere").items(paper)["comparison"])
    assert swept <= fused <= set(paper.elsewhere)
    (alone,) = example("table_new").rules()
    assert alone.item(experiment, SimpleNamespace()) is None


def test_published_values_stand_below_the_main_item_alone() -> None:
    paper = Study(resolve({"experiment": "paper"}, ROOT / "experiments"))
    values = ["resources/published/metric_guided_fusion.csv"]
    for name, item in (("table_profiles", {"dataset": "coco"}), ("table_stride_gain", {"comparison": None})):
        wildcards = SimpleNamespace(**{key: value or paper.elsewhere[0] for key, value in item.items()})
        assert rule(name).inputs(paper, list, wildcards)["published"] == values
        assert rule(f"{name}_elsewhere").inputs(paper, list, wildcards)["published"] == []
    wildcards = SimpleNamespace(comparison=paper.elsewhere[0])
    assert rule("table_main_results_elsewhere").inputs(paper, list, wildcards)["published"] == values
    unpublished = study(reporting={"published": False})
    assert rule("table_profiles").inputs(unpublished, list, None)["published"] == []


def test_benchmarks_are_looked_up_in_the_order_of_the_stages() -> None:
    experiment = study()

    def measured(jobs: Benchmarks) -> list[str]:
        return [f"{jobs.rule} {sorted(jobs.wildcards)}"]

    found = rule("table_runtime").inputs(experiment, measured, None)
    assert list(found)[:2] == ["generate_dataset", "index_dataset"]
    assert found["index_dataset"] == ["index_dataset ['dataset', 'split']"] * 2
    assert found["train"] == ["train ['run', 'seed']"]


def test_settings_are_canonical_and_a_figure_has_its_resolution() -> None:
    experiment = study(reporting={"dpi": 77})
    assert json.loads(rule("figure_stability").config(experiment, None)) == {"dpi": 77}
    assert rule("table_runtime").config(experiment, None) == "{}"
    assert "dpi" not in json.loads(rule("table_stability").config(experiment, None))


def test_a_report_that_the_experiment_has_nothing_for_is_not_planned() -> None:
    needed = ("data", "labels", "profiles", "pair", "runs", "sweep", "clicks")
    reports = [example("table_any"), *(example(f"table_{need}", needs=(need,)) for need in needed)]
    reports.append(example("table_both", needs=("runs", "pair")))

    def planned(*present: str) -> list[str]:
        has = {f"has_{need}": need in present for need in needed if need not in ("data", "sweep")}
        splits, sweeps = (["x"] if need in present else [] for need in ("data", "sweep"))
        experiment = SimpleNamespace(splits=splits, stride_sweeps=sweeps, **has)
        return [rule.name.removeprefix("table_") for rule in report_rules(reports, experiment)]

    assert planned(*needed) == ["any", *needed, "both"]
    assert planned("data", "profiles", "pair") == ["any", "data", "profiles", "pair"]
    assert planned("data", "runs") == ["any", "data", "runs"]
    assert planned() == ["any"]
    assert report_rules(reports[-1:], study())


def test_what_reads_runs_the_choice_or_labels_says_that_it_needs_them(tmp_path: Path) -> None:
    """Files of runs, of the choice and of labels are inputs of no report that is planned without them."""
    fewer = {"mini-sam": None, "mini-swin": None}
    runs = dict.fromkeys(study().config.runs)
    photos = {"dataset": "photos", "datasets": {"photos": {"kind": "folder", "root": str(tmp_path)}}}
    for absent, changes in (
        (("/runs/",), {"runs": runs}),
        (("/runs/", "/selection/", "score_supervised"), {"runs": runs, "encoders": fewer}),
        (("/runs/", ".supervised."), {"runs": runs, **photos}),
    ):
        for report in report_rules(REPORTS, experiment := study(**changes)):
            if not report.elsewhere:
                inputs = report.inputs(experiment, lambda jobs: [jobs.rule], None).values()
                paths = [path for given in inputs for path in ([given] if isinstance(given, str) else given)]
                assert not [path for path in paths if any(part in path for part in absent)], report.name


@pytest.fixture(scope="module")
def sources() -> Sources:
    return Sources()


def test_a_fingerprint_covers_the_modules_of_its_report(sources: Sources) -> None:
    script = ROOT / "workflow_scripts/report.py"

    def of(report: Report) -> str:
        return fingerprint(script, ROOT, {"vfm_fusion.reporting.make": report.modules}, sources)

    assert len({of(report) for report in REPORTS}) == len(REPORTS)
    bare = fingerprint(script, ROOT, {}, sources)
    assert bare not in {of(report) for report in REPORTS}


MODULE = """
import pandas as pd
from matplotlib.figure import Figure
from vfm_fusion.errors import ReportingError

def build(inputs, settings):
    if settings.get("broken"):
        raise ReportingError("it cannot be drawn")
    figure = Figure()
    figure.text(0.5, 0.5, str(sorted((name, len(paths)) for name, paths in inputs.items())))
    return {"one": figure, "two": Figure()}
"""


def test_a_report_is_made_by_modules_that_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drawn_for_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    writer = "vfm_fusion.reporting.render.figure_files"
    names = [f"{part}_{suffix}" for part in ("one", "two") for suffix in ("pdf", "png")]
    files = {name: str(tmp_path / "out" / f"{name}.file") for name in names}
    (tmp_path / "out").mkdir()
    make("drawn_for_a_test", writer, {"a": "x", "b": ["y", "z"], "c": []}, {"dpi": 50}, files)
    assert all(Path(path).stat().st_size for path in files.values())
    with pytest.raises(ReportingError, match="cannot be drawn"):
        make("drawn_for_a_test", writer, {}, {"dpi": 50, "broken": True}, files)
    tables = "vfm_fusion.reporting.render.table_files"
    with pytest.raises(ReportingError, match=r"drawn_for_a_test.build returned dict; expected Table"):
        make("drawn_for_a_test", tables, {"a": "x", "b": ["y", "z"], "c": []}, {"dpi": 50}, files)
    one = {name: path for name, path in files.items() if name.startswith("one")}
    with pytest.raises(ReportingError, match=r"parts one, two were built; the report's label names: one$"):
        make("drawn_for_a_test", writer, {"a": "x", "b": ["y", "z"], "c": []}, {"dpi": 50}, one)


def test_a_table_is_called_as_its_files_are(tmp_path: Path) -> None:
    from vfm_fusion.reporting.render import table_files
    from vfm_fusion.reporting.table import Column, Section, Table

    data = pd.DataFrame({"run": ["a"]})
    table = Table("new", "Caption.", data, (Column("run", "Run"),), (Section("", [{"run": "a"}]),))
    files = {suffix: tmp_path / f"new-elsewhere.{suffix}" for suffix in ("csv", "tex", "md", "html")}
    table_files.write(table, files, {})
    assert r"\label{tab:new-elsewhere}" in files["tex"].read_text()
