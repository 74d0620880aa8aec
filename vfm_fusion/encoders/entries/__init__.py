"""The encoders by family, one declarative file each."""
