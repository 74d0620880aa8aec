"""The published grid of interactive segmentation is planned in seconds, without its data and weights."""

from __future__ import annotations

import resource

from working_copy import Workflow

PLANNED = {
    "index_dataset": 5,  # SBD to learn from and four to click
    "train_clicks": 2 * 9,
    "evaluate_clicks": 2 * 9 * 4,
    "measure_upsampler": 9,
    "draw_upsampled_maps": 1,
    "extract_features": 1,
    **dict.fromkeys(("table_clicks", "table_upsamplers", "table_click_failures", "text_upsampling"), 1),
    **dict.fromkeys(("figure_iou_by_clicks", "figure_click_cost", "figure_upsampled_maps"), 1),
    "figure_click_sequences": 1,
}


def test_the_published_grid_is_planned_in_seconds(fresh: Workflow) -> None:
    fresh.config = {"experiment": "interactive_paper"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    planned = fresh.planned()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert {rule: planned.get(rule) for rule in PLANNED} == PLANNED
    assert not {"pretrain_upsampler", "train", "generate_dataset"} & planned.keys()
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 30, "of CPU time, whatever else the machine does"
