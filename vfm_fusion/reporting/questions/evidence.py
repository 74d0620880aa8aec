"""All results that the answers rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vfm_fusion.reporting.labels import label
from vfm_fusion.reporting.records import RunResults, one_per_target
from vfm_fusion.reporting.result_files import check_columns
from vfm_fusion.reporting.stride_sweep import Sweep, structure_and_edges

PER_CLASS = ("class", "group", "run", "seed", "metric", "value")
SUPERVISED = ("encoder", "measure", "statistic", "value", "n")
FINETUNED = (
    *("run", "role", "encoder", "definition", "stride", "score"),
    *("before", "after", "ci_low", "ci_high", "seed_low", "seed_high", "seeds", "images"),
)


@dataclass(frozen=True)
class Evidence:
    """What runs, profiles and tables hold, for the runs of one comparison.

    Attributes:
        sweep: runs, profiles and the selection.
        per_class: tidy data of the table per class, columns ``PER_CLASS``.
        supervised: tidy data of the table of SC and SC_GT, columns ``SUPERVISED``.
        finetuned: tidy data of the table of fine-tuned profiles, columns ``FINETUNED``.
    """

    sweep: Sweep
    per_class: pd.DataFrame
    supervised: pd.DataFrame
    finetuned: pd.DataFrame

    @property
    def structure(self) -> str:
        """The encoder of the pair that was chosen by SC."""
        return structure_and_edges(self.sweep.selection)[0]

    @property
    def edges(self) -> str:
        """The encoder of the pair that was chosen by EF."""
        return structure_and_edges(self.sweep.selection)[1]

    @property
    def metric(self) -> str:
        """The leading metric, or the first other one where the runs do not have it."""
        return next(iter(self.sweep.metrics), self.sweep.leading)

    @property
    def images(self) -> int:
        """Validation images behind every score of a run: of the target with the fewest; 0 without a run."""
        return min((int(found["images"]) for found in one_per_target(self.sweep.results)), default=0)

    @property
    def seeds(self) -> int:
        """Trainings behind every mean of a run."""
        return len(self.sweep.seeds)

    def name(self, encoder: str) -> str:
        """The encoder's name in print."""
        return label(self.sweep.labels, encoder)

    def alone(self, encoder: str, *, trained: bool) -> RunResults | None:
        """The first run of an encoder without an auxiliary, fine-tuned or frozen; None without one."""
        return self.singles(trained=trained).get(encoder)

    def singles(self, *, trained: bool) -> dict[str, RunResults]:
        """The first run of every encoder without an auxiliary or an upsampler, fine-tuned or frozen."""
        found: dict[str, RunResults] = {}
        for result in self.sweep.results:
            known = result.facts
            if known is None or known["auxiliary"] is not None or "upsampler" in known["master"]:
                continue
            if known["master"]["trainable"] == trained:
                found.setdefault(known["master"]["encoder"], result)
        return found


def read_tidy(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Reads a table's CSV file, which is blank where the table is empty.

    Raises:
        ReportingError: a column is missing.
    """
    if not path.read_text(encoding="utf-8").strip():
        return pd.DataFrame(columns=list(columns))
    frame = pd.read_csv(path)
    check_columns(frame, columns, path)
    return frame
