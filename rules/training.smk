# One training per run and seed.


rule train:
    input:
        train=of(STUDY.training_index, "run"),
        categories=of(STUDY.training_categories, "run"),
        selection=of(STUDY.selection_of, "run"),
        weights=weights_of_run,
        upsamplers=of(STUDY.trained_upsamplers, "run"),
        maps=of(STUDY.training_maps, "run"),
    output:
        model=FILES.pattern("model"),
        metrics=FILES.pattern("training_log"),
        run=FILES.pattern("run"),
    log:
        f"{RESULTS}/logs/train/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    threads: of(STUDY.training_threads, "run")
    resources:
        mem_mb=training_memory,
        runtime=lasting(1440, training_gpus),
        gpu=training_gpus,
        nodes=1,
        slurm_partition=heavy_partition(training_gpus),
        devices=training_setting("devices"),
        accumulate=training_setting("accumulate"),
    params:
        state=FILES.pattern("run_state"),
        generated=of(STUDY.training_data, "run"),
        config=of(SETTINGS.training, "run"),
        code=fingerprint("train.py"),
    message:
        "Train {wildcards.run}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train.py"
