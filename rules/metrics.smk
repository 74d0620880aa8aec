# Structural Coherence and Edge Fidelity per image and output stride.


rule profile_encoder:
    input:
        manifest=rules.extract_features.output.manifest,
        index=profiled_index,
    output:
        scores=f"{RESULTS}/metrics/{{dataset}}/{{encoder}}.parquet",
        summary=f"{RESULTS}/metrics/{{dataset}}/{{encoder}}.summary.parquet",
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
        generated=f"{RESULTS}/data/{{dataset}}",
        config=profile_config,
        code=fingerprint("profile_encoder.py"),
    message:
        "Profile {wildcards.encoder} on {wildcards.dataset}: SC and EF per output stride"
    script:
        "../workflow_scripts/profile_encoder.py"


rule score_supervised:
    input:
        manifest=rules.extract_features.output.manifest,
        index=profiled_index,
    output:
        scores=f"{RESULTS}/metrics/{{dataset}}/{{encoder}}.supervised.parquet",
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
        generated=f"{RESULTS}/data/{{dataset}}",
        config=supervised_config,
        code=fingerprint("score_supervised.py"),
    message:
        "Score {wildcards.encoder} on {wildcards.dataset} against ground-truth regions"
    script:
        "../workflow_scripts/score_supervised.py"


rule sweep_settings:
    input:
        manifest=rules.extract_features.output.manifest,
        index=profiled_index,
    output:
        scores=f"{RESULTS}/metrics/{{dataset}}/{{encoder}}.sensitivity.parquet",
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
        generated=f"{RESULTS}/data/{{dataset}}",
        config=sweep_config,
        code=fingerprint("sweep_settings.py"),
    message:
        "Sweep the metric settings on {wildcards.encoder}, {wildcards.dataset}"
    script:
        "../workflow_scripts/sweep_settings.py"


rule score_controls:
    input:
        index=profiled_index,
    output:
        scores=f"{RESULTS}/metrics/{{dataset}}/controls.parquet",
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
        generated=f"{RESULTS}/data/{{dataset}}",
        config=controls_config,
        code=fingerprint("score_controls.py"),
    message:
        "Score maps with a known answer on {wildcards.dataset} by every metric definition"
    script:
        "../workflow_scripts/score_controls.py"
