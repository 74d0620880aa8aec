# What tables and figures are made of, and the configuration beside them.

SUMMARIES = collect(
    rules.profile_encoder.output.summary, encoder=CONFIG.encoders, dataset=DATASET
)
PROFILES = collect(
    rules.profile_encoder.output.scores, encoder=CONFIG.encoders, dataset=DATASET
)
SWEEPS = collect(
    rules.sweep_settings.output.scores, encoder=CONFIG.encoders, dataset=DATASET
)
CONTROLS = collect(rules.score_controls.output.scores, dataset=DATASET)
SELECTION = collect(rules.select_pair.output.selection, dataset=DATASET)
STABILITY = collect(rules.assess_stability.output.stability, dataset=DATASET)
PUBLISHED = (
    "resources/published/metric_guided_fusion.csv" if CONFIG.reporting.published else []
)


rule resolved_config:
    output:
        f"{RESULTS}/config.resolved.yaml",
    log:
        f"{RESULTS}/logs/resolved_config.log",
    benchmark:
        f"{RESULTS}/benchmarks/resolved_config.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(500),
        runtime=lasting(5),
    params:
        config=CONFIG.model_dump_json(),
        code=fingerprint("resolved_config.py"),
    message:
        "Write the resolved configuration beside the results"
    script:
        "../workflow_scripts/resolved_config.py"
