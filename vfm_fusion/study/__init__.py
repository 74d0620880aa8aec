"""What an experiment means: its configuration resolved and checked, and what each stage depends on."""
