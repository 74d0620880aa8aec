"""What the workflow knows of tables, figures and texts: a file for each stage, joined by the registry."""
