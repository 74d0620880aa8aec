# Data sets: generated where the experiment asks for it, then indexed and checked.


rule generate_dataset:
    output:
        manifest=FILES.pattern("data_manifest"),
    log:
        f"{RESULTS}/logs/generate_dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/generate_dataset/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=lasting(30),
    params:
        config=of(SETTINGS.dataset, "dataset"),
        code=fingerprint("generate_dataset.py"),
    message:
        "Generate the street scenes of {wildcards.dataset}"
    script:
        "../workflow_scripts/generate_dataset.py"


rule index_dataset:
    input:
        of(STUDY.data_manifest, "dataset"),
    output:
        index=FILES.pattern("index"),
        summary=FILES.pattern("index_summary"),
    log:
        f"{RESULTS}/logs/index_dataset/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/index_dataset/{{dataset}}.{{split}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=lasting(60),
    params:
        generated=FILES.pattern("data"),
        config=of(SETTINGS.dataset, "dataset"),
        code=fingerprint("index_dataset.py"),
    message:
        "Check the {wildcards.split} images and labels of {wildcards.dataset} and index them"
    script:
        "../workflow_scripts/index_dataset.py"


rule list_categories:
    output:
        categories=FILES.pattern("categories"),
    log:
        f"{RESULTS}/logs/list_categories/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/list_categories/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(500),
        runtime=lasting(5),
    params:
        config=of(SETTINGS.dataset, "dataset"),
        code=fingerprint("list_categories.py"),
    message:
        "List the classes of {wildcards.dataset}"
    script:
        "../workflow_scripts/list_categories.py"


rule datasets:
    input:
        [
            FILES.pattern("index", dataset=dataset, split=split)
            for dataset, split in STUDY.splits
        ],
        FILES.every("categories", dataset=map(CONFIG.dataset_of, CONFIG.runs)),
    message:
        "Every image and label of the data sets can be read"
