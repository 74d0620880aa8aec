# Master, auxiliary and injection stride from the profiles, and how stable that choice is.


rule select_pair:
    input:
        summaries=FILES.every("profile_summary", encoder=CONFIG.encoders),
        pairs=of(STUDY.pairs_of_rule, "dataset"),
    output:
        selection=FILES.pattern("selection"),
    log:
        f"{RESULTS}/logs/select_pair/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/select_pair/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=SETTINGS.selection(),
        code=fingerprint("select_pair.py"),
    message:
        "Select master, auxiliary and injection stride on {wildcards.dataset}"
    script:
        "../workflow_scripts/select_pair.py"


rule assess_stability:
    input:
        scores=FILES.every("profile", encoder=CONFIG.encoders),
        sweeps=FILES.every("sweep", encoder=CONFIG.encoders),
        pairs=of(STUDY.pairs_of_rule, "dataset"),
        selection=rules.select_pair.output.selection,
    output:
        stability=FILES.pattern("stability"),
    log:
        f"{RESULTS}/logs/assess_stability/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/assess_stability/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=SETTINGS.stability(),
        code=fingerprint("assess_stability.py"),
    message:
        "Repeat the selection on other draws of the images of {wildcards.dataset}"
    script:
        "../workflow_scripts/assess_stability.py"


rule select:
    input:
        FILES.pattern("selection", dataset=DATASET),
    message:
        "The pair and stride are selected"
