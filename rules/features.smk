# Native feature maps of every encoder, in a Zarr store that its manifest guards.


rule extract_features:
    input:
        index=profiled_index,
        weights=weights,
    output:
        manifest=f"{RESULTS}/features/{{dataset}}/{{encoder}}.zarr.manifest.json",
    log:
        f"{RESULTS}/logs/extract_features/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_features/{{dataset}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
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
