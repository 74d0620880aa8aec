# Native feature maps of every encoder, in a Zarr store that its manifest guards; what to do with stores.


rule extract_part:
    input:
        index=of(STUDY.profiled_index, "dataset"),
        weights=weights,
    output:
        temp(FILES.pattern("feature_part")),
    log:
        f"{RESULTS}/logs/extract_part/{{dataset}}/{{encoder}}.{{part}}of{{parts}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_part/{{dataset}}/{{encoder}}.{{part}}of{{parts}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        manifest=FILES.pattern("features"),
        state=FILES.pattern("feature_state"),
        generated=FILES.pattern("data"),
        config=of(SETTINGS.features, "dataset", "encoder"),
        code=fingerprint("extract_part.py"),
        store_code=fingerprint("extract_features.py"),
    message:
        "Extract part {wildcards.part} of {wildcards.parts} of the features of {wildcards.encoder} on {wildcards.dataset}"
    script:
        "../workflow_scripts/extract_part.py"


rule extract_features:
    input:
        index=of(STUDY.profiled_index, "dataset"),
        weights=weights,
        parts=of(STUDY.feature_parts, "dataset", "encoder"),
    output:
        manifest=FILES.pattern("features"),
    log:
        f"{RESULTS}/logs/extract_features/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_features/{{dataset}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("feature_state"),
        generated=FILES.pattern("data"),
        config=of(SETTINGS.features, "dataset", "encoder"),
        code=fingerprint("extract_features.py"),
    message:
        "Extract the features of {wildcards.encoder} on {wildcards.dataset}"
    script:
        "../workflow_scripts/extract_features.py"


# What frozen encoders make of the images that runs see: training's fixed views, and the images to segment.
rule extract_views:
    input:
        index=of(STUDY.views_index, "dataset", "views"),
        weights=weights,
    output:
        manifest=FILES.pattern("view_features"),
    log:
        f"{RESULTS}/logs/extract_views/{{dataset}}/{{views}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_views/{{dataset}}/{{views}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(1440, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("view_state"),
        generated=FILES.pattern("data"),
        config=of(SETTINGS.views, "dataset", "views", "encoder"),
        code=fingerprint("extract_views.py"),
    message:
        "Extract what {wildcards.encoder} makes of the views {wildcards.views} of {wildcards.dataset}"
    script:
        "../workflow_scripts/extract_views.py"


# The next three have no output, not even a benchmark: they run whenever they are asked for.
rule verify_features:
    log:
        f"{RESULTS}/logs/verify_features.log",
    conda:
        "../envs/workflow.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(2000),
        runtime=lasting(240),
    params:
        manifests=STUDY.feature_manifests(),
    message:
        "Check every map of the feature stores that are there"
    script:
        "../workflow_scripts/verify_features.py"


rule feature_info:
    log:
        f"{RESULTS}/logs/feature_info.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        results=RESULTS,
        manifests=STUDY.feature_manifests(),
        config=SETTINGS.planned_features(),
    message:
        "List the feature stores, what they take, and what is still to come"
    script:
        "../workflow_scripts/feature_info.py"


rule prune_features:
    log:
        f"{RESULTS}/logs/prune_features.log",
    localrule: True
    conda:
        "../envs/workflow.yaml"
    params:
        results=RESULTS,
        manifests=STUDY.feature_manifests(),
        prune=CONFIG.features.prune,
    message:
        "List the feature stores that this configuration does not use, or delete them"
    script:
        "../workflow_scripts/prune_features.py"


rule export_store:
    input:
        manifest=rules.extract_features.output.manifest,
    output:
        FILES.pattern("feature_export"),
    log:
        f"{RESULTS}/logs/export_store/{{dataset}}/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_store/{{dataset}}/{{encoder}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=lasting(240),
    params:
        code=fingerprint("export_store.py"),
    message:
        "Export the features of {wildcards.encoder} on {wildcards.dataset} to HDF5"
    script:
        "../workflow_scripts/export_store.py"


rule export_features:
    input:
        FILES.every("feature_export", dataset=STUDY.profiled, encoder=CONFIG.encoders),
    message:
        "The features of all encoders are exported to HDF5"
