# What the models of all runs cost on the machine at hand; with seeded weights, so before anything is trained. One job
# measures them all, one after another, and identical ones once. On this machine it takes every core, so that no other
# job runs beside it. A cluster gives it a GPU and cores of its own, which is enough: it need not have a node alone.


rule measure_cost:
    input:
        selections=[STUDY.selection_of(run) for run in CONFIG.runs],
        categories=[STUDY.training_categories(run) for run in CONFIG.runs],
    output:
        costs=FILES.every("cost", run=CONFIG.runs),
    log:
        f"{RESULTS}/logs/measure_cost.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_cost.jsonl"
    conda:
        "../envs/training.yaml"
    threads: undisturbed
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
        torch_threads=measured_threads(),
    params:
        config=SETTINGS.cost(),
        code=fingerprint("measure_cost.py"),
    message:
        "Measure what the models of all runs cost: parameters, FLOPs, speed, memory"
    script:
        "../workflow_scripts/measure_cost.py"
