# What every run's model costs on the machine at hand; with seeded weights, so before anything is trained.


rule measure_cost:
    input:
        selection=of(STUDY.selection_of, "run"),
        categories=of(STUDY.training_categories, "run"),
    output:
        cost=FILES.pattern("cost"),
    log:
        f"{RESULTS}/logs/measure_cost/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_cost/{{run}}.jsonl"
    conda:
        "../envs/training.yaml"
    threads: 1 + CONFIG.training.workers
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(60, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        config=of(SETTINGS.cost, "run"),
        code=fingerprint("measure_cost.py"),
    message:
        "Measure what {wildcards.run} costs: parameters, FLOPs, speed, memory"
    script:
        "../workflow_scripts/measure_cost.py"
