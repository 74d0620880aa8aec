# Tables of the injection strides that were trained, beside EF (CSV, LaTeX, Markdown, HTML), from result files alone.


rule table_stride_gain:
    input:
        evaluations=evaluations,
        profiles=profiles_behind,
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
        runtime=lasting(10),
    params:
        config=stride_gain_config,
        code=fingerprint("table_stride_gain.py"),
    message:
        "Table: EF of the auxiliary and what its injection gains, per stride"
    script:
        "../workflow_scripts/table_stride_gain.py"


use rule table_stride_gain as table_stride_gain_elsewhere with:
    input:
        evaluations=evaluations,
        profiles=profiles_behind,
        published=[],
    output:
        **table("stride_gain-{comparison}"),
        html=reported(
            f"{RESULTS}/tables/stride_gain-{{comparison}}.html",
            "table_stride_gain",
            "3. Results",
            "EF and gain per stride, {comparison}",
        ),
    log:
        f"{RESULTS}/logs/table_stride_gain/{{comparison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_stride_gain/{{comparison}}.jsonl"
    message:
        "Table: EF of the auxiliary and what its injection gains, per stride, of {wildcards.comparison}"


rule table_injection_stride:
    input:
        evaluations=evaluations,
        profiles=summaries_behind,
        selection=selection_behind,
        published=PUBLISHED,
    output:
        **table("injection_stride"),
        html=reported(
            f"{RESULTS}/tables/injection_stride.html",
            "table_injection_stride",
            "3. Results",
            "Injection stride",
        ),
    log:
        f"{RESULTS}/logs/table_injection_stride.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_injection_stride.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=settings_config,
        code=fingerprint("table_injection_stride.py"),
    message:
        "Table: what every injection stride reaches, and whether EF suggested the best"
    script:
        "../workflow_scripts/table_injection_stride.py"


use rule table_injection_stride as table_injection_stride_elsewhere with:
    input:
        evaluations=evaluations,
        profiles=summaries_behind,
        selection=selection_behind,
        published=[],
    output:
        **table("injection_stride-{comparison}"),
        html=reported(
            f"{RESULTS}/tables/injection_stride-{{comparison}}.html",
            "table_injection_stride",
            "3. Results",
            "Injection stride, {comparison}",
        ),
    log:
        f"{RESULTS}/logs/table_injection_stride/{{comparison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_injection_stride/{{comparison}}.jsonl"
    message:
        "Table: what every injection stride reaches, and whether EF suggested the best, of {wildcards.comparison}"
