# Tables of what the runs reached and what they cost (CSV, LaTeX, Markdown, HTML), from result files alone.


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
                "dataset": dataset_section(DATASET),
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
