"""Training of upsamplers on the maps of a frozen encoder.

``views`` gives the images of a step and their maps at several sizes, ``objectives`` what each upsampler makes
of them by its authors' loss, and ``task`` is a task of the training engine.
"""
