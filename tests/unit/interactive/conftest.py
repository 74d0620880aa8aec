"""The toy encoders stand in the registry while a module of these tests runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from interactive_toys import TOY_VITS

from vfm_fusion.encoders.registry import ARCHITECTURES


@pytest.fixture(scope="module", autouse=True)
def toys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for spec in TOY_VITS:
            patch.setitem(ARCHITECTURES, spec.architecture, spec)
        yield
