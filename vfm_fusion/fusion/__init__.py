"""Fusion operators: how an auxiliary encoder's features enter the master's pyramid."""
