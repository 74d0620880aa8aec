"""Selection text, captions and the front page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import reporting_results as results
import yaml
from docutils.core import publish_parts
from jinja2 import Environment

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.registry import REPORTS
from vfm_fusion.reporting.result_files import read_profiles
from vfm_fusion.reporting.selection_text import (
    selection_html,
    selection_markdown,
    stability_sentence,
)
from vfm_fusion.study.resolve import resolve
from vfm_fusion.study.study import Study

ROOT = Path(__file__).parents[3]
REPORT = ROOT / "report"
CAPTIONS = sorted((REPORT / "captions").glob("*.rst"))
OF_CLICKS = {report.name for report in REPORTS if "clicks" in report.needs}


def resolved_config(experiment: str = "miniature") -> dict[str, Any]:
    raw = {"experiment": experiment}
    return yaml.safe_load(yaml.safe_dump(resolve(raw, ROOT / "experiments").model_dump(mode="json")))


def render(path: Path, config: dict[str, Any], **wildcards: str) -> str:
    """Renders as Snakemake's report does; docutils' warnings are errors."""
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(path.read_text(encoding="utf-8")).render(
        snakemake=SimpleNamespace(config=config, wildcards=SimpleNamespace(**wildcards))
    )
    settings = {"halt_level": 2, "report_level": 2}
    return publish_parts(text, writer="html", settings_overrides=settings)["html_body"]


def test_selection_as_markdown(selection: dict[str, Any]) -> None:
    assert selection_markdown(selection, results.stability(), results.LABELS) == (
        "## Why this pair\n\n"
        "- **Data set:** miniscapes\n"
        "- **Rule:** master by SC, auxiliary by EF (selection.task: semantic)\n"
        "- **Metric definition:** paper\n"
        "- **Master:** DINO mini · self-distilled, 240 images\n"
        "- **Auxiliary:** SAM mini · promptable masks, 240 images\n"
        "- **Injection stride:** OS 16 (peak EF)\n"
        "- **Reverse direction:** DINO mini · self-distilled, 240 images into "
        "SAM mini · promptable masks, 240 images at OS 32\n\n"
        "1. mini\\_dino leads with a mean SC of 0.7 (swin 0.62).\n"
        "2. EF \\< 12 & \\> 1 at OS=16.\n"
        "3. In 93 % of 1000 resamples of the 80 images the same pair and stride are chosen (master 95 %, "
        "auxiliary 100 %, stride 98 %).\n\n"
        "**Warning:** The master's level does not clear its null: 0.3 \\< 0.4.\n"
    )


def test_selection_as_html_escapes(selection: dict[str, Any]) -> None:
    html = selection_html(selection, results.stability(), results.LABELS)
    assert "<li>EF &lt; 12 &amp; &gt; 1 at OS=16.</li>" in html
    warning = "The master&#x27;s level does not clear its null: 0.3 &lt; 0.4."
    assert f'<p class="problem">Warning: {warning}</p>' in html
    assert html.count(warning) == 1
    with pytest.raises(ReportingError, match="has no label"):
        selection_html(selection, results.stability(), {})


def test_stability_in_a_sentence_never_rounds_to_all_or_nothing() -> None:
    stability = results.stability()
    stability["repetitions"][0]["agreement"] |= {"master": 0.999, "stride": 0.001, "pair_and_stride": 0.0}
    assert stability_sentence(stability) == (
        "In 0 % of 1000 resamples of the 80 images the same pair and stride are chosen "
        "(master more than 99 %, auxiliary 100 %, stride less than 1 %)."
    )
    assert stability_sentence(results.stability(1)) == (
        "How stable the choice is was not found out: there is one image."
    )


def test_there_is_a_caption_for_everything() -> None:
    study = Study(resolve({"experiment": "miniature"}, ROOT / "experiments"))
    rules = [rule for report in REPORTS for rule in report.rules()]
    shown = {output.caption for rule in rules for _, output in rule.outputs(study)} - {None}
    assert {path.stem for path in CAPTIONS} == shown


@pytest.mark.parametrize("path", [*CAPTIONS, REPORT / "workflow.rst"], ids=lambda path: path.stem)
@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]], ids=["one seed", "three seeds"])
def test_captions_render_from_the_resolved_configuration(path: Path, seeds: list[int]) -> None:
    config = resolved_config("interactive" if path.stem in OF_CLICKS else "miniature")
    config["training"]["seeds"] = seeds
    html = render(path, config)
    assert "{{" not in html
    assert "None" not in html
    if path.stem not in ("table_cost", "table_datasets", "table_runtime", "workflow"):
        assert config["dataset"] in html


@pytest.mark.parametrize("name", ["figure_profiles", "table_profiles"])
def test_captions_name_the_data_set_that_is_shown(name: str) -> None:
    config = resolved_config()
    config["also_profiled"] = {"photos": {"split": "train", "max_images": None, "image_size": None}}
    html = render(REPORT / "captions" / f"{name}.rst", config, dataset="photos")
    assert "photos" in html
    assert config["dataset"] not in html
    if name == "table_profiles":
        assert "train" in html


def test_front_page_tells_of_other_systems_where_there_are_any() -> None:
    said = "clicks that masks from upsampled maps take"
    assert said in render(REPORT / "workflow.rst", resolved_config("interactive"))
    assert said not in render(REPORT / "workflow.rst", resolved_config())


def test_front_page_names_untrained_encoders() -> None:
    config = resolved_config()
    first = next(iter(config["encoders"]))
    config["encoders"][first]["weights"] = {"source": "seeded", "seed": 41}
    second = list(config["encoders"])[1]
    config["encoders"][second]["weights"] = {"source": "file", "pretraining": "ImageNet, supervised"}
    html = render(REPORT / "workflow.rst", config)
    assert "from a file (ImageNet, supervised)" in html
    assert "untrained" in html
    assert "drawn from seed 41" in html


def test_profiles_are_read_as_the_metric_stage_writes_them(tmp_path: Path) -> None:
    from vfm_fusion.metrics.profile import SCORES, summarise
    from vfm_fusion.profiles.null_excess import with_excess

    rng = np.random.default_rng(0)
    rows = [
        {"image_id": f"i{image}", "definition": definition, "stride": stride, "score": score}
        | {"value": rng.uniform(), "reason": None}
        for image in range(5)
        for definition in ("paper", "calibrated")
        for stride in (4, 8)
        for score in SCORES
    ]
    rows[0] |= {"value": float("nan"), "reason": "no_edges"}
    paths = {}
    for encoder in ("mini_dino", "swin"):
        paths[encoder] = tmp_path / f"{encoder}.parquet"
        summarise(with_excess(pd.DataFrame(rows)), bootstrap=100, seed=0).to_parquet(paths[encoder])
    profiles = read_profiles(paths)
    assert len(profiles) == 2 * 2 * 2 * (len(SCORES) + 2)
    assert set(profiles["images"] + profiles["undefined"]) == {5}


def test_profile_files_are_checked(tmp_path: Path) -> None:
    paths = results.write_profiles(tmp_path)
    frame = pd.read_parquet(paths["swin"])
    frame.drop(columns="ci_low").to_parquet(paths["swin"])
    with pytest.raises(ReportingError, match=r"swin.parquet: columns \['ci_low'\] are missing"):
        read_profiles(paths)
    pd.concat([frame, frame.head(1)]).to_parquet(paths["swin"])
    with pytest.raises(ReportingError, match="occurs twice"):
        read_profiles(paths)
    frame.assign(encoder="other").to_parquet(paths["swin"])
    with pytest.raises(ReportingError, match="expected the profile of 'swin', found"):
        read_profiles(paths)
    with pytest.raises(ReportingError, match="no profile summary"):
        read_profiles({})
