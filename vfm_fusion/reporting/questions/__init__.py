"""What the results answer to the paper's research questions: one module per question."""
