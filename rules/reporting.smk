rule resolved_config:
    output: f"{RESULTS}/config.resolved.yaml",
    params: config=canonical(CONFIG), code=fingerprint("resolved_config.py"),
    log: f"{RESULTS}/logs/resolved_config.log",
    benchmark: f"{RESULTS}/benchmarks/resolved_config.jsonl"
    script: script("resolved_config.py")
rule tables:
    input: []
rule figures:
    input: []
