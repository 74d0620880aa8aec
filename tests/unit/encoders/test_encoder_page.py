"""docs/encoders.md: its tables are those of the registry, and its examples are valid."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from vfm_fusion.config.encoders import EncoderConfig, HubWeights
from vfm_fusion.encoders.describe import check_encoder
from vfm_fusion.encoders.document import PAGE, with_tables
from vfm_fusion.encoders.registry import ARCHITECTURES


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / PAGE).read_text(encoding="utf-8")


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_the_tables_are_up_to_date(page: str) -> None:
    assert with_tables(page) == page, "run: python -m vfm_fusion.encoders.document"


def test_an_outdated_page_is_noticed_and_mended(page: str, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / PAGE).write_text(page.replace("| `swin_b` |", "| `swin_c` |"), encoding="utf-8")
    command = [sys.executable, "-m", "vfm_fusion.encoders.document"]
    environment = {"PYTHONPATH": str(repository)}
    stale = subprocess.run(
        [*command, "--check"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (stale.returncode, "out of date" in stale.stdout) == (1, True)
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == page


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="generated: encoders"):
        with_tables("# Encoders\n")


def test_the_examples_are_valid_settings(page: str) -> None:
    found = [yaml.safe_load(text)["encoders"] for text in examples(page, "yaml")]
    assert len(found) == 4
    for encoders in found:
        for name, settings in encoders.items():
            check_encoder(name, TypeAdapter(EncoderConfig).validate_python(settings))


def test_the_commands_exist_and_name_what_the_registry_pins(page: str) -> None:
    commands = " ".join(examples(page, "bash")).replace("\\\n", " ").split()
    hub = ARCHITECTURES["dinov2_vitb14"].published.hub
    for part in (hub.repository, hub.filename, hub.revision):
        assert part in commands
    folder = Path(sys.executable).parent
    for program in ("hf", "snakemake"):
        assert program in commands
        assert shutil.which(program, path=str(folder)), f"{program} is not in the environment"


def test_every_entry_that_is_published_can_be_pointed_at() -> None:
    """A hub entry needs its pinned revision or one that the user gives; nothing else is missing anywhere."""
    for name, spec in ARCHITECTURES.items():
        if spec.published and spec.published.hub:
            revision = None if spec.published.hub.revision else "main"
            weights = HubWeights(source="hub", revision=revision)
            check_encoder(name, EncoderConfig(architecture=name, weights=weights))
