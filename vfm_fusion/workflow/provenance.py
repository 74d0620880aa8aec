"""Tokens that tie intermediate state to everything it depends on."""

from __future__ import annotations

import hashlib
from pathlib import Path


def token(*parts: str | Path) -> str:
    """Hashes settings, code fingerprints and input files into one token.

    Args:
        parts: text, or the path of a file whose content counts.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:32]
