"""Tables and figures, computed from result files; no number is typed by hand."""
