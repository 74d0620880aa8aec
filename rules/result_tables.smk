# Tables of what the runs reached and what they cost (CSV, LaTeX, Markdown, HTML), from result files alone.


rule table_main_results:
    input:
        evaluations=evaluations,
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
        runtime=lasting(10),
    params:
        config=main_results_config,
        code=fingerprint("table_main_results.py"),
    message:
        "Table: AP, mIoU and PQ of every run"
    script:
        "../workflow_scripts/table_main_results.py"


use rule table_main_results as table_main_results_elsewhere with:
    output:
        **table("main_results-{comparison}"),
        html=reported(
            f"{RESULTS}/tables/main_results-{{comparison}}.html",
            "table_main_results",
            "3. Results",
            "Main results, {comparison}",
        ),
    log:
        f"{RESULTS}/logs/table_main_results/{{comparison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_main_results/{{comparison}}.jsonl"
    message:
        "Table: AP, mIoU and PQ of every run of {wildcards.comparison}"


rule table_per_class:
    input:
        evaluations=evaluations,
        val=compared_index,
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
        runtime=lasting(30),
    params:
        generated=compared_data,
        config=per_class_config,
        code=fingerprint("table_per_class.py"),
    message:
        "Table: results per class, grouped by boundary-to-area ratio"
    script:
        "../workflow_scripts/table_per_class.py"


use rule table_per_class as table_per_class_elsewhere with:
    output:
        **table("per_class-{comparison}"),
        html=reported(
            f"{RESULTS}/tables/per_class-{{comparison}}.html",
            "table_per_class",
            "3. Results",
            "Per class, {comparison}",
        ),
    log:
        f"{RESULTS}/logs/table_per_class/{{comparison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_per_class/{{comparison}}.jsonl"
    message:
        "Table: results per class, grouped by boundary-to-area ratio, of {wildcards.comparison}"


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
        runtime=lasting(10),
    params:
        config=canonical({**encoder_names(), **interval(), "dataset": DATASET}),
        code=fingerprint("table_supervised.py"),
    message:
        "Table: SC with and without ground truth, and their rank correlation"
    script:
        "../workflow_scripts/table_supervised.py"


rule table_finetuned:
    input:
        before=PROFILES,
        after=collect(
            rules.profile_finetuned.output.scores, run=STUDY.finetuned_runs, seed=SEEDS
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
        runtime=lasting(10),
    params:
        config=canonical(
            {
                **names(STUDY.finetuned_runs),
                **interval(),
                "dataset": DATASET,
                "finetuned": [
                    (run, seed) for run in STUDY.finetuned_runs for seed in SEEDS
                ],
            }
        ),
        code=fingerprint("table_finetuned.py"),
    message:
        "Table: SC and EF of encoders before and after fine-tuning"
    script:
        "../workflow_scripts/table_finetuned.py"


rule text_questions:
    input:
        evaluations=evaluations,
        profiles=summaries_behind,
        selection=selection_behind,
        per_class=rules.table_per_class.output.csv,
        supervised=rules.table_supervised.output.csv,
        finetuned=rules.table_finetuned.output.csv,
    output:
        md=f"{RESULTS}/tables/questions.md",
        html=reported(
            f"{RESULTS}/tables/questions.html",
            "text_questions",
            "0. Answers",
            "Five questions",
        ),
    log:
        f"{RESULTS}/logs/text_questions.log",
    benchmark:
        f"{RESULTS}/benchmarks/text_questions.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=settings_config,
        code=fingerprint("text_questions.py"),
    message:
        "Text: what the runs answer to the paper's five questions"
    script:
        "../workflow_scripts/text_questions.py"


rule table_runtime:
    input:
        generate_dataset=collect(
            rules.generate_dataset.benchmark,
            dataset={
                name: None for name, _ in STUDY.splits if STUDY.is_generated(name)
            },
        ),
        index_dataset=[
            benchmark
            for dataset, split in STUDY.splits
            for benchmark in collect(
                rules.index_dataset.benchmark, dataset=dataset, split=split
            )
        ],
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
        predict=STUDY.per_target(rules.predict.benchmark, CONFIG.runs),
        evaluate=STUDY.per_target(rules.evaluate.benchmark, CONFIG.runs),
        measure_cost=collect(rules.measure_cost.benchmark, run=CONFIG.runs),
        extract_finetuned=collect(
            rules.extract_finetuned.benchmark, run=STUDY.finetuned_runs, seed=SEEDS
        ),
        profile_finetuned=collect(
            rules.profile_finetuned.benchmark, run=STUDY.finetuned_runs, seed=SEEDS
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
        runtime=lasting(10),
    params:
        code=fingerprint("table_runtime.py"),
    message:
        "Table: time and memory of every stage"
    script:
        "../workflow_scripts/table_runtime.py"


# What there is to show: of data, of encoders, of a choice between two, of runs.
TABLES = [rules.table_datasets.output] if STUDY.splits else []
if STUDY.has_profiles:
    TABLES += [rules.table_encoders.output, rules.table_controls.output]
if STUDY.has_pair:
    TABLES += [
        rules.table_profiles.output,
        collect(rules.table_profiles_elsewhere.output, dataset=CONFIG.also_profiled),
        rules.table_sensitivity.output,
        rules.text_selection.output,
        rules.table_stability.output,
        rules.table_supervised.output,
    ]
if STUDY.has_runs:
    TABLES += [
        rules.table_main_results.output,
        collect(rules.table_main_results_elsewhere.output, comparison=STUDY.elsewhere),
        rules.table_per_class.output,
        collect(rules.table_per_class_elsewhere.output, comparison=STUDY.elsewhere),
        rules.table_stride_gain.output,
        collect(rules.table_stride_gain_elsewhere.output, comparison=fused_elsewhere()),
        rules.table_injection_stride.output,
        collect(
            rules.table_injection_stride_elsewhere.output, comparison=swept_elsewhere()
        ),
        rules.table_finetuned.output,
        rules.text_questions.output,
        rules.table_cost.output,
        rules.table_runtime.output,
    ]


rule tables:
    input:
        TABLES,
    message:
        "All tables are made"
