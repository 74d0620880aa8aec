"""Profile, pair, fuse and evaluate visual foundation models for segmentation.

Data flows one way: datasets -> encoders -> features -> metrics -> selection -> fusion -> segmentation ->
evaluation -> reporting. Nothing in this package imports Snakemake; the workflow imports it.
"""

import sys

if hasattr(sys.modules["__main__"], "snakemake"):
    # Ctrl-C while a job still imports ends it without a traceback; later on, `rule_log` says a line.
    sys.excepthook = lambda kind, *error: kind is KeyboardInterrupt or sys.__excepthook__(kind, *error)
