"""``miniscapes``: generated street scenes with exact labels, written in the official Cityscapes layout.

A scene is sampled in metres (``scene``), painted far to near through a pinhole camera (``render`` and the
modules of each kind of object), photographed (``sensor``) and written with its labels (``generate``). The
layout of a scene does not depend on the rendering style, so that the two styles differ in appearance only.
"""
