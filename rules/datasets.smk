# Data sets: generated where the experiment asks for it, then indexed and checked.


rule generate_dataset:
    output:
        manifest=f"{RESULTS}/data/{DATASET}.manifest.json",
    log:
        f"{RESULTS}/logs/generate_dataset/{DATASET}.log",
    benchmark:
        f"{RESULTS}/benchmarks/generate_dataset/{DATASET}.jsonl"
    conda:
        "../envs/workflow.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=canonical(CONFIG.datasets[DATASET]),
        code=fingerprint("generate_dataset.py"),
    message:
        "Generate the street scenes of {DATASET}"
    script:
        "../workflow_scripts/generate_dataset.py"


rule index_dataset:
    input:
        data_manifest,
    output:
        train=f"{RESULTS}/datasets/{DATASET}/train.parquet",
        val=f"{RESULTS}/datasets/{DATASET}/val.parquet",
        categories=f"{RESULTS}/datasets/{DATASET}/categories.json",
    log:
        f"{RESULTS}/logs/index_dataset/{DATASET}.log",
    benchmark:
        f"{RESULTS}/benchmarks/index_dataset/{DATASET}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        generated=f"{RESULTS}/data/{DATASET}",
        config=canonical(CONFIG.datasets[DATASET]),
        code=fingerprint("index_dataset.py"),
    message:
        "Check the layout of {DATASET} and index its images"
    script:
        "../workflow_scripts/index_dataset.py"
