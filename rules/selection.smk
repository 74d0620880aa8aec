# Master, auxiliary and injection stride from the profiles, and how stable that choice is.


rule select_pair:
    input:
        collect(
            rules.profile_encoder.output.summary,
            encoder=CONFIG.encoders,
            allow_missing=True,
        ),
    output:
        selection=f"{RESULTS}/selection/{{dataset}}/selection.json",
    log:
        f"{RESULTS}/logs/select_pair/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/select_pair/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(
            {
                "encoders": list(CONFIG.encoders),
                "selection": CONFIG.selection.model_dump(mode="json"),
            }
        ),
        code=fingerprint("select_pair.py"),
    message:
        "Select master, auxiliary and injection stride on {wildcards.dataset}"
    script:
        "../workflow_scripts/select_pair.py"


rule assess_stability:
    input:
        scores=collect(
            rules.profile_encoder.output.scores,
            encoder=CONFIG.encoders,
            allow_missing=True,
        ),
        sweeps=collect(
            rules.sweep_settings.output.scores,
            encoder=CONFIG.encoders,
            allow_missing=True,
        ),
        selection=rules.select_pair.output.selection,
    output:
        stability=f"{RESULTS}/selection/{{dataset}}/stability.json",
    log:
        f"{RESULTS}/logs/assess_stability/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/assess_stability/{{dataset}}.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical(
            {
                "encoders": list(CONFIG.encoders),
                "draws": CONFIG.metrics.bootstrap,
                "seed": CONFIG.metrics.seed,
                "metric_seed": CONFIG.metrics.definitions[
                    CONFIG.selection.definition
                ].seed,
            }
        ),
        code=fingerprint("assess_stability.py"),
    message:
        "Repeat the selection on other draws of the images of {wildcards.dataset}"
    script:
        "../workflow_scripts/assess_stability.py"


rule select:
    input:
        collect(rules.select_pair.output.selection, dataset=DATASET),
    message:
        "The pair and stride are selected"
