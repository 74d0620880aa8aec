# Native feature maps of every encoder, in a Zarr store that its manifest guards; what to do with stores.


rule extract_part:
    input:
        index=profiled_index,
        weights=weights,
    output:
        temp(
            f"{RESULTS}/state/features/{{dataset}}/{{encoder}}/{{part}}of{{parts}}.json"
        ),
    log:
        f"{RESULTS}/logs/extract_part/{{dataset}}/{{encoder}}.{{part}}of{{parts}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_part/{{dataset}}/{{encoder}}.{{part}}of{{parts}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        manifest=f"{RESULTS}/features/{{dataset}}/{{encoder}}.zarr.manifest.json",
        state=f"{RESULTS}/state/features/{{dataset}}/{{encoder}}",
        generated=f"{RESULTS}/data/{{dataset}}",
        config=features_config,
        code=fingerprint("extract_part.py"),
        store_code=fingerprint("extract_features.py"),
    message:
        "Extract part {wildcards.part} of {wildcards.parts} of the features of {wildcards.encoder} on {wildcards.dataset}"
    script:
        "../workflow_scripts/extract_part.py"


rule extract_features:
    input:
        index=profiled_index,
        weights=weights,
        parts=feature_parts,
    output:
        manifest=f"{RESULTS}/features/{{dataset}}/{{encoder}}.zarr.manifest.json",
    log:
        f"{RESULTS}/logs/extract_features/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_features/{{dataset}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        state=f"{RESULTS}/state/features/{{dataset}}/{{encoder}}",
        generated=f"{RESULTS}/data/{{dataset}}",
        config=features_config,
        code=fingerprint("extract_features.py"),
    message:
        "Extract the features of {wildcards.encoder} on {wildcards.dataset}"
    script:
        "../workflow_scripts/extract_features.py"
