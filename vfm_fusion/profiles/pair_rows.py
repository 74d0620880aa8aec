"""The table of pairs: what is measured of two encoders at a stride."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

ALONE = 0
"""In place of an injection stride: the master without an auxiliary."""


class PairRow(NamedTuple):
    """One measure of a pair.

    Attributes:
        master: encoder.
        auxiliary: encoder; None where nothing is injected.
        stride: output stride, at which the auxiliary's map takes the master's place; :data:`ALONE` where
            nothing is injected.
        measure: cka; probe (mIoU in percent); probe_gain (points over the master alone).
        value: NaN where undefined.
        low: lower end of the 95 % bootstrap interval over images.
        high: upper end.
        reason: why it is undefined; None where it is defined.
    """

    master: str
    auxiliary: str | None
    stride: int
    measure: str
    value: float
    low: float
    high: float
    reason: str | None


def pairs_frame(rows: Iterable[PairRow]) -> pd.DataFrame:
    """Returns the rows as a table, with the columns of :class:`PairRow`."""
    text = dict.fromkeys(("master", "auxiliary", "measure", "reason"), "str")
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return pd.DataFrame(list(rows), columns=PairRow._fields).astype({**text, "stride": "int64", **numbers})
