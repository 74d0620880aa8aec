# One training per run and seed.


rule train:
    input:
        train=training_index,
        categories=training_categories,
        selection=run_selection,
        weights=weights_of_run,
    output:
        model=f"{RESULTS}/runs/{{run}}/seed{{seed}}/model.safetensors",
        metrics=f"{RESULTS}/runs/{{run}}/seed{{seed}}/metrics.csv",
        run=f"{RESULTS}/runs/{{run}}/seed{{seed}}/run.json",
    log:
        f"{RESULTS}/logs/train/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    threads: training_threads
    resources:
        mem_mb=training_memory,
        runtime=lasting(1440, training_gpus),
        gpu=training_gpus,
        nodes=1,
        slurm_partition=heavy_partition(training_gpus),
        devices=training_setting("devices"),
        accumulate=training_setting("accumulate"),
    params:
        state=f"{RESULTS}/state/runs/{{run}}/seed{{seed}}",
        generated=training_data,
        config=training_config,
        code=fingerprint("train.py"),
    message:
        "Train {wildcards.run}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train.py"
