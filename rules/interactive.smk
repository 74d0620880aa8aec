# Interactive segmentation: a click model for every cell (encoder, upsampler, click model) and seed, trained around frozen
# parts, and clicked on every data set by the robot.
from vfm_fusion.study import clicking, upsampled_settings
from vfm_fusion.study.interactive_settings import ClickSettings

CLICKING = CONFIG.interactive
CLICK_SETTINGS = ClickSettings(STUDY)
UPSAMPLED_SETTINGS = upsampled_settings.UpsampledSettings(STUDY)


wildcard_constraints:
    clicks=one_of(CLICKING.click_models),


rule train_clicks:
    input:
        train=FILES.pattern("index", dataset=CLICKING.trained_on, split="train"),
        weights=weights,
        upsampler=upsampler_weights,
        maps=of(
            lambda *cell: clicking.maps_of_clicks(STUDY, clicking.Cell(*cell)),
            "encoder",
            "upsampler",
            "clicks",
        ),
        scores=OWNED.scores or [],
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
    threads: 1 + CLICKING.training.workers
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


rule measure_upsampler:
    input:
        index=FILES.pattern(
            "index", dataset=upsampled_settings.shown_on(STUDY), split="val"
        ),
        train=upsampled_settings.probe_index(STUDY),
        weights=weights,
        upsampler=upsampler_weights,
    output:
        quality=FILES.pattern("upsampled_quality"),
        images=FILES.pattern("upsampled_images"),
        cost=FILES.pattern("upsampled_cost"),
    log:
        f"{RESULTS}/logs/measure_upsampler/{{encoder}}.{{upsampler}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_upsampler/{{encoder}}.{{upsampler}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        generated=FILES.pattern("data", dataset=upsampled_settings.shown_on(STUDY)),
        config=of(UPSAMPLED_SETTINGS.quality, "encoder", "upsampler"),
        code=fingerprint("measure_upsampler.py"),
    message:
        "Measure the maps of {wildcards.encoder} by {wildcards.upsampler}"
    script:
        "../workflow_scripts/measure_upsampler.py"


rule draw_upsampled_maps:
    input:
        index=rules.measure_upsampler.input.index,
        weights=weights,
        upsamplers=of(
            lambda encoder: [
                path
                for name in upsampled_settings.upsamplers_of(STUDY, encoder)
                for path in weights_for(name, encoder)
            ],
            "encoder",
        ),
    output:
        maps=FILES.pattern("upsampled_maps"),
    log:
        f"{RESULTS}/logs/draw_upsampled_maps/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/draw_upsampled_maps/{{encoder}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(60, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        generated=rules.measure_upsampler.params.generated,
        config=of(UPSAMPLED_SETTINGS.maps, "encoder"),
        code=fingerprint("draw_upsampled_maps.py"),
    message:
        "Colour the maps of {wildcards.encoder} by all upsamplers"
    script:
        "../workflow_scripts/draw_upsampled_maps.py"


rule interactive:
    input:
        clicking.clicked(STUDY, "clicked_scores"),
        clicking.upsampled(STUDY, "upsampled_quality"),
        clicking.upsampled(STUDY, "upsampled_maps"),
    message:
        "Every click model is trained and clicked with, and every upsampler's maps are measured"
