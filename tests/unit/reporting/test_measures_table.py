"""The table of RankMe, CKA and the linear probe."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pandas as pd
import pytest
import reporting_results as results

from vfm_fusion.errors import ReportingError
from vfm_fusion.profiles.pair_rows import ALONE, PairRow, pairs_frame
from vfm_fusion.reporting.result_files import read_pairs
from vfm_fusion.reporting.table import Table, lay_out
from vfm_fusion.reporting.tables.measures import UNCERTAIN, measures_table

ENCODERS = list(results.LABELS)


@pytest.fixture
def profiles() -> pd.DataFrame:
    """RankMe of 10 at OS 4, 11 at OS 8 and so on, by two definitions."""
    keys = itertools.product(ENCODERS, ("paper", "calibrated"), range(4))
    columns = ["encoder", "definition", "stride", "score", "mean", "ci_low", "ci_high", "reason"]
    rows = [(e, d, results.STRIDES[i], "rankme", 10.0 + i, 9.0 + i, 12.0 + i, None) for e, d, i in keys]
    return pd.DataFrame(rows, columns=columns)


def pairs(reason: str | None = None) -> pd.DataFrame:
    """A probe of 50 alone, and of 49 plus the stride's position with another; certain from two points on."""
    nothing = (math.nan,) * 3
    rows = [
        PairRow(e, None, ALONE, "probe", *(nothing if reason else (50.0, 48.0, 52.0)), reason)
        for e in ENCODERS
    ]
    for (master, auxiliary), (i, stride) in itertools.product(
        itertools.permutations(ENCODERS, 2), enumerate(results.STRIDES)
    ):
        measured = {
            "cka": (0.1 * i, 0.1 * i - 0.05, 0.1 * i + 0.05),
            "probe": nothing if reason else (49.0 + i, 47.0 + i, 51.0 + i),
            "probe_gain": nothing if reason else (i - 1.0, i - 2.0, float(i)),
        }
        for measure, values in measured.items():
            why = None if measure == "cka" else reason
            rows.append(PairRow(master, auxiliary, stride, measure, *values, why))
    return pairs_frame(rows)


def shown(table: Table) -> dict[str, list[list[str]]]:
    return {title: [[c.text for c in row] for row in rows] for title, rows in lay_out(table).sections}


def test_every_encoder_every_pair_and_every_direction_has_a_row(profiles: pd.DataFrame) -> None:
    table = measures_table(profiles, results.LABELS, "miniscapes", pairs())
    rows = shown(table)
    assert [len(of) for of in rows.values()] == [3, 3, 6]
    assert rows["RankMe"][0] == ["DINO mini", "", "10.00", "11.00", "12.00", "13.00"]
    assert rows["Linear CKA"][2] == ["SAM mini + Swin", "", "0.00", "0.10", "0.20", "0.30"]
    probe = rows["Linear probe: mIoU (%)"]
    assert probe[1] == ["DINO mini + Swin", "50.00", "49.00", "50.00", "51.00", "52.00"]
    cells = lay_out(table).sections[2][1][0]
    assert [cell.below for cell in cells[2:]] == [
        f"−1.00 {UNCERTAIN}",
        f"0.00 {UNCERTAIN}",
        f"+1.00 {UNCERTAIN}",
        "+2.00",
    ]
    assert [cell.bold for cell in cells] == [False] * 5 + [True]
    assert cells[1].detail == "[48.00, 52.00]"
    assert len(table.data) == 3 * 4 + 3 + 3 * 6 * 4
    assert not table.data.duplicated(["measure", "encoder", "auxiliary", "stride"]).any()


def test_without_labels_the_probe_is_left_out_and_said(profiles: pd.DataFrame) -> None:
    table = measures_table(profiles, results.LABELS, "photos", pairs("not_annotated"))
    assert list(shown(table)) == ["RankMe", "Linear CKA"]
    assert [column.key for column in table.columns] == ["encoder", "os_4", "os_8", "os_16", "os_32"]
    assert table.notes[-1] == "No linear probe: not annotated."
    assert set(table.data.loc[table.data["measure"] == "probe", "reason"]) == {"not_annotated"}


def test_one_encoder_has_rankme_alone(profiles: pd.DataFrame) -> None:
    one = measures_table(profiles[profiles["encoder"] == "swin"], results.LABELS, "photos")
    assert shown(one) == {"RankMe": [["Swin", "10.00", "11.00", "12.00", "13.00"]]}
    assert "CKA" not in one.caption + "".join(one.notes)


def test_what_is_missing_is_named(profiles: pd.DataFrame, tmp_path: Path) -> None:
    whole = pairs()
    gap = whole[(whole["measure"] != "cka") | (whole["stride"] != 8)]
    with pytest.raises(ReportingError, match="no cka of 'mini_dino' and 'mini_sam' at OS 8"):
        measures_table(profiles, results.LABELS, "miniscapes", gap)
    whole.drop(columns="low").to_parquet(tmp_path / "pairs.parquet")
    with pytest.raises(ReportingError, match=r"columns \['low'\] are missing"):
        read_pairs(tmp_path / "pairs.parquet")
    pd.concat([whole, whole[:1]]).to_parquet(tmp_path / "pairs.parquet")
    with pytest.raises(ReportingError, match="occurs twice; compare the pairs again"):
        read_pairs(tmp_path / "pairs.parquet")
