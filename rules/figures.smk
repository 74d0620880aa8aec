# Figures (PDF, PNG), each by a rule of its own, from result files alone.


rule figure_profiles:
    input:
        summaries=SUMMARIES,
        selection=SELECTION,
    output:
        pdf=figure("profiles"),
        png=reported(
            f"{RESULTS}/figures/profiles.png",
            "figure_profiles",
            "1. Profiles",
            "Against stride",
        ),
    log:
        f"{RESULTS}/logs/figure_profiles.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_profiles.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical({**encoder_names(), "dpi": CONFIG.reporting.dpi}),
        code=fingerprint("figure_profiles.py"),
    message:
        "Figure: SC and EF against output stride"
    script:
        "../workflow_scripts/figure_profiles.py"


use rule figure_profiles as figure_profiles_elsewhere with:
    input:
        summaries=collect(
            rules.profile_encoder.output.summary,
            encoder=CONFIG.encoders,
            allow_missing=True,
        ),
        selection=[rules.select_pair.output.selection],
    output:
        pdf=figure("profiles-{dataset}"),
        png=reported(
            f"{RESULTS}/figures/profiles-{{dataset}}.png",
            "figure_profiles",
            "1. Profiles",
            "Against stride on {dataset}",
        ),
    log:
        f"{RESULTS}/logs/figure_profiles/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_profiles/{{dataset}}.jsonl"
    message:
        "Figure: SC and EF against output stride on {wildcards.dataset}"


rule figure_controls:
    input:
        controls=CONTROLS,
        index=f"{RESULTS}/datasets/{DATASET}/{CONFIG.features.split}.parquet",
    output:
        pdf=figure("controls"),
        png=reported(
            f"{RESULTS}/figures/controls.png",
            "figure_controls",
            "1. Profiles",
            "Controls against stride",
        ),
    log:
        f"{RESULTS}/logs/figure_controls.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_controls.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        generated=f"{RESULTS}/data/{DATASET}",
        config=canonical(
            {
                "dataset": STUDY.dataset_section(DATASET),
                "dpi": CONFIG.reporting.dpi,
            }
        ),
        code=fingerprint("figure_controls.py"),
    message:
        "Figure: SC and EF of maps with a known answer"
    script:
        "../workflow_scripts/figure_controls.py"


rule figure_sensitivity:
    input:
        sweeps=SWEEPS,
        selection=SELECTION,
    output:
        pdf=figure("sensitivity"),
        png=reported(
            f"{RESULTS}/figures/sensitivity.png",
            "figure_sensitivity",
            "1. Profiles",
            "Against metric settings",
        ),
    log:
        f"{RESULTS}/logs/figure_sensitivity.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_sensitivity.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical({**encoder_names(), "dpi": CONFIG.reporting.dpi}),
        code=fingerprint("figure_sensitivity.py"),
    message:
        "Figure: SC and EF levels against metric settings"
    script:
        "../workflow_scripts/figure_sensitivity.py"


rule figure_sc_ef_plane:
    input:
        summaries=SUMMARIES,
        selection=SELECTION,
    output:
        pdf=figure("sc_ef_plane"),
        png=reported(
            f"{RESULTS}/figures/sc_ef_plane.png",
            "figure_sc_ef_plane",
            "2. Selection",
            "SC-EF plane",
        ),
    log:
        f"{RESULTS}/logs/figure_sc_ef_plane.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_sc_ef_plane.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical({**encoder_names(), "dpi": CONFIG.reporting.dpi}),
        code=fingerprint("figure_sc_ef_plane.py"),
    message:
        "Figure: the encoders in the SC-EF plane"
    script:
        "../workflow_scripts/figure_sc_ef_plane.py"


rule figure_stability:
    input:
        stability=STABILITY,
    output:
        pdf=figure("stability"),
        png=reported(
            f"{RESULTS}/figures/stability.png",
            "figure_stability",
            "2. Selection",
            "Against images",
        ),
    log:
        f"{RESULTS}/logs/figure_stability.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_stability.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=canonical({"dpi": CONFIG.reporting.dpi}),
        code=fingerprint("figure_stability.py"),
    message:
        "Figure: stability of the choice against the number of images"
    script:
        "../workflow_scripts/figure_stability.py"


rule figure_feature_maps:
    input:
        manifests=collect(
            rules.extract_features.output.manifest,
            encoder=CONFIG.encoders,
            dataset=DATASET,
        ),
        index=f"{RESULTS}/datasets/{DATASET}/{CONFIG.features.split}.parquet",
    output:
        pca_pdf=figure("pca_maps"),
        pca_png=reported(
            f"{RESULTS}/figures/pca_maps.png",
            "figure_pca_maps",
            "1. Profiles",
            "PCA maps",
        ),
        energy_pdf=figure("energy_maps"),
        energy_png=reported(
            f"{RESULTS}/figures/energy_maps.png",
            "figure_energy_maps",
            "1. Profiles",
            "Energy maps",
        ),
    log:
        f"{RESULTS}/logs/figure_feature_maps.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_feature_maps.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=lasting(10),
    params:
        generated=f"{RESULTS}/data/{DATASET}",
        config=canonical(
            {
                **encoder_names(),
                "dataset": STUDY.dataset_section(DATASET),
                "metrics": CONFIG.metrics.model_dump(mode="json"),
                "definition": CONFIG.selection.definition,
                "reporting": CONFIG.reporting.model_dump(
                    mode="json", include={"images", "dpi"}
                ),
            }
        ),
        code=fingerprint("figure_feature_maps.py"),
    message:
        "Figures: PCA and edge energy of the feature maps"
    script:
        "../workflow_scripts/figure_feature_maps.py"


rule figure_qualitative:
    input:
        predictions=first_predictions,
        evaluations=first_evaluations,
        val=compared_index,
    output:
        pdf=figure("qualitative"),
        png=reported(
            f"{RESULTS}/figures/qualitative.png",
            "figure_qualitative",
            "3. Results",
            "Masks side by side",
        ),
    log:
        f"{RESULTS}/logs/figure_qualitative.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_qualitative.jsonl"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=lasting(10),
    params:
        generated=compared_data,
        config=qualitative_config,
        code=fingerprint("figure_qualitative.py"),
    message:
        "Figure: predicted masks of every run side by side"
    script:
        "../workflow_scripts/figure_qualitative.py"


use rule figure_qualitative as figure_qualitative_elsewhere with:
    output:
        pdf=figure("qualitative-{comparison}"),
        png=reported(
            f"{RESULTS}/figures/qualitative-{{comparison}}.png",
            "figure_qualitative",
            "3. Results",
            "Masks side by side, {comparison}",
        ),
    log:
        f"{RESULTS}/logs/figure_qualitative/{{comparison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_qualitative/{{comparison}}.jsonl"
    message:
        "Figure: predicted masks of every run of {wildcards.comparison} side by side"


rule figure_training_curves:
    input:
        metrics=shown_losses,
        evaluations=shown_evaluations,
    output:
        pdf=figure("training_curves"),
        png=reported(
            f"{RESULTS}/figures/training_curves.png",
            "figure_training_curves",
            "4. Cost",
            "Training losses",
        ),
    log:
        f"{RESULTS}/logs/figure_training_curves.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_training_curves.jsonl"
    conda:
        "../envs/workflow.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=lasting(10),
    params:
        config=training_curves_config,
        code=fingerprint("figure_training_curves.py"),
    message:
        "Figure: training losses"
    script:
        "../workflow_scripts/figure_training_curves.py"


use rule figure_training_curves as figure_training_curves_elsewhere with:
    output:
        pdf=figure("training_curves-{comparison}"),
        png=reported(
            f"{RESULTS}/figures/training_curves-{{comparison}}.png",
            "figure_training_curves",
            "4. Cost",
            "Training losses, {comparison}",
        ),
    log:
        f"{RESULTS}/logs/figure_training_curves/{{comparison}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/figure_training_curves/{{comparison}}.jsonl"
    message:
        "Figure: training losses of {wildcards.comparison}"


FIGURES = []
if STUDY.has_profiles:
    FIGURES += [rules.figure_controls.output, rules.figure_feature_maps.output]
if STUDY.has_pair:
    FIGURES += [
        rules.figure_profiles.output,
        collect(rules.figure_profiles_elsewhere.output, dataset=CONFIG.also_profiled),
        rules.figure_sensitivity.output,
        rules.figure_sc_ef_plane.output,
        rules.figure_stability.output,
    ]
if STUDY.has_runs:
    FIGURES += [
        rules.figure_qualitative.output,
        collect(rules.figure_qualitative_elsewhere.output, comparison=STUDY.elsewhere),
        rules.figure_training_curves.output,
        collect(
            rules.figure_training_curves_elsewhere.output, comparison=STUDY.elsewhere
        ),
    ]


rule figures:
    input:
        FIGURES,
    message:
        "All figures are made"
