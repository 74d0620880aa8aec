# The mini encoders: trained from scratch on scenes of their own, then put into resources/encoders/. No other rule takes
# their weights from here, so no experiment ever trains them.
MODELS = CONFIG.pretraining.models


rule pretrain_encoder:
    input:
        train=FILES.pattern("index", dataset=SCENES, split="train"),
        val=FILES.pattern("index", dataset=SCENES, split="val"),
    output:
        weights=FILES.pattern("pretrained"),
        metrics=FILES.pattern("pretraining_log"),
        card=FILES.pattern("pretraining_card"),
    log:
        f"{RESULTS}/logs/pretrain_encoder/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain_encoder/{{model}}.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(HEAVY_MB),
        runtime=lasting(240, gpus),
        gpu=gpus,
        slurm_partition=heavy_partition(gpus),
    params:
        state=FILES.pattern("pretraining_state"),
        generated=FILES.pattern("data", dataset=SCENES),
        config=of(SETTINGS.pretraining, "model"),
        code=fingerprint("pretrain_encoder.py"),
    message:
        "Train {wildcards.model} from scratch"
    script:
        "../workflow_scripts/pretrain_encoder.py"


rule figure_pretrained:
    input:
        weights=FILES.every("pretrained", model=MODELS),
        val=rules.pretrain_encoder.input.val,
    output:
        pdf=FILES.pattern("pretrained_figure", suffix="pdf"),
        png=FILES.pattern("pretrained_figure", suffix="png"),
    log:
        f"{RESULTS}/logs/figure_pretrained.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_pretrained.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=lasting(10),
    params:
        generated=FILES.pattern("data", dataset=SCENES),
        config=SETTINGS.pretrained_figure(),
        code=fingerprint("figure_pretrained.py"),
    message:
        "Figure: maps of the mini encoders, trained and untrained"
    script:
        "../workflow_scripts/figure_pretrained.py"


rule pretrain_mini:
    input:
        weights=rules.figure_pretrained.input.weights,
        cards=FILES.every("pretraining_card", model=MODELS),
        figure=rules.figure_pretrained.output.png,
    output:
        FILES.pattern("shipped"),
    log:
        f"{RESULTS}/logs/pretrain_mini.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain_mini.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(500),
        runtime=lasting(5),
    params:
        target="resources/encoders",
        code=fingerprint("ship_encoders.py"),
    message:
        "Put the mini encoders and their model cards into resources/encoders/"
    script:
        "../workflow_scripts/ship_encoders.py"
