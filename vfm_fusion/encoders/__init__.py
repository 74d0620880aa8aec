"""Encoders: one interface over timm and the CNNs of the real-data experiment."""
