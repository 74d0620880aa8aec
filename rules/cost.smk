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


rule table_cost:
    input:
        costs=collect(rules.measure_cost.output.cost, run=CONFIG.runs),
        trainings=collect(rules.train.benchmark, run=CONFIG.runs, seed=SEEDS),
        published=PUBLISHED,
    output:
        **table("cost"),
        html=reported(
            f"{RESULTS}/tables/cost.html",
            "table_cost",
            "4. Cost",
            "Models",
        ),
    log:
        f"{RESULTS}/logs/table_cost.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_cost.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(
            {
                **names(CONFIG.runs),
                "trainings": [run for run in CONFIG.runs for _ in SEEDS],
            }
        ),
        code=fingerprint("table_cost.py"),
    message:
        "Table: parameters, FLOPs, speed, memory and training time of every model"
    script:
        "../workflow_scripts/table_cost.py"
