"""The segmentation model (encoders, fusion, pyramid, mask head), its data, training and inference."""
