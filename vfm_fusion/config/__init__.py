"""Typed configuration, one module per section.

This package file imports nothing on purpose: a stage's code fingerprint covers every module that its script
reaches, so a script imports only the section it uses (``from vfm_fusion.config.metrics import
MetricConfig``).
"""
