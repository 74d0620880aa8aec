"""The paper in miniature: generated street scenes, and small encoders trained on them."""
