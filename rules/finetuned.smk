# Profiles of the encoders that runs have fine-tuned, on the images of the encoders' own profiles.


rule extract_finetuned:
    input:
        index=STUDY.profiled_index(DATASET),
        model=rules.train.output.model,
        run=rules.train.output.run,
        weights=weights_of_run,
    output:
        manifest=FILES.pattern("finetuned_features", dataset=DATASET),
    log:
        f"{RESULTS}/logs/extract_finetuned/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_finetuned/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("finetuned_state", dataset=DATASET),
        generated=FILES.pattern("data", dataset=DATASET),
        config=of(SETTINGS.finetuned, "run"),
        code=fingerprint("extract_finetuned.py"),
    message:
        "Extract the features of the encoder that {wildcards.run}, seed {wildcards.seed}, fine-tuned"
    script:
        "../workflow_scripts/extract_finetuned.py"


rule profile_finetuned:
    input:
        manifest=rules.extract_finetuned.output.manifest,
        index=rules.extract_finetuned.input.index,
    output:
        scores=FILES.pattern("finetuned_profile", dataset=DATASET),
        summary=FILES.pattern("finetuned_summary", dataset=DATASET),
    log:
        f"{RESULTS}/logs/profile_finetuned/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/profile_finetuned/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=lasting(240),
    params:
        generated=FILES.pattern("data", dataset=DATASET),
        config=lambda wildcards: SETTINGS.profile(DATASET),
        code=fingerprint("profile_finetuned.py"),
    message:
        "Profile the encoder that {wildcards.run}, seed {wildcards.seed}, fine-tuned: SC and EF per output stride"
    script:
        "../workflow_scripts/profile_finetuned.py"
