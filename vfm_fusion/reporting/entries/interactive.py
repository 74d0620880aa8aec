"""Reports of interactive segmentation: clicks, masks and cost of upsamplers, and which of them wins."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Report
from vfm_fusion.study import clicking
from vfm_fusion.study import reported_clicks as reported

_CATEGORY = "5. Interactive segmentation"

ENTRIES = (
    Report(
        "text_upsampling",
        "vfm_fusion.reporting.upsampling_text",
        "0. Answers",
        "Which upsampler wins",
        "Text: which upsampler needs the fewest clicks, and whether scores of its maps knew",
        inputs=lambda study, _: {**reported.of_objects(study), **reported.qualities(study)},
        settings=lambda study, _: reported.clicks_compared(study),
        needs=("clicks",),
    ),
    Report(
        "table_clicks",
        "vfm_fusion.reporting.tables.clicks",
        _CATEGORY,
        "Clicks",
        "Table: clicks to an IoU by encoder, click model and upsampler",
        inputs=lambda study, _: {
            "scores": clicking.clicked(study, "clicked_scores"),
            "seconds": clicking.clicked(study, "clicked_seconds"),
            "summaries": reported.counted_images(study),
            "published": reported.published(study),
        },
        settings=lambda study, _: reported.beside_published(reported.clicks_named(study)),
        needs=("clicks",),
    ),
    Report(
        "table_upsamplers",
        "vfm_fusion.reporting.tables.upsamplers",
        _CATEGORY,
        "Upsamplers",
        "Table: scores of upsampled maps beside clicks, and their rank correlation",
        inputs=lambda study, _: {
            "scores": clicking.clicked(study, "clicked_scores"),
            **reported.qualities(study),
            "published": reported.published(study),
        },
        settings=lambda study, _: reported.beside_published(reported.clicks_compared(study)),
        needs=("clicks",),
    ),
    Report(
        "table_click_failures",
        "vfm_fusion.reporting.tables.click_failures",
        _CATEGORY,
        "Failures",
        "Table: objects that never reached the IoU",
        inputs=lambda study, _: reported.of_objects(study),
        settings=lambda study, _: reported.clicks_named(study),
        needs=("clicks",),
    ),
    Report(
        "figure_iou_by_clicks",
        "vfm_fusion.reporting.figures.iou_by_clicks",
        _CATEGORY,
        "IoU against clicks",
        "Figure: mean IoU against clicks",
        inputs=lambda study, _: {"scores": clicking.clicked(study, "clicked_scores")},
        settings=lambda study, _: reported.clicks_named(study),
        needs=("clicks",),
    ),
    Report(
        "figure_click_cost",
        "vfm_fusion.reporting.figures.click_cost",
        _CATEGORY,
        "Cost against clicks",
        "Figure: parameters, time and memory of upsamplers against clicks",
        inputs=lambda study, _: {
            "scores": clicking.clicked(study, "clicked_scores"),
            **reported.qualities(study),
        },
        settings=lambda study, _: reported.clicks_named(study),
        needs=("clicks",),
    ),
    Report(
        "figure_upsampled_maps",
        "vfm_fusion.reporting.figures.upsampled_maps",
        _CATEGORY,
        "Upsampled maps",
        "Figure: joint PCA of maps before and after upsampling",
        inputs=lambda study, _: {"maps": clicking.upsampled(study, "upsampled_maps")},
        settings=lambda study, _: reported.maps_named(study),
        memory=2000,
        needs=("clicks",),
    ),
    Report(
        "figure_click_sequences",
        "vfm_fusion.reporting.figures.click_sequences",
        _CATEGORY,
        "Masks by clicks",
        "Figure: masks after some clicks, upsampler by upsampler",
        inputs=lambda study, _: reported.shown_masks(study),
        settings=lambda study, _: reported.clicks_named(study),
        memory=2000,
        needs=("clicks",),
    ),
)
