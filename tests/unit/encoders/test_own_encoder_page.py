"""docs/your_encoder.md: its settings are accepted and its code runs as it stands there."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from encoder_zoo import seeded
from safetensors.torch import save_file

from vfm_fusion.config.encoders import EncoderConfig
from vfm_fusion.config.registries import FAMILIES
from vfm_fusion.encoders.build import build_encoder
from vfm_fusion.encoders.describe import check_encoder
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.timm_models import timm


def snippets(repository: Path, language: str) -> list[str]:
    page = (repository / "docs" / "your_encoder.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture
def own_class(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's class, in the two places that the page names."""
    _, source, family, entry = snippets(repository, "python")
    module = ModuleType("vfm_fusion.encoders.two_stage")
    exec(source, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(FAMILIES, *next(iter(ast.literal_eval(f"{{{family}}}").items())))
    monkeypatch.setitem(ARCHITECTURES, "two_stage", eval(entry, vars(module)))


def settings(repository: Path) -> dict[str, dict[str, EncoderConfig]]:
    """Section -> its encoders."""
    found = [yaml.safe_load(text)["encoders"] for text in snippets(repository, "yaml")]
    parsed = [{name: EncoderConfig.model_validate(value) for name, value in part.items()} for part in found]
    return dict(zip(("timm", "file", "class"), parsed, strict=True))


def test_every_encoder_of_the_page_is_accepted(repository: Path, own_class: None) -> None:
    for encoders in settings(repository).values():
        for name, config in encoders.items():
            check_encoder(name, config)


def test_the_first_snippet_runs(repository: Path) -> None:
    exec(snippets(repository, "python")[0], {})


def test_weights_are_read_as_the_page_says(
    repository: Path, tmp_path: Path, own_class: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHTS", str(tmp_path))
    whole = timm.create_model("convnext_tiny", num_classes=3).state_dict()
    torch.save({"model": {f"backbone.{k}": v for k, v in whole.items()}}, tmp_path / "epoch_100.pth")
    encoder = build_encoder(settings(repository)["file"]["mine"])
    assert torch.equal(encoder.model.stem[0].weight, whole["stem.0.weight"])
    save_file(build_encoder(seeded("two_stage", 3)).model.state_dict(), tmp_path / "two_stage.safetensors")
    own = build_encoder(settings(repository)["class"]["mine"])
    assert torch.equal(own.model[1].weight, build_encoder(seeded("two_stage", 3)).model[1].weight)


def test_the_class_keeps_the_contract(own_class: None) -> None:
    maps = build_encoder(seeded("two_stage"))(torch.rand(2, 3, 64, 96))
    assert {s: tuple(m.shape) for s, m in maps.items()} == {4: (2, 32, 16, 24), 8: (2, 64, 8, 12)}
