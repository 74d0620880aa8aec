"""The published sweep of injection strides (Table 6), judged by the published EF (Table 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.hit_rate import HitRate, hit_rate, regret_in_words
from vfm_fusion.reporting.published import published_table
from vfm_fusion.reporting.stride_suggestion import Suggestion, judge
from vfm_fusion.reporting.table import Section

_MODEL = re.compile(r"(?P<name>\w+): master (?P<master>.+), auxiliary (?P<auxiliary>.+)")


class PublishedSetting(NamedTuple):
    """One row of the published table; ``ap`` is by stride."""

    name: str
    master: str
    auxiliary: str
    ap: Mapping[int, float]
    judged: Suggestion


def published_settings(frame: pd.DataFrame) -> list[PublishedSetting]:
    """Returns the published settings, each judged by the EF that is published of its auxiliary.

    Args:
        frame: all reference values, see :func:`vfm_fusion.reporting.published.read_published`.

    Raises:
        ReportingError: Table 5 or 6 has no value, or a setting does not name its encoders.
    """
    profiles = published_table(frame, "5")
    found = []
    for (model, trained), rows in published_table(frame, "6").groupby(["model", "mode"], sort=False):
        named = _MODEL.fullmatch(model)
        if named is None:
            raise ReportingError(
                f"published Table 6: model {model!r} does not read like 'A: master X, auxiliary Y'"
            )
        auxiliary = named["auxiliary"]
        of = profiles[(profiles["model"] == auxiliary) & (profiles["metric"] == "EF")]
        ef, ap = (_by_stride(values) for values in (of, rows))
        modes = trained.split("/")
        found.append(
            PublishedSetting(
                named["name"], f"{named['master']} {modes[0]}", f"{auxiliary} {modes[1]}", ap, judge(ef, ap)
            )
        )
    return found


def published_rate(settings: Sequence[PublishedSetting]) -> HitRate:
    """Returns how often the published EF suggests the stride of the best published AP."""
    return hit_rate(setting.judged for setting in settings)


def published_section(frame: pd.DataFrame, strides: Sequence[int]) -> Section:
    """Builds the rows of the published settings at the strides that the table shows."""
    rows = []
    for setting in published_settings(frame):
        judged = setting.judged
        row: dict[str, Any] = {
            "setting": setting.name,
            "master": setting.master,
            "auxiliary": setting.auxiliary,
            "operator": "replace",
            "margin": judged.margin,
            "margin_std": float("nan"),
            "margin_reason": judged.reason,
            "hit": "hit" if judged.hit else "miss",
        }
        for stride in strides:
            row |= {f"os{stride}": setting.ap.get(stride, float("nan")), f"os{stride}_std": float("nan")}
            row |= {f"os{stride}_reason": "", f"os{stride}_suggested": stride == judged.stride}
        rows.append(row)
    return Section("Published (Table 6), AP", pd.DataFrame(rows), absent="not published")


def published_note(frame: pd.DataFrame) -> str:
    """Says whence the published values are, and what their hit rate is."""
    rate = published_rate(published_settings(frame))
    rows = published_table(frame, "6")
    sources, datasets = (", ".join(sorted(set(rows[column]))) for column in ("source", "dataset"))
    return (
        f"Published values are of full-size encoders on {datasets} ({sources}), without spread; their "
        "suggested stride, hits and p are computed here from Tables 5 and 6: "
        f"{rate.said('settings')}. {regret_in_words(rate)}"
    )


def _by_stride(rows: pd.DataFrame) -> dict[int, float]:
    return {int(row.output_stride): float(row.value) for row in rows.itertuples()}
