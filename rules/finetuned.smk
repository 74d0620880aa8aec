# Profiles of the encoders that runs have fine-tuned, on the images of the encoders' own profiles.


rule extract_finetuned:
    input:
        index=of(STUDY.profiled_index, "dataset"),
        model=rules.train.output.model,
        run=rules.train.output.run,
        weights=weights_of_run,
        upsamplers=of(STUDY.trained_upsamplers, "run"),
    output:
        manifest=FILES.pattern("finetuned_features"),
    log:
        f"{RESULTS}/logs/extract_finetuned/{{dataset}}/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_finetuned/{{dataset}}/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    threads: CONFIG.features.threads
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("finetuned_state"),
        generated=FILES.pattern("data"),
        config=of(SETTINGS.finetuned, "dataset", "run"),
        code=fingerprint("extract_finetuned.py"),
    message:
        "Extract the features of the encoder that {wildcards.run}, seed {wildcards.seed}, fine-tuned"
    script:
        "../workflow_scripts/extract_finetuned.py"


rule profile_finetuned:
    input:
        manifest=rules.extract_finetuned.output.manifest,
        index=of(STUDY.profiled_index, "dataset"),
    output:
        scores=FILES.pattern("finetuned_profile"),
        summary=FILES.pattern("finetuned_summary"),
    log:
        f"{RESULTS}/logs/profile_finetuned/{{dataset}}/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/profile_finetuned/{{dataset}}/{{run}}.seed{{seed}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=lasting(240),
    params:
        generated=FILES.pattern("data"),
        config=of(SETTINGS.profile, "dataset"),
        code=fingerprint("profile_finetuned.py"),
    message:
        "Profile the encoder that {wildcards.run}, seed {wildcards.seed}, fine-tuned: SC and EF per output stride"
    script:
        "../workflow_scripts/profile_finetuned.py"
