"""Pre-training of the mini encoders: three small encoders with a character of their own.

An :class:`~vfm_fusion.miniature.pretraining.objective.Objective` holds an encoder and whatever it needs only
while it learns; ``task`` makes it a task of the training engine; what is shipped is the encoder alone.
"""
