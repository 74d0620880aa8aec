"""Result files and what is read from them, for all reporting tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import reporting_results as results

from vfm_fusion.reporting.result_files import read_profiles, read_selection


@pytest.fixture
def profiles(tmp_path: Path) -> pd.DataFrame:
    return read_profiles(results.write_profiles(tmp_path))


@pytest.fixture
def selection(tmp_path: Path) -> dict[str, Any]:
    return read_selection(results.write_selection(tmp_path))
