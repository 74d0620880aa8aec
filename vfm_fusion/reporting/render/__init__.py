"""Writers of one table: CSV, LaTeX, Markdown, HTML."""
