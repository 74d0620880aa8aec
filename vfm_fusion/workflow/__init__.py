"""What the workflow needs around its stages: code fingerprints, the cluster, logs, progress."""
