# Tables (CSV, LaTeX, Markdown, HTML), each by a rule of its own, from result files alone.


rule table_datasets:
    input:
        summaries=[
            f"{RESULTS}/datasets/{dataset}/{split}.json" for dataset, split in SPLITS
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
        runtime=growing(10),
    params:
        config=canonical({"splits": SPLITS}),
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
        runtime=growing(10),
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
        runtime=growing(10),
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
        runtime=growing(10),
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
        runtime=growing(10),
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
        runtime=growing(10),
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
        runtime=growing(10),
    params:
        config=canonical(encoder_names()),
        code=fingerprint("table_stability.py"),
    message:
        "Table: how often other images give the same pair and stride"
    script:
        "../workflow_scripts/table_stability.py"


rule table_main_results:
    input:
        evaluations=EVALUATIONS,
        published=PUBLISHED,
    output:
        **table("main_results"),
        html=reported(
            f"{RESULTS}/tables/main_results.html",
            "table_main_results",
            "3. Results",
            "Main results",
        ),
    log:
        f"{RESULTS}/logs/table_main_results.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_main_results.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        config=canonical({**names(), "seeds": SEEDS}),
        code=fingerprint("table_main_results.py"),
    message:
        "Table: AP, mIoU and PQ of every run"
    script:
        "../workflow_scripts/table_main_results.py"


rule table_per_class:
    input:
        evaluations=EVALUATIONS,
        val=f"{RESULTS}/datasets/{DATASET}/val.parquet",
    output:
        **table("per_class"),
        html=reported(
            f"{RESULTS}/tables/per_class.html",
            "table_per_class",
            "3. Results",
            "Per class",
        ),
    log:
        f"{RESULTS}/logs/table_per_class.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_per_class.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        generated=f"{RESULTS}/data/{DATASET}",
        config=canonical(
            {
                **names(),
                "seeds": SEEDS,
                "dataset": CONFIG.datasets[DATASET].model_dump(mode="json"),
            }
        ),
        code=fingerprint("table_per_class.py"),
    message:
        "Table: results per class, grouped by boundary-to-area ratio"
    script:
        "../workflow_scripts/table_per_class.py"


rule table_supervised:
    input:
        profiles=PROFILES,
        supervised=collect(
            rules.score_supervised.output.scores,
            encoder=CONFIG.encoders,
            dataset=DATASET,
        ),
        published=PUBLISHED,
    output:
        **table("supervised"),
        html=reported(
            f"{RESULTS}/tables/supervised.html",
            "table_supervised",
            "1. Profiles",
            "SC against ground truth",
        ),
    log:
        f"{RESULTS}/logs/table_supervised.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_supervised.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        config=canonical({**encoder_names(), **interval(), "dataset": DATASET}),
        code=fingerprint("table_supervised.py"),
    message:
        "Table: SC with and without ground truth, and their rank correlation"
    script:
        "../workflow_scripts/table_supervised.py"


rule table_stride_gain:
    input:
        evaluations=EVALUATIONS,
        profiles=PROFILES,
        published=PUBLISHED,
    output:
        **table("stride_gain"),
        html=reported(
            f"{RESULTS}/tables/stride_gain.html",
            "table_stride_gain",
            "3. Results",
            "EF and gain per stride",
        ),
    log:
        f"{RESULTS}/logs/table_stride_gain.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_stride_gain.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        config=canonical(
            {**names(), **interval(), "seeds": SEEDS, "fusions": fusions()}
        ),
        code=fingerprint("table_stride_gain.py"),
    message:
        "Table: EF of the auxiliary and what its injection gains, per stride"
    script:
        "../workflow_scripts/table_stride_gain.py"


rule table_finetuned:
    input:
        before=PROFILES,
        after=collect(
            rules.profile_finetuned.output.scores, run=finetuned_runs(), seed=SEEDS
        ),
        published=PUBLISHED,
    output:
        **table("finetuned"),
        html=reported(
            f"{RESULTS}/tables/finetuned.html",
            "table_finetuned",
            "3. Results",
            "Profiles after fine-tuning",
        ),
    log:
        f"{RESULTS}/logs/table_finetuned.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_finetuned.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        config=canonical(
            {
                **names(),
                **interval(),
                "dataset": DATASET,
                "finetuned": [
                    (run, seed) for run in finetuned_runs() for seed in SEEDS
                ],
            }
        ),
        code=fingerprint("table_finetuned.py"),
    message:
        "Table: SC and EF of encoders before and after fine-tuning"
    script:
        "../workflow_scripts/table_finetuned.py"


rule table_runtime:
    input:
        generate_dataset=collect(
            rules.generate_dataset.benchmark,
            dataset=[DATASET] if is_generated(DATASET) else [],
        ),
        index_dataset=collect(
            rules.index_dataset.benchmark, split=("train", "val"), dataset=DATASET
        ),
        extract_features=collect(
            rules.extract_features.benchmark, encoder=CONFIG.encoders, dataset=DATASET
        ),
        profile_encoder=collect(
            rules.profile_encoder.benchmark, encoder=CONFIG.encoders, dataset=DATASET
        ),
        score_supervised=collect(
            rules.score_supervised.benchmark, encoder=CONFIG.encoders, dataset=DATASET
        ),
        sweep_settings=collect(
            rules.sweep_settings.benchmark, encoder=CONFIG.encoders, dataset=DATASET
        ),
        score_controls=collect(rules.score_controls.benchmark, dataset=DATASET),
        select_pair=collect(rules.select_pair.benchmark, dataset=DATASET),
        assess_stability=collect(rules.assess_stability.benchmark, dataset=DATASET),
        train=collect(rules.train.benchmark, run=CONFIG.runs, seed=SEEDS),
        predict=collect(rules.predict.benchmark, run=CONFIG.runs, seed=SEEDS),
        evaluate=collect(rules.evaluate.benchmark, run=CONFIG.runs, seed=SEEDS),
        measure_cost=collect(rules.measure_cost.benchmark, run=CONFIG.runs),
        extract_finetuned=collect(
            rules.extract_finetuned.benchmark, run=finetuned_runs(), seed=SEEDS
        ),
        profile_finetuned=collect(
            rules.profile_finetuned.benchmark, run=finetuned_runs(), seed=SEEDS
        ),
    output:
        **table("runtime"),
        html=reported(
            f"{RESULTS}/tables/runtime.html",
            "table_runtime",
            "4. Cost",
            "Time and memory",
        ),
    log:
        f"{RESULTS}/logs/table_runtime.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_runtime.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=fingerprint("table_runtime.py"),
    message:
        "Table: time and memory of every stage"
    script:
        "../workflow_scripts/table_runtime.py"


rule tables:
    input:
        rules.table_datasets.output,
        rules.table_encoders.output,
        rules.table_profiles.output,
        collect(rules.table_profiles_elsewhere.output, dataset=CONFIG.also_profiled),
        rules.table_controls.output,
        rules.table_sensitivity.output,
        rules.text_selection.output,
        rules.table_stability.output,
        rules.table_main_results.output,
        rules.table_per_class.output,
        rules.table_supervised.output,
        rules.table_stride_gain.output,
        rules.table_finetuned.output,
        rules.table_cost.output,
        rules.table_runtime.output,
    message:
        "All tables are made"
