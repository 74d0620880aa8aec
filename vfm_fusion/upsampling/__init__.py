"""Feature upsamplers: a map of tokens and its image in, a map of any size out.

``Upsampler`` in ``upsampler`` is the interface, ``UPSAMPLERS`` in ``config.registries`` the list of names,
and every upsampler a file. ``build`` makes one by name, ``checkpoints`` reads its authors' weights,
``memory`` says what a run will need.
"""
