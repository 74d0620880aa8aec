# Structural Coherence and Edge Fidelity per image and output stride.


rule profile_encoder:
    input:
        manifest=rules.extract_features.output.manifest,
        index=of(STUDY.profiled_index, "dataset"),
    output:
        scores=FILES.pattern("profile"),
        summary=FILES.pattern("profile_summary"),
    log:
        f"{RESULTS}/logs/profile_encoder/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/profile_encoder/{{dataset}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=lasting(240),
    params:
        generated=FILES.pattern("data"),
        config=of(SETTINGS.profile, "dataset"),
        code=fingerprint("profile_encoder.py"),
    message:
        "Profile {wildcards.encoder} on {wildcards.dataset}: SC and EF per output stride"
    script:
        "../workflow_scripts/profile_encoder.py"


rule score_supervised:
    input:
        manifest=rules.extract_features.output.manifest,
        index=of(STUDY.profiled_index, "dataset"),
    output:
        scores=FILES.pattern("supervised"),
    log:
        f"{RESULTS}/logs/score_supervised/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_supervised/{{dataset}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=lasting(240),
    params:
        generated=FILES.pattern("data"),
        config=of(SETTINGS.supervised, "dataset"),
        code=fingerprint("score_supervised.py"),
    message:
        "Score {wildcards.encoder} on {wildcards.dataset} against ground-truth regions"
    script:
        "../workflow_scripts/score_supervised.py"


rule sweep_settings:
    input:
        manifest=rules.extract_features.output.manifest,
        index=of(STUDY.profiled_index, "dataset"),
    output:
        scores=FILES.pattern("sweep"),
    log:
        f"{RESULTS}/logs/sweep_settings/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sweep_settings/{{dataset}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=lasting(240),
    params:
        generated=FILES.pattern("data"),
        config=of(SETTINGS.sweep, "dataset"),
        code=fingerprint("sweep_settings.py"),
    message:
        "Sweep the metric settings on {wildcards.encoder}, {wildcards.dataset}"
    script:
        "../workflow_scripts/sweep_settings.py"


rule score_controls:
    input:
        index=of(STUDY.profiled_index, "dataset"),
    output:
        scores=FILES.pattern("controls"),
    log:
        f"{RESULTS}/logs/score_controls/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_controls/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=lasting(60),
    params:
        generated=FILES.pattern("data"),
        config=of(SETTINGS.controls, "dataset"),
        code=fingerprint("score_controls.py"),
    message:
        "Score maps with a known answer on {wildcards.dataset} by every metric definition"
    script:
        "../workflow_scripts/score_controls.py"


rule compare_pairs:
    input:
        manifests=FILES.every("features", encoder=CONFIG.encoders),
        index=of(STUDY.profiled_index, "dataset"),
    output:
        pairs=FILES.pattern("pairs"),
    log:
        f"{RESULTS}/logs/compare_pairs/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_pairs/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(STUDY.pairs_mb),
        runtime=lasting(240),
    params:
        generated=FILES.pattern("data"),
        config=of(SETTINGS.pairs, "dataset"),
        code=fingerprint("compare_pairs.py"),
    message:
        "Compare every pair of encoders on {wildcards.dataset}: CKA and a linear probe per output stride"
    script:
        "../workflow_scripts/compare_pairs.py"
