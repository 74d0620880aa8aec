"""Profile, pair, fuse and evaluate visual foundation models for segmentation.

Data flows one way: datasets -> encoders -> features -> metrics -> selection -> fusion -> segmentation ->
evaluation -> reporting. Nothing in this package imports Snakemake; the workflow imports it.
"""
