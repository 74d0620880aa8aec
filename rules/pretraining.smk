# The mini encoders: trained from scratch on scenes of their own, then put into resources/encoders/. No other rule takes
# their weights from here, so no experiment ever trains them.
MODELS = CONFIG.pretraining.models


rule pretrain_encoder:
    input:
        train=f"{RESULTS}/datasets/{SCENES}/train.parquet",
        val=f"{RESULTS}/datasets/{SCENES}/val.parquet",
    output:
        weights=f"{RESULTS}/pretraining/{{model}}/model.safetensors",
        metrics=f"{RESULTS}/pretraining/{{model}}/metrics.csv",
        card=f"{RESULTS}/pretraining/{{model}}/card.json",
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
        state=f"{RESULTS}/state/pretraining/{{model}}",
        generated=f"{RESULTS}/data/{SCENES}",
        config=pretraining_config,
        code=fingerprint("pretrain_encoder.py"),
    message:
        "Train {wildcards.model} from scratch"
    script:
        "../workflow_scripts/pretrain_encoder.py"


rule figure_pretrained:
    input:
        weights=collect(rules.pretrain_encoder.output.weights, model=MODELS),
        val=rules.pretrain_encoder.input.val,
    output:
        pdf=f"{RESULTS}/pretraining/pca_maps.pdf",
        png=f"{RESULTS}/pretraining/pca_maps.png",
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
        generated=f"{RESULTS}/data/{SCENES}",
        config=canonical(
            {
                "scenes": dataset_section(SCENES),
                "models": [
                    (name, model.model_dump(mode="json"))
                    for name, model in MODELS.items()
                ],
                "images": 2,
                "dpi": 110,
            }
        ),
        code=fingerprint("figure_pretrained.py"),
    message:
        "Figure: maps of the mini encoders, trained and untrained"
    script:
        "../workflow_scripts/figure_pretrained.py"


rule pretrain_mini:
    input:
        weights=rules.figure_pretrained.input.weights,
        cards=collect(rules.pretrain_encoder.output.card, model=MODELS),
        figure=rules.figure_pretrained.output.png,
    output:
        f"{RESULTS}/pretraining/shipped.json",
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
