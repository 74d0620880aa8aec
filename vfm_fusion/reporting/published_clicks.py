"""Published results of upsamplers, beside measured ones (``resources/published/isegprobe.csv``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from vfm_fusion.reporting.cells import MISSING
from vfm_fusion.reporting.published import published_note, read_published
from vfm_fusion.reporting.table import Row, Section

CLICKS, SYSTEMS, PROBE = "clicks", "systems", "linear_probe"
"""Published tables: clicks of upsamplers, clicks of other systems, linear probes of upsampled maps."""


@dataclass(frozen=True)
class PublishedClicks:
    """What is published.

    Attributes:
        values: see :func:`~vfm_fusion.reporting.published.read_published`; ``model`` is an upsampler's name
            in the registry, but for other systems, and ``mode`` a click encoder's.
        titles: names of upsamplers in print.
    """

    values: pd.DataFrame
    titles: Mapping[str, str]

    def of_kind(self, kind: str, metrics: Iterable[str]) -> pd.DataFrame:
        """Returns the clicks on a kind of data set, none where there are none: ``davis345`` is DAVIS.

        Args:
            kind: kind of the data set.
            metrics: which of them.
        """
        clicks = self._clicks(metrics)
        plain = _plain(kind)
        return clicks[[plain.startswith(_plain(name)) for name in clicks["dataset"]]]

    def first(self, metrics: Iterable[str]) -> pd.DataFrame:
        """Returns the clicks on the data set that is published first, none where nothing is."""
        clicks = self._clicks(metrics)
        return clicks[clicks["dataset"].isin(clicks["dataset"].iloc[:1])]

    def sections(self, values: pd.DataFrame) -> list[Section]:
        """Returns the section of clicks on one data set; none where there are none."""
        if values.empty:
            return []
        rows: list[Row] = []
        for (table, mode, model), of in values.groupby(["table", "mode", "model"], sort=False, dropna=False):
            shown = dict(zip(of["metric"], of["value"], strict=True))
            alone = table == SYSTEMS
            named = {"encoder": model if alone else "", "clicks": "" if pd.isna(mode) else mode}
            rows.append({**named, "upsampler": "" if alone else self.titles.get(model, model), **shown})
        return [Section(f"Published, {values['dataset'].iloc[0]}", rows, ranked=False, fill=MISSING)]

    def means(self, metric: str, mode: str | None = None) -> dict[str, float]:
        """Averages a metric of upsamplers over the published data sets.

        Args:
            metric: ``mIoU`` of a linear probe, or a number of clicks.
            mode: the click encoder; None for a probe.

        Returns:
            By upsampler; only those that are published on every data set.
        """
        values = self._of_upsamplers(metric, mode)
        wide = values.pivot_table(index="model", columns="dataset", values="value", sort=False)
        return wide.dropna().mean(axis="columns").to_dict()

    def mean_note(self, metrics: Sequence[str]) -> str:
        """Says over which data sets these means are, and whence they are."""
        parts = {metric: self._of_upsamplers(metric) for metric in metrics}
        notes = [published_note(part, ".", of=metric) for metric, part in parts.items() if len(part)]
        return " ".join(notes)

    def _of_upsamplers(self, metric: str, mode: str | None = None) -> pd.DataFrame:
        values = self.values[self.values["table"].isin([CLICKS, PROBE]) & (self.values["metric"] == metric)]
        return values if mode is None else values[values["mode"] == mode]

    def _clicks(self, metrics: Iterable[str]) -> pd.DataFrame:
        chosen = self.values["table"].isin([CLICKS, SYSTEMS]) & self.values["metric"].isin(list(metrics))
        return self.values[chosen]


def read_published_clicks(paths: Sequence[Path], titles: Mapping[str, str]) -> PublishedClicks | None:
    """Reads what is published; None where nothing is to be shown.

    Raises:
        ReportingError: see :func:`~vfm_fusion.reporting.published.read_published`.
    """
    return PublishedClicks(read_published(paths[0]), titles) if paths else None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
