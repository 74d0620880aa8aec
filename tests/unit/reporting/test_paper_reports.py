"""Every table, figure and text that the paper's experiment plans, from small result files of its shapes."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from paper_results import PaperResults

from vfm_fusion.reporting.entry import ReportRule, report_rules
from vfm_fusion.reporting.make import make
from vfm_fusion.reporting.registry import REPORTS
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[PaperResults]:
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)
        patch.setenv("VFM_DATA", str(folder / "data"))
        raw = {"experiment": "paper", "paths": {"results": str(folder / "results")}}
        results = PaperResults(Study(resolve(raw, repository / "experiments")), folder)
        results.write()
        yield results


def jobs(study: Study) -> Iterator[tuple[ReportRule, SimpleNamespace]]:
    """Every job of a report; texts last, for they read tables."""
    rules = report_rules(REPORTS, study)
    for rule in sorted(rules, key=lambda rule: rule.report.kind == "text"):
        items = rule.items(study)
        for values in itertools.product(*items.values()):
            yield rule, SimpleNamespace(**dict(zip(items, values, strict=True)))


def test_every_report_is_made(paper: PaperResults, caplog: pytest.LogCaptureFixture) -> None:
    study, made = paper.study, []
    for rule, wildcards in jobs(study):
        inputs = rule.inputs(study, paper.measured, wildcards)
        settings = json.loads(rule.config(study, wildcards)) | {"dpi": 60}
        outputs = {name: output.path.format(**vars(wildcards)) for name, output in rule.outputs(study)}
        with caplog.at_level(logging.WARNING):
            make(*rule.report.modules, inputs, settings, outputs)
        made += outputs.values()
    assert caplog.messages == []
    assert len(made) == len(set(made))
    assert all(Path(path).stat().st_size > 100 for path in made)

    tables = paper.folder / "results" / "tables"
    assert set(pd.read_csv(tables / "main_results.csv")["run"]) == set(study.comparisons[study.main][1])
    for comparison in study.elsewhere:
        runs = pd.read_csv(tables / f"main_results-{comparison}.csv")["run"]
        assert set(runs) == set(study.comparisons[comparison][1])
    incomplete = [
        path.name for path in tables.glob("*.md") if "Incomplete" in path.read_text(encoding="utf-8")
    ]
    assert incomplete == []
