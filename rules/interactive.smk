# Interactive segmentation: a click model for every cell (encoder, upsampler, click model) and seed, trained around frozen
# parts, and clicked on every data set by the robot.
from vfm_fusion.study import clicking
from vfm_fusion.study.interactive_settings import ClickSettings

CLICKING = CONFIG.interactive
CLICK_SETTINGS = ClickSettings(STUDY)


wildcard_constraints:
    clicks=one_of(CLICKING.click_models),


def cell(wildcards):
    """The cell of a job."""
    return clicking.Cell(wildcards.encoder, wildcards.upsampler, wildcards.clicks)


def upsampler_weights(wildcards):
    """Weights of the upsampler that the workflow has trained, if it is such a one."""
    return clicking.upsampler_weights(STUDY, wildcards.encoder, wildcards.upsampler)


rule train_clicks:
    input:
        train=FILES.pattern("index", dataset=CLICKING.trained_on, split="train"),
        weights=weights,
        upsampler=upsampler_weights,
        maps=lambda wildcards: clicking.maps_of_clicks(STUDY, cell(wildcards)),
    output:
        model=FILES.pattern("click_model"),
        metrics=FILES.pattern("click_log"),
        run=FILES.pattern("click_run"),
    log:
        f"{RESULTS}/logs/train_clicks/{{encoder}}.{{upsampler}}.{{clicks}}.seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_clicks/{{encoder}}.{{upsampler}}.{{clicks}}.seed{{seed}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(1440, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("click_state"),
        generated=FILES.pattern("data", dataset=CLICKING.trained_on),
        config=of(CLICK_SETTINGS.training, "encoder", "upsampler", "clicks"),
        code=fingerprint("train_clicks.py"),
    message:
        "Train clicks {wildcards.clicks} on {wildcards.encoder} with {wildcards.upsampler}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/train_clicks.py"


rule evaluate_clicks:
    input:
        model=rules.train_clicks.output.model,
        run=rules.train_clicks.output.run,
        val=FILES.pattern("index", dataset="{target}", split="val"),
        weights=weights,
        upsampler=upsampler_weights,
    output:
        rounds=FILES.pattern("clicked_rounds"),
        objects=FILES.pattern("clicked_objects"),
        groups=FILES.pattern("clicked_groups"),
        seconds=FILES.pattern("clicked_seconds"),
        masks=FILES.pattern("clicked_masks"),
        scores=FILES.pattern("clicked_scores"),
    log:
        f"{RESULTS}/logs/evaluate_clicks/{{encoder}}.{{upsampler}}.{{clicks}}.seed{{seed}}.{{target}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_clicks/{{encoder}}.{{upsampler}}.{{clicks}}.seed{{seed}}.{{target}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(1440, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("clicked_state"),
        generated=FILES.pattern("data", dataset="{target}"),
        config=of(CLICK_SETTINGS.evaluation, "encoder", "upsampler", "clicks", "target"),
        code=fingerprint("evaluate_clicks.py"),
    message:
        "Click {wildcards.target} with {wildcards.clicks} on {wildcards.encoder}, {wildcards.upsampler}, seed {wildcards.seed}"
    script:
        "../workflow_scripts/evaluate_clicks.py"


rule interactive:
    input:
        clicking.clicked(STUDY, "clicked_scores"),
    message:
        "Every click model is trained and clicked with"
