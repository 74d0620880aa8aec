# Master, auxiliary and injection stride from the profiles.


rule select_pair:
    message:
        "Select master, auxiliary and injection stride on {wildcards.dataset}"
    input:
        collect(rules.profile_encoder.output.summary, encoder=CONFIG.encoders, allow_missing=True),
    output:
        selection=f"{RESULTS}/selection/{{dataset}}/selection.json",
    params:
        config=canonical(
            {"encoders": list(CONFIG.encoders), "selection": CONFIG.selection.model_dump(mode="json")}
        ),
        code=fingerprint("select_pair.py"),
    log:
        f"{RESULTS}/logs/select_pair/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/select_pair/{{dataset}}.jsonl"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    conda:
        "../envs/workflow.yaml"
    script:
        script("select_pair.py")


rule select:
    message:
        "The pair and stride are selected"
    input:
        collect(rules.select_pair.output.selection, dataset=DATASET),
