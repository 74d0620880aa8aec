# Master, auxiliary and injection stride from the profiles.


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
        runtime=growing(10),
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


rule select:
    input:
        collect(rules.select_pair.output.selection, dataset=DATASET),
    message:
        "The pair and stride are selected"
