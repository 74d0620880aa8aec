"""The metrics stage: scores of stored feature maps, their null floors, controls and sweeps."""
