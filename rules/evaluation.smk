# What every trained run predicts on the validation split, and AP, mIoU and PQ of it.


rule predict:
    input:
        model=rules.train.output.model,
        run=rules.train.output.run,
        val=evaluation_index,
        weights=weights_of_run,
    output:
        predictions=f"{RESULTS}/runs/{{run}}/seed{{seed}}/predictions.h5",
    log:
        f"{RESULTS}/logs/predict/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        generated=evaluation_data,
        config=prediction_config,
        code=fingerprint("predict.py"),
    message:
        "Predict a validation split with {wildcards.run}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/predict.py"


rule evaluate:
    input:
        predictions=rules.predict.output.predictions,
        val=evaluation_index,
    output:
        evaluation=f"{RESULTS}/runs/{{run}}/seed{{seed}}/evaluation.json",
    log:
        f"{RESULTS}/logs/evaluate/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=lasting(240),
    params:
        generated=evaluation_data,
        config=evaluation_config,
        code=fingerprint("evaluate.py"),
    message:
        "Evaluate {wildcards.run}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/evaluate.py"
