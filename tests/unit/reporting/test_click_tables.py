"""Tables of clicks, of upsamplers and of failures: values by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from clicked_by_hand import key, names, objects, qualities, results, scored

from vfm_fusion.errors import ReportingError
from vfm_fusion.reporting.cells import Value
from vfm_fusion.reporting.image_scores import Bootstrap
from vfm_fusion.reporting.published_clicks import PublishedClicks
from vfm_fusion.reporting.render.markdown import to_markdown
from vfm_fusion.reporting.table import Cell, Table, lay_out
from vfm_fusion.reporting.tables.click_failures import SHOWN, click_failures_table
from vfm_fusion.reporting.tables.clicks import clicks_table
from vfm_fusion.reporting.tables.upsamplers import upsamplers_table

BOOTSTRAP = Bootstrap(100, 0)
VALUES = [
    ("clicks", data, model, mode, "NoC@90", noc, "a note")
    for data, mode, model, noc in (
        ("GrabCut", "simple_vit", "loftup", 3.76),
        ("GrabCut", "simple_vit", "jbu", 5.78),
        ("GrabCut", "patch_embed", "loftup", 4.66),
        ("SBD", "simple_vit", "loftup", 9.80),
    )
]
VALUES += [
    ("clicks", "GrabCut", "loftup", None, "IoU@1 gain over none", 13.59, "a note"),
    ("systems", "SBD", "SegNext ViT-B", None, "NoC@90", 4.5, "a note"),
    ("linear_probe", "VOC", "loftup", None, "mIoU", 84.0, "another"),
    ("linear_probe", "COCO", "loftup", None, "mIoU", 60.0, "another"),
    ("linear_probe", "COCO", "jbu", None, "mIoU", 50.0, "another"),
]
PUBLISHED = PublishedClicks(
    pd.DataFrame(VALUES, columns=["table", "dataset", "model", "mode", "metric", "value", "source"]),
    {"none": "low-res", "jbu": "FeatUp (JBU)", "loftup": "LoftUp"},
)
SCORES = {
    "low": {"SC": {"mean": 0.5, "low": 0.4, "high": 0.6}, "EF": {"mean": 9.0}, "probe_mIoU": 40.0},
    "flat": {"SC": {"mean": 0.4, "low": 0.3, "high": 0.5}, "EF": {"mean": 8.0}, "probe_mIoU": 39.0},
    "loft": {"SC": {"mean": 0.7, "low": 0.6, "high": 0.8}, "EF": {"mean": 7.0}, "probe_mIoU": 45.0},
}
NOC = {"low": 4.0, "flat": 4.5, "loft": 2.0}


def shown(table: Table) -> list[tuple[str, list[dict[str, Cell]]]]:
    """Sections with their rows, by column."""
    keys = [column.key for column in table.columns]
    return [
        (title, [dict(zip(keys, row, strict=True)) for row in rows])
        for title, rows in lay_out(table).sections
    ]


def clicks(found: list[dict[str, Any]], **of: Any) -> Table:
    own = results(found, **{name: of.pop(name) for name in ("seeds", "datasets") if name in of})
    return clicks_table(own, {one: Value(0.02) for one in own.tested}, **of)


class TestClicks:
    def test_means_over_seeds_failures_and_the_best(self) -> None:
        found = [
            scored("low", 4.0),
            scored("low", 5.0, seed=1),
            scored("loft", 2.0),
            scored("loft", 2.5, seed=1),
        ]
        found[1]["scores"]["strict_NoF@90"] = 2
        ((title, rows),) = shown(clicks(found, seeds=(0, 1)))
        assert title == "photos: 4 objects in 4 images"
        low, loft = rows
        assert (low["NoC@90"].text, low["NoC@90"].detail, low["NoC@90"].bold) == ("4.50", "± 0.71", False)
        assert (loft["NoC@90"].text, loft["NoC@90"].bold) == ("2.25", True)
        assert (low["NoF@90"].text, low["NoF@90"].below) == ("2.0", "never 1.5")
        assert (loft["IoU@1"].text, loft["mIoU@5"].text, loft["boundary_IoU"].text) == (
            "58.00",
            "90.00",
            "70.00",
        )
        assert (low["encoder"].text, low["encoder"].detail) == ("DINO", "untrained")
        assert (low["clicks"].text, low["clicks"].detail) == ("late", "simple_vit, late_hr")
        assert low["seconds"].text == "0.020"

    def test_failures_of_low_targets_are_in_the_csv_alone(self) -> None:
        table = clicks([scored("low")])
        columns = [column.key for column in table.columns]
        assert "NoF@90" in columns
        assert "NoF@80" not in columns
        assert {"NoF@80", "strict_NoF@80", "mIoU@3", "carried"} <= set(table.data["metric"])
        row = table.data[(table.data["metric"] == "NoC@90") & (table.data["seed"] == "0")].iloc[0]
        assert (row["value"], row["upsampler"], row["parameters_trained"]) == (4.0, "low", 1000)

    def test_a_part_of_the_images_is_said(self) -> None:
        assert shown(clicks([scored("low")], totals={"photos": 9}))[0][0] == (
            "photos: 4 objects in 4 of 9 images, evenly spaced"
        )
        assert shown(clicks([scored("low")], totals={"photos": 4}))[0][0].endswith("in 4 images")

    def test_a_part_of_a_benchmark_is_not_compared_with_published_numbers(self) -> None:
        found = scored("low")
        note = (
            "photos: 4 objects of 4 photos were clicked, but published numbers on GrabCut are of 50 objects "
            "of 50: these are not to be compared with those."
        )
        assert note in clicks([found]).notes
        whole = clicks([{**found, "images": 50, "objects": 50}])
        assert not any("published numbers" in note for note in whole.notes)

    def test_no_defined_object_is_a_dash_with_its_reason(self) -> None:
        nothing = dict.fromkeys(("NoC@80", "IoU@1", "boundary_IoU", "mIoU@5"))
        ((_, (row,)),) = shown(table := clicks([scored("low", None, undefined=4, objects=0, **nothing)]))
        assert (row["NoC@90"].text, row["IoU@1"].text) == ("—", "—")
        assert "no object has a labelled pixel." in to_markdown(table)

    def test_robustness_where_it_was_measured(self) -> None:
        measured = {"IoU_AUC_distance": 71.5, "IoU_AUC_spread_distance": 8.25}
        table = clicks([scored("low"), scored("loft", robustness=measured)])
        assert [c.title for c in table.columns if c.group == "IoU-AUC (%)"] == ["by depth"]
        ((_, (low, loft)),) = shown(table)
        assert (loft["IoU_AUC_distance"].text, loft["IoU_AUC_distance"].detail) == ("71.50", "")
        assert loft["IoU_AUC_distance"].below == "spread 8.25"
        assert (low["IoU_AUC_distance"].text, low["IoU_AUC_distance"].mark) == ("—", "a")
        assert "IoU-AUC (%)" not in {column.group for column in clicks([scored("low")]).columns}

    def test_special_cases_are_counted(self) -> None:
        found = [scored("low", carried=3, undefined=1), scored("loft", carried=7, undefined=1)]
        assert (
            "photos by model: 1 object without a labelled pixel left out; 3 to 7 rounds after the clicks had "
            "ended, with their IoU carried on."
        ) in clicks(found).notes
        assert "photos: no special case." in clicks([scored("low")]).notes

    def test_published_rows_stand_beneath_their_data_set(self) -> None:
        table = clicks([scored("low")], published=PUBLISHED)
        _, (title, rows) = shown(table)
        assert title == "Published, GrabCut"
        assert [[row[name].text for name in ("clicks", "upsampler", "NoC@90", "NoC@80")] for row in rows] == [
            ["simple_vit", "LoftUp", "3.76", "—"],
            ["simple_vit", "FeatUp (JBU)", "5.78", "—"],
            ["patch_embed", "LoftUp", "4.66", "—"],
        ]
        assert not any(cell.bold for row in rows for cell in row.values())
        assert any("on GrabCut (a note)" in note for note in table.notes)

    def test_one_published_data_set_is_shown_where_none_is_clicked(self) -> None:
        own = results([scored("low")])
        own.names.datasets["photos"] = "folder"
        seconds = {one: Value(0.02) for one in own.tested}
        assert [title for title, _ in shown(clicks_table(own, seconds, published=PUBLISHED))][1:] == [
            "Published, GrabCut"
        ]

    @pytest.mark.parametrize(("kind", "count"), [("grabcut", 3), ("sbd", 2), ("davis345", 0), ("coco", 0)])
    def test_published_values_of_a_kind(self, kind: str, count: int) -> None:
        assert len(PUBLISHED.of_kind(kind, ["NoC@90", "mIoU@5"])) == count
        assert PUBLISHED.first(["NoC@95"]).empty

    def test_another_system_is_no_upsampler(self) -> None:
        (section,) = PUBLISHED.sections(PUBLISHED.of_kind("sbd", ["NoC@90"]))
        system = section.rows[-1]
        assert (system["encoder"], system["upsampler"], system["clicks"]) == ("SegNext ViT-B", "", "")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "no scores of click models were given"),
        ([scored("low"), scored("low")], "were given twice"),
        ([scored("other")], "were not asked for"),
        ([scored("low", seed=3)], "were not asked for"),
        ([scored("low"), scored("loft", images=3)], "differ in 'images': 4 .* and 3"),
        ([scored("low"), scored("loft", protocol={})], "differ in 'protocol'"),
    ],
)
def test_what_does_not_belong_together_is_refused(found: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ReportingError, match=message):
        results(found)


def test_a_seed_or_a_data_set_that_is_missing_is_named() -> None:
    with pytest.raises(ReportingError, match=r"upsampler='low'\) has no scores of seed 1"):
        results([scored("low")], seeds=(0, 1))
    with pytest.raises(ReportingError, match=r"dataset='more'.* has no scores of seed 0"):
        results([scored("low")], datasets=("photos", "more"))


class TestUpsamplers:
    def table(self, scores: dict[str, Any] | None = None) -> Table:
        found = results([scored(name, noc) for name, noc in NOC.items()])
        return upsamplers_table(found, qualities(scores or SCORES), BOOTSTRAP)

    def test_both_ways_to_rank_side_by_side(self) -> None:
        (title, rows), (_, correlations) = shown(self.table())
        assert title == "DINO · untrained"
        low, _, loft = rows
        assert (low["SC"].text, low["SC"].detail, low["SC"].below) == ("0.500", "[0.400, 0.600]", "rank 2")
        assert (loft["NoC late"].text, loft["NoC late"].detail, loft["NoC late"].bold) == ("2.00", "", True)
        assert (loft["NoC late"].below, loft["EF"].below) == ("rank 1", "rank 3")
        assert (loft["parameters"].text, loft["milliseconds"].text, loft["memory"].text) == (
            "4.30",
            "250.0",
            "2",
        )
        (row,) = correlations
        assert row["upsampler"].text == "DINO, late"
        # fewer clicks: loft, low, flat; SC and the probe the same order, EF low, flat, loft
        assert [row[name].text for name in ("SC", "EF", "probe_mIoU")] == ["1.000", "−0.50", "1.00"]
        assert row["SC"].below == "p = 0.33"

    def test_published_ranks_stand_below(self) -> None:
        found = results([scored(name, noc) for name, noc in NOC.items()])
        table = upsamplers_table(found, qualities(SCORES), BOOTSTRAP, PUBLISHED)
        title, rows = shown(table)[1]
        assert title == "Published, means over data sets"
        assert [(row["upsampler"].text, row["probe_mIoU"].text, row["NoC late"].text) for row in rows] == [
            ("LoftUp", "72.00", "6.78")  # FeatUp is not published on every data set
        ]
        assert (rows[0]["SC"].text, rows[0]["probe_mIoU"].detail) == ("—", "")
        assert table.notes[-1] == (
            "Published mIoU on COCO, VOC (another). Published NoC@90 on GrabCut, SBD (a note)."
        )

    def test_what_is_undefined_says_why(self) -> None:
        spoiled = {name: {"SC": {"mean": None, "reason": "map_too_small"}, "EF": None} for name in SCORES}
        text = to_markdown(self.table(spoiled))
        assert "map too small." in text
        assert "no labels." in text
        assert "a rank correlation needs 3 pairs, there are 0." in text

    def test_without_scores_of_maps_clicks_are_left(self) -> None:
        found = results([scored("low")])
        table = upsamplers_table(found, qualities({}), BOOTSTRAP)
        ((_, (row,)), _) = shown(table)
        assert (row["NoC late"].text, row["NoC late"].below, row["SC"].text) == ("4.00", "", "—")
        assert "interactive.quality: null" in to_markdown(table)

    def test_one_click_model_may_have_fewer_cells(self) -> None:
        found = results([scored("low"), scored("loft", 2.0), scored("loft", 3.0, clicks="early")])
        ((_, (low, loft)), *_) = shown(upsamplers_table(found, qualities({}), BOOTSTRAP))
        assert (low["NoC early"].text, loft["NoC early"].text) == ("", "3.00")


class TestFailures:
    def table(self, low: list[float], loft: list[float], **of: Any) -> Table:
        found = {key("low"): {0: objects(low, final=0.6)}, key("loft"): {0: objects(loft, **of)}}
        return click_failures_table(results([scored("low"), scored("loft")]), found)

    def test_objects_that_most_models_fail_on_come_first(self) -> None:
        table = self.table([5, 2, 5, float("nan")], [5, 5, 2, float("nan")], final=0.4)
        ((title, rows),) = shown(table)
        assert title == "photos: 3 of 4 objects failed with some model"
        assert [(row["image"].text, row["models"].text, row["final"].text) for row in rows] == [
            ("photo-00", "2 of 2", "50.0"),
            ("photo-01", "1 of 2", "40.0"),
            ("photo-02", "1 of 2", "60.0"),
        ]
        assert (rows[0]["lowest"].text, rows[0]["lowest"].detail + rows[0]["lowest"].below) == (
            "40.0",
            "DINO, late, LoftUp",
        )
        assert table.notes == ("photos, objects that failed: low-res 2 and LoftUp 2 (DINO, late).",)
        assert len(table.data) == 4

    def test_reached_by_all_is_said(self) -> None:
        table = self.table([2, 3], [1, 1])
        assert table.notes == ("photos: every object reached 90 percent with every model.",)
        assert table.data.empty
        assert "0 of 4 objects" in to_markdown(table)

    def test_the_list_is_bounded_and_the_csv_is_not(self) -> None:
        table = self.table([5.0] * (SHOWN + 3), [1.0] * (SHOWN + 3))
        ((title, rows),) = shown(table)
        assert (len(rows), len(table.data)) == (SHOWN, SHOWN + 3)
        assert title.endswith(f"the {SHOWN} worst")


def test_names_lead() -> None:
    own = results([scored("loft"), scored("low")])
    assert [one.upsampler for one in own.tested] == ["low", "loft"]
    assert own.targets == ["NoC@80", "NoC@90"]
    assert own.leading == "NoC@90"
    assert names().first_of("bilinear") == "flat"
