# How results are shown: names, files and captions of tables and figures, and the report.
import subprocess

from vfm_fusion.encoders.describe import (
    describe_pretraining,
    encoder_facts,
    provenance_sentences,
)


def encoder_names():
    """How encoders are called in tables and figures, as pairs: their order is the order of rows and colours."""
    return {
        "encoders": [
            (
                name,
                {
                    "label": encoder.label or name,
                    "pretraining": describe_pretraining(encoder),
                },
            )
            for name, encoder in CONFIG.encoders.items()
        ]
    }


def names(runs):
    """How encoders and these runs are called in tables and figures, in their order."""
    labels = [(name, CONFIG.runs[name].label or name) for name in runs]
    return {**encoder_names(), "runs": labels}


def interval():
    """The metric definition that tables show, and how their intervals over images are drawn."""
    return {
        "definition": CONFIG.selection.definition,
        "bootstrap": [CONFIG.metrics.bootstrap, CONFIG.metrics.seed],
    }


def table(name):
    """Files of one table: for programs, for papers, for READMEs, for browsers."""
    return {kind: f"{RESULTS}/tables/{name}.{kind}" for kind in ("csv", "tex", "md")}


def figure(name):
    """Files of one figure that the report does not show."""
    return f"{RESULTS}/figures/{name}.pdf"


def reported(path, caption, category, label):
    """An output that the HTML report shows, with its caption."""
    return report(
        path,
        caption=f"../report/captions/{caption}.rst",
        category=category,
        labels={"what": label},
    )


def write_report():
    """Turns a finished run into one HTML page that a browser opens offline."""
    if not all(Path(path).exists() for path in rules.all.input):
        return
    target = Path(RESULTS, "report.html")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        workflow.main_snakefile,
    ]
    command += ["--configfile", *rules.resolved_config.output]
    command += ["--report", str(target), "--nolock"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        logger.error(f"{target} could not be written:\n{done.stderr}")
    else:
        logger.info(f"Report: {target}")
