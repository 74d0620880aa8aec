"""Reports of the data sets and the encoders."""

from __future__ import annotations

from vfm_fusion.reporting.entry import Report
from vfm_fusion.study import reported

ENTRIES = (
    Report(
        "table_datasets",
        "vfm_fusion.reporting.tables.datasets",
        "0. Data and encoders",
        "Data sets",
        "Table: images and labels of every data set",
        inputs=lambda study, _: {
            "summaries": [
                study.files.pattern("index_summary", dataset=dataset, split=split)
                for dataset, split in study.splits
            ]
        },
        settings=lambda study, _: {"splits": study.splits},
        needs=("data",),
    ),
    Report(
        "table_encoders",
        "vfm_fusion.reporting.tables.encoders",
        "0. Data and encoders",
        "Encoders",
        "Table: the encoders",
        inputs=lambda study, _: {"manifests": reported.of_encoders(study, "features")},
        settings=lambda study, _: reported.encoders_described(study),
        needs=("profiles",),
    ),
)
