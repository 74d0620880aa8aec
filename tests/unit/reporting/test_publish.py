"""A finished run as a folder of small files."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.publish import PARTS, publish

TABLES = ["questions", *(name for _, names, _ in PARTS for name in names)]
FIGURES = [name for _, _, names in PARTS for name in names]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name in TABLES:
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        (folder / f"tables/{name}.md").write_text(f"The caption of {name}.\n", encoding="utf-8")
        if name not in ("questions", "selection"):
            (folder / f"tables/{name}.csv").write_text("a\n", encoding="utf-8")
    for name in FIGURES:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        (folder / f"figures/{name}.png").write_bytes(name.encode())
    (folder / "config.resolved.yaml").write_text("experiment: study\n", encoding="utf-8")
    (folder / "features").mkdir()
    return folder


def test_the_page_shows_every_table_and_figure_once(results: Path, tmp_path: Path) -> None:
    target = tmp_path / "docs" / "study"
    publish(results, target)
    (target / "tables" / "left over from before").write_text("")
    publish(results, target)
    page = (target / "README.md").read_text(encoding="utf-8")
    assert page.startswith("# The study in miniature\n\nThe paper's study with ")
    assert "exist.\n\nThe caption of questions.\n\n## " in page
    assert [page.count(f"The caption of {name}.") for name in TABLES] == [1] * len(TABLES)
    assert [page.count(f"(figures/{name}.png)") for name in FIGURES] == [1] * len(FIGURES)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert found == sorted(
        [
            "README.md",
            "config.resolved.yaml",
            *(f"tables/{name}.md" for name in TABLES),
            *(f"tables/{name}.csv" for name in TABLES if name not in ("questions", "selection")),
            *(f"figures/{name}.png" for name in FIGURES),
        ]
    )


def test_an_unfinished_run_is_refused_and_the_published_one_stays(results: Path, tmp_path: Path) -> None:
    publish(results, tmp_path / "study")
    (results / "tables" / "injection_stride.md").unlink()
    with pytest.raises(ReportingError, match=r"lacks tables/injection_stride.md \(1 files in all\); finish"):
        publish(results, tmp_path / "study")
    assert (tmp_path / "study" / "tables" / "injection_stride.md").is_file()


def test_a_folder_of_other_files_is_not_replaced(results: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "guide.md").write_text("mine", encoding="utf-8")
    with pytest.raises(
        ReportingError, match=r"docs holds no earlier page .*, so it is not replaced; name another"
    ):
        publish(results, tmp_path / "docs")
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["guide.md"]
    with pytest.raises(ReportingError, match=r"results holds no earlier page .*, so it is not replaced"):
        publish(results, results)
    assert (results / "features").is_dir()


def test_what_other_data_sets_have_follows_the_main_one_and_photos_stay_at_home(
    results: Path, tmp_path: Path
) -> None:
    (results / "config.resolved.yaml").write_text("experiment: realdata_study\n", encoding="utf-8")
    for name in (
        "questions-other-instance.md",
        "per_class-other-instance.md",
        "per_class-other-instance.csv",
    ):
        (results / "tables" / name).write_text(f"## Heading\n\nThe caption of {name}.\n", encoding="utf-8")
    for name in ("stability-other", "qualitative-other-instance"):
        (results / "figures" / f"{name}.png").write_bytes(b"")
    publish(results, tmp_path / "study")
    page = (tmp_path / "study" / "README.md").read_text(encoding="utf-8")
    main, other = (
        page.index(f"The caption of {name}.") for name in ("per_class", "per_class-other-instance.md")
    )
    assert page[main:other].count("**On other-instance**\n\n") == 1
    assert "The caption of questions.\n\n**On other-instance**\n\n" in page
    assert "(figures/stability.png)\n\n![stability-other](figures/stability-other.png)\n" in page
    assert (tmp_path / "study" / "tables" / "per_class-other-instance.csv").is_file()
    figures = {path.stem for path in (tmp_path / "study" / "figures").iterdir()}
    photos = {"pca_maps", "energy_maps", "qualitative", "controls"}
    assert figures == {*FIGURES, "stability-other"} - photos
    assert not [name for name in photos if f"(figures/{name}" in page]


def test_an_experiment_without_a_page_is_refused(results: Path, tmp_path: Path) -> None:
    (results / "config.resolved.yaml").write_text("experiment: quick\n", encoding="utf-8")
    with pytest.raises(ReportingError, match=r"experiment 'quick' has no page; choose a run of: study, real"):
        publish(results, tmp_path / "study")
