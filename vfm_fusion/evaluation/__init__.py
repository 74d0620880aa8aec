"""Evaluation of trained runs: average precision, mean IoU, panoptic quality."""
