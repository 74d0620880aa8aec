"""SC and EF before and after fine-tuning: paired differences, seeds, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import reporting_results as results

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.published import published_table, read_published
from vfm_fusion.reporting.table import Cell, Table, lay_out
from vfm_fusion.reporting.tables.finetuned import finetuned_table

PUBLISHED = Path(__file__).parents[3] / "resources" / "published" / "metric_guided_fusion.csv"
STRIDES = (8, 16)
IMAGES = 8


def profile(seed: int, shift: dict[str, float] | None = None) -> pd.DataFrame:
    """Per-image scores from a seed; ``shift`` is added to a score at every image."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "image_id": f"i{image}",
            "definition": definition,
            "stride": stride,
            "score": score,
            "value": (0.5 if score == "sc" else 8.0) + rng.normal() + (shift or {}).get(score, 0.0),
            "reason": None,
        }
        for definition in ("paper", "calibrated")
        for stride in STRIDES
        for score in ("sc", "ef", "ec")
        for image in range(IMAGES)
    ]
    return pd.DataFrame(rows)


def trained(seed: int, shift: dict[str, float], encoder: str = "swin") -> pd.DataFrame:
    return profile(seed, shift).assign(role="master", encoder=encoder)


BEFORE = {name: profile(index) for index, name in enumerate(results.LABELS)}
SWIN = list(results.LABELS).index("swin")


def table(after: dict[tuple[str, int], pd.DataFrame], **changes: Any) -> Table:
    arguments: dict[str, Any] = {
        "before": BEFORE,
        "labels": results.LABELS,
        "runs": results.RUNS,
        "dataset": "miniscapes",
        "definition": "paper",
        "bootstrap": Bootstrap(300, 0),
    }
    return finetuned_table(after=after, **(arguments | changes))


def rows(found: Table, section: int = 0) -> dict[str, dict[str, Cell]]:
    keys = [column.key for column in found.columns]
    return {row[0].text: dict(zip(keys, row, strict=True)) for row in lay_out(found).sections[section][1]}


def test_a_constant_shift_has_an_interval_of_no_width() -> None:
    """Images vary by 1, but every image moves by the same: the interval is of paired differences."""
    found = table({("swin_ft", 0): trained(SWIN, {"sc": 0.25, "ef": -3.0})})
    cell = rows(found)["16"]
    assert (cell["sc_delta"].text, cell["sc_delta"].detail) == ("0.250", "[0.250, 0.250]")
    assert (cell["ef_delta"].text, cell["ef_delta"].detail) == ("−3.00", "[−3.00, −3.00]")
    before, after = float(cell["ef_before"].text), float(cell["ef_after"].text)
    assert after - before == pytest.approx(-3.0, abs=0.011)


def test_before_is_the_encoders_own_profile() -> None:
    cell = rows(table({("swin_ft", 0): trained(99, {})}))["8"]
    frame = BEFORE["swin"]
    own = frame[(frame["definition"] == "paper") & (frame["stride"] == 8) & (frame["score"] == "ef")]
    assert cell["ef_before"].text == f"{own['value'].mean():.2f}"
    low, high = (float(x.replace("−", "-")) for x in cell["ef_delta"].detail.strip("[]").split(", "))
    assert low < float(cell["ef_delta"].text.replace("−", "-")) < high


def test_seeds_are_averaged() -> None:
    after = {("swin_ft", s): trained(SWIN, {"ef": shift}) for s, shift in ((0, 1.0), (1, 2.0))}
    found = table(after)
    assert rows(found)["8"]["ef_delta"].text == "1.50"
    assert "the mean over 2 seeds" in found.notes[0]
    assert set(found.data["seeds"]) == {2}


def test_the_file_holds_the_interval_over_seeds_too() -> None:
    """Changes of 1 and 2: mean 1.5, standard error 0.5, times t(0.975, 1) = 12.706."""
    after = {("swin_ft", s): trained(SWIN, {"ef": shift}) for s, shift in ((0, 1.0), (1, 2.0))}
    of = table(after).data.set_index(["definition", "stride", "score"]).loc[("paper", 8, "ef")]
    assert (of["seed_low"], of["seed_high"]) == pytest.approx((1.5 - 6.353, 1.5 + 6.353), abs=1e-3)
    one = table({("swin_ft", 0): trained(SWIN, {"ef": 1.0})}).data
    assert one[["seed_low", "seed_high"]].isna().all(axis=None)


def test_runs_stand_in_order_under_their_encoder() -> None:
    after = {("dino_ft", 0): trained(0, {}, "mini_dino"), ("swin_ft", 0): trained(SWIN, {})}
    assert [title for title, _ in lay_out(table(after)).sections] == [
        "Swin: Swin · untrained (seeded), fine-tuned as master",
        "DINO: DINO mini · self-distilled, 240 images, fine-tuned as master",
    ]


def test_an_image_that_is_undefined_once_is_left_out_of_both() -> None:
    later = trained(SWIN, {"sc": 0.25})
    lost = (later["image_id"] == "i3") & (later["score"] == "sc") & (later["stride"] == 8)
    later = later.assign(value=later["value"].mask(lost), reason=np.where(lost, "constant_l2", None))
    found = table({("swin_ft", 0): later})
    cell = rows(found)["8"]
    assert (cell["sc_delta"].text, cell["sc_delta"].below) == ("0.250", f"n = {IMAGES - 1}")
    assert cell["ef_delta"].below == rows(found)["16"]["sc_delta"].below == ""
    of = found.data.set_index(["definition", "stride", "score"]).loc[("paper", 8, "sc")]
    assert (of["images"], of["undefined"], of["reason"]) == (IMAGES - 1, 1, "constant l2")


def test_a_score_that_is_never_defined_prints_its_reason() -> None:
    later = trained(SWIN, {})
    lost = (later["score"] == "sc") & (later["stride"] == 16)
    later = later.assign(value=later["value"].mask(lost), reason=np.where(lost, "no_clustering", None))
    found = table({("swin_ft", 0): later})
    assert {rows(found)["16"][key].text for key in ("sc_before", "sc_after", "sc_delta")} == {"—"}
    assert list(lay_out(found).footnotes.values()) == ["no clustering"]


def test_csv_holds_every_definition_and_score() -> None:
    found = table({("swin_ft", 0): trained(SWIN, {"ec": 0.1})})
    assert len(found.data) == 2 * len(STRIDES) * 3
    assert found.data.loc[found.data["score"] == "ec", "delta"].to_numpy() == pytest.approx(0.1)
    assert set(found.data["pretraining"]) == {"untrained (seeded)"}


def test_without_a_fine_tuned_run() -> None:
    found = table({})
    assert found.sections == ()
    assert found.notes[0].startswith("No run fine-tunes an encoder")


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({("swin_ft", 0): trained(SWIN, {}).query("image_id != 'i1'")}, "on other images, strides"),
        ({("swin_ft", 0): trained(SWIN, {}).query("stride != 8")}, "on other images, strides"),
        ({("swin_ft", 0): trained(SWIN, {}, "foreign")}, "'foreign' has no profile"),
        (
            {("swin_ft", 0): trained(SWIN, {}), ("swin_ft", 1): trained(0, {}, "mini_dino")},
            "trained different encoders",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(after: dict, message: str) -> None:
    with pytest.raises(ReportingError, match=message):
        table(after)


def test_an_unknown_definition_is_refused() -> None:
    with pytest.raises(ReportingError, match="no profile by definition 'other'"):
        table({("swin_ft", 0): trained(SWIN, {})}, definition="other")


def test_published_table_stands_below() -> None:
    published = published_table(read_published(PUBLISHED), "8")
    found = table({("swin_ft", 0): trained(SWIN, {})}, published=published)
    assert [section.title for section in found.sections][1:] == [
        "Published (Table 8): DINOv3",
        "Published (Table 8): SAM2",
    ]
    cell = rows(found, 2)["16"]
    assert (cell["ef_before"].text, cell["ef_after"].text, cell["ef_delta"].text) == (
        "17.13",
        "9.30",
        "−7.83",
    )
