# Tables, figures and texts, from result files alone: a rule for each entry of vfm_fusion/reporting/entries; and the
# resolved configuration beside them.


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
        config=of(CONFIG.model_dump_json),
        code=fingerprint("resolved_config.py"),
    message:
        "Write the resolved configuration beside the results"
    script:
        "../workflow_scripts/resolved_config.py"


for entry in REPORT_RULES:

    rule:
        name:
            entry.name
        input:
            unpack(partial(entry.inputs, STUDY, measured)),
        output:
            **{
                name: shown(output, entry.report.category)
                for name, output in entry.outputs(STUDY)
            },
        log:
            f"{RESULTS}/logs/{entry.path}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{entry.path}.jsonl"
        group:
            partial(group_of, entry)
        conda:
            f"../envs/{entry.report.environment}"
        resources:
            mem_mb=growing(entry.report.memory),
            runtime=lasting(entry.report.minutes),
        params:
            modules=entry.report.modules,
            config=partial(entry.config, STUDY),
            code=report_fingerprint(entry.report.modules),
        message:
            entry.message
        script:
            "../workflow_scripts/report.py"


rule profiles:
    input:
        FILES.every("profile_summary", dataset=STUDY.profiled, encoder=CONFIG.encoders),
        made_of("table_profiles", "figure_profiles", "figure_sc_ef_plane"),
    message:
        "The encoders are profiled"


rule tables:
    input:
        made("table", "text"),
    message:
        "All tables are made"


rule figures:
    input:
        made("figure"),
    message:
        "All figures are made"
