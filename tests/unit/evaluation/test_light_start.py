"""Scoring what has been predicted needs no model, so its jobs start without importing one."""

from __future__ import annotations

import subprocess
import sys


def test_an_evaluation_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, vfm_fusion.evaluation.evaluate; "
        "print(sorted({'torch', 'torchvision', 'transformers', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
