"""Data sets: one reader per official layout, and ``miniscapes``, the generated default data set."""
