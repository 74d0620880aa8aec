# What every trained run predicts on the validation split of each of its targets, and AP, mIoU and PQ of it.


rule predict:
    input:
        model=rules.train.output.model,
        run=rules.train.output.run,
        val=FILES.pattern("index", dataset="{target}", split="val"),
        weights=weights_of_run,
        upsamplers=of(STUDY.trained_upsamplers, "run"),
        maps=of(STUDY.segmented_maps, "run", "target"),
    output:
        predictions=FILES.pattern("predictions"),
    log:
        f"{RESULTS}/logs/predict/{{run}}.seed{{seed}}.{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict/{{run}}.seed{{seed}}.{{target}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        generated=FILES.pattern("data", dataset="{target}"),
        config=of(SETTINGS.prediction, "run", "target"),
        code=fingerprint("predict.py"),
    message:
        "Predict the validation split of {wildcards.target} with {wildcards.run}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/predict.py"


rule evaluate:
    input:
        predictions=rules.predict.output.predictions,
        val=FILES.pattern("index", dataset="{target}", split="val"),
    output:
        evaluation=FILES.pattern("evaluation"),
    log:
        f"{RESULTS}/logs/evaluate/{{run}}.seed{{seed}}.{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{run}}.seed{{seed}}.{{target}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=lasting(240),
    params:
        generated=FILES.pattern("data", dataset="{target}"),
        config=of(SETTINGS.evaluation, "run", "target"),
        code=fingerprint("evaluate.py"),
    message:
        "Evaluate {wildcards.run}, seed {wildcards.seed}, on {wildcards.target}"
    script:
        "../workflow_scripts/evaluate.py"
