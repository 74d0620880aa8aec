"""The Zarr feature store: native encoder maps, guarded by a manifest."""
