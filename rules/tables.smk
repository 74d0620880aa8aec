# Tables of data, encoders, profiles and selection (CSV, LaTeX, Markdown, HTML), from result files alone.


rule table_datasets:
    input:
        summaries=[
            f"{RESULTS}/datasets/{dataset}/{split}.json"
            for dataset, split in STUDY.splits
        ],
    output:
        **table("datasets"),
        html=reported(
            f"{RESULTS}/tables/datasets.html",
            "table_datasets",
            "0. Data and encoders",
            "Data sets",
        ),
    log:
        f"{RESULTS}/logs/table_datasets.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_datasets.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical({"splits": STUDY.splits}),
        code=fingerprint("table_datasets.py"),
    message:
        "Table: images and labels of every data set"
    script:
        "../workflow_scripts/table_datasets.py"


rule table_encoders:
    input:
        manifests=collect(
            rules.extract_features.output.manifest,
            encoder=CONFIG.encoders,
            dataset=DATASET,
        ),
    output:
        **table("encoders"),
        html=reported(
            f"{RESULTS}/tables/encoders.html",
            "table_encoders",
            "0. Data and encoders",
            "Encoders",
        ),
    log:
        f"{RESULTS}/logs/table_encoders.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_encoders.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(
            {
                "encoders": [
                    (name, encoder_facts(name, encoder))
                    for name, encoder in CONFIG.encoders.items()
                ],
                "provenance": provenance_sentences(CONFIG.encoders),
            }
        ),
        code=fingerprint("table_encoders.py"),
    message:
        "Table: the encoders"
    script:
        "../workflow_scripts/table_encoders.py"


rule table_profiles:
    input:
        summaries=SUMMARIES,
        selection=SELECTION,
        published=PUBLISHED,
    output:
        **table("profiles"),
        html=reported(
            f"{RESULTS}/tables/profiles.html",
            "table_profiles",
            "1. Profiles",
            "SC and EF",
        ),
    log:
        f"{RESULTS}/logs/table_profiles.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_profiles.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(encoder_names()),
        code=fingerprint("table_profiles.py"),
    message:
        "Table: SC and EF per encoder and output stride"
    script:
        "../workflow_scripts/table_profiles.py"


use rule table_profiles as table_profiles_elsewhere with:
    input:
        summaries=collect(
            rules.profile_encoder.output.summary,
            encoder=CONFIG.encoders,
            allow_missing=True,
        ),
        selection=[rules.select_pair.output.selection],
        published=[],
    output:
        **table("profiles-{dataset}"),
        html=reported(
            f"{RESULTS}/tables/profiles-{{dataset}}.html",
            "table_profiles",
            "1. Profiles",
            "SC and EF on {dataset}",
        ),
    log:
        f"{RESULTS}/logs/table_profiles/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_profiles/{{dataset}}.jsonl"
    message:
        "Table: SC and EF per encoder and output stride on {wildcards.dataset}"


rule table_controls:
    input:
        controls=CONTROLS,
    output:
        **table("controls"),
        html=reported(
            f"{RESULTS}/tables/controls.html",
            "table_controls",
            "1. Profiles",
            "Controls",
        ),
    log:
        f"{RESULTS}/logs/table_controls.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_controls.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical({"dataset": DATASET}),
        code=fingerprint("table_controls.py"),
    message:
        "Table: what every metric definition makes of maps with a known answer"
    script:
        "../workflow_scripts/table_controls.py"


rule table_sensitivity:
    input:
        sweeps=SWEEPS,
        selection=SELECTION,
    output:
        **table("sensitivity"),
        html=reported(
            f"{RESULTS}/tables/sensitivity.html",
            "table_sensitivity",
            "1. Profiles",
            "Sensitivity to settings",
        ),
    log:
        f"{RESULTS}/logs/table_sensitivity.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_sensitivity.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(encoder_names()),
        code=fingerprint("table_sensitivity.py"),
    message:
        "Table: SC and EF levels, ranks and choice under other metric settings"
    script:
        "../workflow_scripts/table_sensitivity.py"


rule text_selection:
    input:
        selection=SELECTION,
        stability=STABILITY,
    output:
        md=f"{RESULTS}/tables/selection.md",
        html=reported(
            f"{RESULTS}/tables/selection.html",
            "text_selection",
            "2. Selection",
            "Why this pair",
        ),
    log:
        f"{RESULTS}/logs/text_selection.log",
    benchmark:
        f"{RESULTS}/benchmarks/text_selection.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(encoder_names()),
        code=fingerprint("text_selection.py"),
    message:
        "Text: why this pair and stride"
    script:
        "../workflow_scripts/text_selection.py"


rule table_stability:
    input:
        stability=STABILITY,
    output:
        **table("stability"),
        html=reported(
            f"{RESULTS}/tables/stability.html",
            "table_stability",
            "2. Selection",
            "Stability",
        ),
    log:
        f"{RESULTS}/logs/table_stability.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_stability.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(encoder_names()),
        code=fingerprint("table_stability.py"),
    message:
        "Table: how often other images give the same pair and stride"
    script:
        "../workflow_scripts/table_stability.py"
