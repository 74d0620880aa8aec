"""Tables between stages, as Parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from vfm_fusion.atomic import atomic_path


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Writes a table atomically; the same table gives the same bytes."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
