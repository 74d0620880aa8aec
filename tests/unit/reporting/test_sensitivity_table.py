"""Levels, ranks and choices under other settings: closed-form cases, and what the table says of them."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import sensitivity_results as results

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.render.table_files import to_csv
from vfm_fusion.reporting.sensitivity import Effect, Sensitivity, listed, read_sweeps, sensitivity_of
from vfm_fusion.reporting.table import Cell, Table, lay_out
from vfm_fusion.reporting.tables.sensitivity import sensitivity_table
from vfm_fusion.selection.candidates import Pair


@pytest.fixture
def swept(tmp_path: Path) -> Sensitivity:
    return sensitivity_of(read_sweeps(results.write_sweeps(tmp_path)), "semantic", "ef")


@pytest.fixture
def table(swept: Sensitivity) -> Table:
    return sensitivity_table(swept, results.LABELS, results.SELECTION)


def effect(swept: Sensitivity, setting: str, value: str) -> Effect:
    return next(e for e in swept.effects if (e.setting, e.value) == (setting, value))


def cells(table: Table) -> dict[tuple[str, str], dict[str, Cell]]:
    """Shown cells by setting and value."""
    found, setting = {}, ""
    for _, rows in lay_out(table).sections:
        for row in rows:
            setting = row[0].text or setting
            found[setting, row[1].text] = dict(
                zip([column.key for column in table.columns], row, strict=True)
            )
    return found


class TestEffects:
    def test_levels_are_means_over_images_and_strides(self, swept: Sensitivity) -> None:
        base = swept.baseline
        assert base.levels["sc"] == pytest.approx({"dino": 0.7, "sam": 0.5, "swin": 0.3})
        assert base.levels["ef"] == pytest.approx({"dino": 2.0, "sam": 8.0, "swin": 5.0})
        assert base.ranks == {
            "sc": {"dino": 1, "sam": 2, "swin": 3},
            "ef": {"dino": 3, "sam": 1, "swin": 2},
        }
        assert base.choice == Pair("dino", "sam", 4)
        assert swept.images == 2

    def test_a_stride_that_one_encoder_lacks_counts_for_none(self, swept: Sensitivity) -> None:
        finer = effect(swept, "grid", "8")
        assert finer.strides == {"sc": (4,), "ef": (4, 8)}
        assert finer.levels["sc"] == pytest.approx({"dino": 0.4, "sam": 0.5, "swin": 0.2})
        assert finer.ranks["sc"] == {"dino": 2, "sam": 1, "swin": 3}
        assert finer.reasons["sc"] == "grid too fine"
        assert finer.choice == Pair("sam", "swin", 8)

    def test_a_score_without_any_stride_decides_nothing(self, swept: Sensitivity) -> None:
        clipped = effect(swept, "l2_clip", "5.0")
        assert all(math.isnan(level) for level in clipped.levels["sc"].values())
        assert clipped.ranks["sc"] == {}
        assert clipped.choice is None

    def test_the_injection_stride_follows_the_peak(self, swept: Sensitivity) -> None:
        assert effect(swept, "tau", "0.3").choice == Pair("dino", "sam", 8)
        assert effect(swept, "tau", "0.3").ranks == swept.baseline.ranks

    def test_the_other_task_swaps_the_roles(self, tmp_path: Path) -> None:
        swept = sensitivity_of(read_sweeps(results.write_sweeps(tmp_path)), "edge", "sc")
        assert swept.baseline.choice == Pair("sam", "dino", 8)

    def test_equal_levels_share_a_rank(self, tmp_path: Path) -> None:
        sweeps = read_sweeps(results.write_sweeps(tmp_path))
        sweeps.loc[sweeps["score"] == "sc", "value"] = 0.3
        ranks = sensitivity_of(sweeps, "semantic", "ef").baseline.ranks["sc"]
        assert ranks == {"dino": 1, "sam": 1, "swin": 1}

    def test_settings_are_listed_below_the_score_that_they_touch(self, swept: Sensitivity) -> None:
        assert list(swept.of("sc")) == ["grid", "l2_clip"]
        assert list(swept.of("ef")) == ["tau", "gamma"]


class TestFiles:
    def test_encoders_swept_on_other_images_are_refused(self, tmp_path: Path) -> None:
        paths = results.write_sweeps(tmp_path)
        frame = pd.read_parquet(paths["sam"])
        frame[frame["image_id"] == "first"].to_parquet(paths["sam"])
        with pytest.raises(ReportingError, match="dino and sam were swept on other images"):
            read_sweeps(paths)

    def test_a_missing_column_is_named(self, tmp_path: Path) -> None:
        paths = results.write_sweeps(tmp_path)
        pd.read_parquet(paths["swin"]).drop(columns="baseline").to_parquet(paths["swin"])
        with pytest.raises(ReportingError, match=r"swin.*columns \['baseline'\] are missing"):
            read_sweeps(paths)


class TestTable:
    def test_rows_are_settings_below_their_score(self, table: Table) -> None:
        layout = lay_out(table)
        assert [title for title, _ in layout.sections] == ["Structural Coherence (SC)", "Edge Fidelity (EF)"]
        assert list(cells(table)) == [
            ("grid", "4"),
            ("grid", "8"),
            ("l2_clip", "none"),
            ("l2_clip", "5"),
            ("tau", "0.3"),
            ("tau", "0.5"),
            ("gamma", "1/128"),
            ("gamma", "1/64"),
        ]

    def test_a_row_shows_levels_ranks_and_what_the_choice_changes(self, table: Table) -> None:
        shown = cells(table)
        base, finer = shown["grid", "4"], shown["grid", "8"]
        assert [finer[encoder].text for encoder in results.OWN] == ["0.40", "0.50", "0.20"]
        assert [encoder for encoder in results.OWN if finer[encoder].bold] == ["sam"]
        assert (base["ranks"].text, base["ranks"].underline) == ("1 2 3", False)
        assert (finer["ranks"].text, finer["ranks"].underline) == ("2 1 3", True)
        assert base["choice"].text == "baseline"
        assert finer["choice"].text == "master SAM, auxiliary SWIN, OS 8"
        assert shown["tau", "0.3"]["choice"].text == "OS 8"
        assert shown["gamma", "1/128"]["choice"].text == "same"

    def test_an_undefined_level_has_its_reason(self, table: Table) -> None:
        clipped = cells(table)["l2_clip", "5"]
        assert [clipped[encoder].text for encoder in results.OWN] == ["—"] * 3
        assert clipped["choice"].text == "none can be made"
        (reason,) = lay_out(table).footnotes.values()
        assert reason.endswith("defined for every encoder: grid too fine")

    def test_the_notes_count_and_name_the_changes(self, table: Table) -> None:
        assert table.notes[:5] == (
            "n = 2 images, evenly spaced; the baseline's choice on them is the one on all profiled images.",
            "The SC order of the encoders is unchanged in 0 of 2 variants; it changes for grid = 8; "
            "SC is undefined at every stride for l2_clip = 5.",
            "The EF order of the encoders is unchanged in 2 of 2 variants.",
            "The baseline's choice, master DINO, auxiliary SAM, OS 4, stays in 1 of 4 variants. "
            "The master changes for grid = 8. The auxiliary changes for grid = 8. "
            "The stride changes for grid = 8; tau = 0.3. Nothing can be chosen for l2_clip = 5.",
            "Largest changes of a level over the same strides: EF of SAM by +100 % (gamma = 1/128).",
        )
        assert table.notes[5] == (
            "An SC level is the mean over OS 4, 8, where every encoder has one; for grid = 8 over OS 4 "
            "(grid too fine), for l2_clip = 5 over no stride (grid too fine)."
        )

    def test_a_choice_that_holds_on_these_images_only_is_said(self, swept: Sensitivity) -> None:
        other = results.SELECTION | {"auxiliary": "swin", "stride": 8}
        note = sensitivity_table(swept, results.LABELS, other).notes[0]
        assert note.endswith(
            "on all profiled images the choice is another one: master DINO, auxiliary SWIN, OS 8."
        )

    def test_strides_of_another_rule_are_no_part_of_a_sweep(self, swept: Sensitivity) -> None:
        ruled = results.SELECTION | {"stride": 32, "rule": {"name": "rankme"}, "peaks": {"sam": 4}}
        assert sensitivity_table(swept, results.LABELS, ruled).notes[0] == (
            "n = 2 images, evenly spaced; strides are those of the peak EF, not of selection.rule; the "
            "baseline's choice on them is the one on all profiled images."
        )

    def test_images_that_a_mean_leaves_out_are_counted(self, tmp_path: Path) -> None:
        sweeps = read_sweeps(results.write_sweeps(tmp_path))
        grid = (sweeps["setting"] == "grid") & (sweeps["encoder"] == "swin") & (sweeps["score"] == "sc")
        sweeps.loc[grid & (sweeps["stride"] == 8) & (sweeps["image_id"] == "first"), "value"] = math.nan
        swept = sensitivity_of(sweeps, "semantic", "ef")
        assert effect(swept, "grid", "4").levels["sc"]["swin"] == pytest.approx((0.2 + 0.525) / 2)
        note = sensitivity_table(swept, results.LABELS, results.SELECTION).notes[0]
        assert note.endswith("2 of 96 means over images leave out some, on which the score is undefined.")

    def test_the_csv_has_a_row_per_value_and_encoder(self, table: Table) -> None:
        data = table.data
        assert len(data) == 8 * 3
        row = data[(data["setting"] == "grid") & (data["value"] == "8") & (data["encoder"] == "dino")].iloc[0]
        assert (row["rank"], row["strides"], row["same_choice"]) == (2, "4", False)
        assert row["level"] == pytest.approx(0.4)
        assert to_csv(table).startswith("setting,value,baseline,score,encoder,label,pretraining,level,rank")

    def test_it_renders(self, table: Table) -> None:
        assert "| grid | 4 | **0.70** | 0.50 | 0.30 | 1 2 3 | baseline |" in to_markdown(table)

    def test_an_encoder_without_a_label_is_refused(self, swept: Sensitivity) -> None:
        labels = {key: value for key, value in results.LABELS.items() if key != "swin"}
        with pytest.raises(ReportingError, match="'swin' has no label"):
            sensitivity_table(swept, labels, results.SELECTION)


def test_variants_are_listed_by_setting(swept: Sensitivity) -> None:
    variants = swept.variants
    assert listed(variants) == "grid = 8; l2_clip = 5; tau = 0.3; gamma = 1/128"
    pair = Effect("r_in+r_out", "[1, 2]", False, {}, {}, {}, {}, None)
    assert listed([pair, variants[0]]) == "r_in, r_out = (1, 2); grid = 8"
