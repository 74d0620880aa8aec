# AP, mIoU and PQ of every trained run on the validation split.


rule evaluate:
    input:
        model=rules.train.output.model,
        run=rules.train.output.run,
        val=f"{RESULTS}/datasets/{DATASET}/val.parquet",
        weights=weights_of_run,
    output:
        evaluation=f"{RESULTS}/runs/{{run}}/seed{{seed}}/evaluation.json",
        predictions=f"{RESULTS}/runs/{{run}}/seed{{seed}}/predictions.h5",
    log:
        f"{RESULTS}/logs/evaluate/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        generated=f"{RESULTS}/data/{DATASET}",
        config=evaluation_config,
        code=fingerprint("evaluate.py"),
    message:
        "Evaluate {wildcards.run}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/evaluate.py"
