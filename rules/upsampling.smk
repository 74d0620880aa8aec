# Upsamplers with weights of `source: trained`: each is trained once for every encoder that it is used with, and those that
# the project ships are put into resources/upsamplers/.
from vfm_fusion.study.upsamplers import UpsamplerSettings

UPSAMPLER_SETTINGS = UpsamplerSettings(STUDY)


rule pretrain_upsampler:
    input:
        train=of(UPSAMPLER_SETTINGS.index, "upsampler"),
        weights=weights,
    output:
        weights=FILES.pattern("upsampler"),
        metrics=FILES.pattern("upsampler_log"),
        card=FILES.pattern("upsampler_card"),
    log:
        f"{RESULTS}/logs/pretrain_upsampler/{{upsampler}}.{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain_upsampler/{{upsampler}}.{{encoder}}.jsonl"
    conda:
        "../envs/training.yaml"
    threads: of(UPSAMPLER_SETTINGS.threads, "upsampler")
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(1440, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("upsampler_state"),
        generated=of(UPSAMPLER_SETTINGS.data, "upsampler"),
        config=of(UPSAMPLER_SETTINGS.training, "upsampler", "encoder"),
        code=fingerprint("pretrain_upsampler.py"),
    message:
        "Train upsampler {wildcards.upsampler} on maps of {wildcards.encoder}"
    script:
        "../workflow_scripts/pretrain_upsampler.py"


rule pretrain_upsamplers:
    input:
        weights=shipped("upsampler"),
        cards=shipped("upsampler_card"),
    output:
        FILES.pattern("shipped_upsamplers"),
    log:
        f"{RESULTS}/logs/pretrain_upsamplers.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain_upsamplers.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=lasting(5),
    params:
        target="resources/upsamplers",
        code=fingerprint("ship_upsamplers.py"),
    message:
        "Put the upsamplers for the mini encoders and their model cards into resources/upsamplers/"
    script:
        "../workflow_scripts/ship_upsamplers.py"
