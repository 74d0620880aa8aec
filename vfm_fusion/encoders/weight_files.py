"""Where an encoder's weight file lies (on disk, on the hub, in a run), if it is whole, and its digest."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from vfm_fusion.atomic import file_sha256
from vfm_fusion.config.encoders import (
    CheckpointWeights,
    EncoderConfig,
    FileWeights,
    HubWeights,
    SeededWeights,
)
from vfm_fusion.config.paths import expand
from vfm_fusion.encoders.registry import spec_of
from vfm_fusion.encoders.spec import HubWeights as HubSource
from vfm_fusion.errors import ConfigError, WeightsError

_MODEL_FILE, _RUN_FILE = "model.safetensors", "run.json"
_LENGTH_BYTES = 8
_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How archives of ``torch.save`` before version 1.6 start; newer ones are zip files."""
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How files of ``pickle.dump`` start."""


def weight_file(name: str, encoder: EncoderConfig) -> Path | None:
    """Returns the path of an encoder's weight file, which is there and whole; None where it needs none.

    Args:
        name: the encoder's key, for the message.
        encoder: its configuration.

    Raises:
        ConfigError: hub weights without a repository or revision.
        WeightsError: an environment variable is unset, or the file is missing, truncated or no weight file.
    """
    weights = encoder.weights
    key = f"encoders.{name}.weights"
    if isinstance(weights, SeededWeights):
        return None
    if isinstance(weights, HubWeights):
        path = _hub_file(key, encoder)
    elif isinstance(weights, CheckpointWeights):
        folder = expand(weights.path, f"{key}.path", WeightsError)
        path = _checkpoint_file(f"{key}.path", folder, encoder.architecture)
    else:
        path = expand(weights.path, f"{key}.path", WeightsError)
        if not path.is_file():
            raise WeightsError(f"{key}.path: no weight file at {path}; {_remedy(encoder)}")
    check_archive(path)
    return path


def weights_digest(encoder: EncoderConfig) -> str:
    """Returns what identifies the weights: the file's SHA-256 (and the part of it that is read), or the seed.

    A file is hashed once in a process as long as its size and time of change stay.

    Raises:
        ConfigError: see :func:`weight_file`.
        WeightsError: the file is missing or damaged, or is not the one whose checksum is expected.
    """
    path = weight_file(encoder.architecture, encoder)
    if path is None:
        return f"seed-{encoder.weights.seed}"
    status = path.stat()
    found = _sha256(path.resolve(), status.st_size, status.st_mtime_ns)
    for expected, by in _expected(encoder, path):
        if expected not in (None, found):
            raise WeightsError(
                f"{path}: SHA-256 is {found}, {by} expects {expected}; "
                "get the file again, or correct the checksum if the file is the one you mean"
            )
    part = encoder.weights.key if isinstance(encoder.weights, FileWeights) else None
    return found if part is None else f"{found}:{part}"


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)


def _expected(encoder: EncoderConfig, path: Path) -> list[tuple[str | None, str]]:
    """The checksums that the file must have, and who says so."""
    if not isinstance(encoder.weights, HubWeights):
        return [(encoder.weights.sha256, "the configuration")]
    if encoder.weights.sha256 is not None:
        return [(encoder.weights.sha256, "the configuration")]
    source = hub_source("weights", encoder)
    return [(source.sha256, "the registry"), (_blob_sha256(path), "the hub's cache")]


def _remedy(encoder: EncoderConfig) -> str:
    published = spec_of(encoder.architecture).published
    official = published and published.official
    theirs = official and f"{official.filename} from {official.source}"
    if encoder.weights.format == "official" and official:
        return f"correct the path, or put there {theirs}"
    places = []
    if published and published.hub:
        places.append(f"{published.hub.filename} from https://huggingface.co/{published.hub.repository}")
    if published and published.page:
        places.append(f"the file from {published.page}")
    if official:
        places.append(f"with format: official {theirs}")
    return "correct the path, or put there " + (", or ".join(places) or "the encoder's weights")


def hub_source(key: str, encoder: EncoderConfig) -> HubSource:
    """Returns which file of the hub an encoder's weights are: the registry's, with what the user overrides.

    Args:
        key: path of the weights' settings, for the message.
        encoder: an encoder with hub weights.

    Raises:
        ConfigError: no repository or no revision is known.
    """
    weights: HubWeights = encoder.weights
    published = spec_of(encoder.architecture).published
    source = None if published is None else published.hub
    if weights.repository is not None and (source is None or weights.repository != source.repository):
        source = HubSource(weights.repository)
    if source is None:
        raise ConfigError(
            f"{key}.repository: no hub repository is known for {encoder.architecture}; name one, or use "
            "source: file (a timm model has one where its tag is named: timm:NAME.TAG)"
        )
    if weights.revision not in (None, source.revision) or weights.filename != source.filename:
        source = replace(source, revision=weights.revision or source.revision, sha256=None)
    if source.revision is None:
        raise ConfigError(
            f"{key}.revision: no revision of {source.repository} is pinned; name a commit of "
            f"https://huggingface.co/{source.repository}/commits/main"
        )
    return replace(source, filename=weights.filename, sha256=weights.sha256 or source.sha256)


def _hub_file(key: str, encoder: EncoderConfig) -> Path:
    """Returns the path of a hub file in the hub's cache, fetching it unless ``HF_HUB_OFFLINE`` is set.

    Args:
        key: path of the weights' settings, for the message.
        encoder: an encoder with hub weights.

    Raises:
        ConfigError: see :func:`hub_source`.
        WeightsError: the file is not in the cache and cannot be fetched; says where to get it.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

    source = hub_source(key, encoder)
    address = (source.repository, source.filename)
    cached = try_to_load_from_cache(*address, revision=source.revision)
    if isinstance(cached, str):
        return Path(cached)
    try:
        return Path(hf_hub_download(*address, revision=source.revision))
    except (EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled) as error:
        raise WeightsError(_how_to_get(key, source, constants.HF_HUB_CACHE, error)) from error


def _blob_sha256(path: Path) -> str | None:
    """Returns the SHA-256 that the hub's cache names a large file by; None for a file of another name."""
    name = path.resolve().name
    return name if len(name) == 64 and all(c in "0123456789abcdef" for c in name) else None


def _how_to_get(key: str, source: HubSource, cache: str, error: Exception) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, LocalEntryNotFoundError

    page = f"https://huggingface.co/{source.repository}"
    fetch = f"HF_HUB_OFFLINE=0 hf download {source.repository} {source.filename} --revision {source.revision}"
    found = f"{key}: {source.repository} at revision {source.revision}, file {source.filename}: "
    own = "or use source: file with a file that you have"
    if isinstance(error, GatedRepoError) or source.gated:
        return (
            f"{found}the repository is gated and this login has no access; accept its terms at {page}, "
            f"log in with: hf auth login, then run: {fetch}; {own}"
        )
    if constants.HF_HUB_OFFLINE:
        return f"{found}not in the hub's cache ({cache}), and HF_HUB_OFFLINE is set; run: {fetch}; {own}"
    if isinstance(error, LocalEntryNotFoundError) or not isinstance(error, EntryNotFoundError):
        kind = type(error).__name__
        return f"{found}not in the hub's cache ({cache}) and not to be had ({kind}); try: {fetch}; {own}"
    return f"{found}there is no such file; see {page}/tree/{source.revision}"


def _checkpoint_file(key: str, folder: Path, architecture: str) -> Path:
    """Returns the weight file of a finished run whose fine-tuned master has ``architecture``.

    Args:
        key: path of the setting, for the message.
        folder: the run's folder.
        architecture: what the master must be.

    Raises:
        WeightsError: a file is missing or damaged, the run kept its master frozen, or trained another
            architecture.
    """
    path = folder / _MODEL_FILE
    for file in (path, folder / _RUN_FILE):
        if not file.is_file():
            raise WeightsError(f"{key}: no {file.name} in {folder}; give the folder of a finished run")
    settings, encoders = _run_description(folder / _RUN_FILE)
    found = encoders[settings["master"]]["architecture"]
    if found != architecture:
        raise WeightsError(
            f"{key}: the run in {folder} trained {found}, not {architecture}; "
            "correct the path or the architecture"
        )
    if not settings["train_master"]:
        raise WeightsError(
            f"{key}: the run in {folder} kept {settings['master']!r} frozen, so it holds no encoder; use the "
            "encoder's own weights"
        )
    return path


def _run_description(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        settings, encoders = description["settings"], description["encoders"]
        encoders[settings["master"]]["architecture"], settings["train_master"]  # all that is read from it
    except (ValueError, LookupError, TypeError) as error:
        raise WeightsError(f"{path}: not the description of a run ({error}); train the run again") from error
    return settings, encoders


def check_archive(path: Path) -> None:
    """Checks that ``path`` is a whole safetensors file (by its suffix) or looks like a whole torch archive.

    Raises:
        WeightsError: the file is truncated, or is something else (an error page, an empty download), or is
            named as the other kind.
    """
    problems = {".safetensors": _safetensors_problem(path), ".pt": _torch_problem(path)}
    problem = problems.pop(".safetensors" if path.suffix == ".safetensors" else ".pt")
    if problem is not None:
        for suffix, other in problems.items():
            if other is None:
                raise WeightsError(f"{path}: holds what a file named *{suffix} does; rename it")
        with path.open("rb") as file:
            start = file.read(16)
        if start[:2] in _PICKLES:
            raise WeightsError(
                f"{path}: a pickle, which can run code and is never loaded; expected safetensors or a "
                "torch archive of tensors: write its tensors by torch.save where you trust the file"
            )
        raise WeightsError(
            f"{path}: not a readable weight file: {problem} "
            f"({path.stat().st_size} bytes, starts with {start!r}); "
            "expected safetensors or a torch archive of tensors; get it again, or convert it"
        )


def _safetensors_problem(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
            return "its header is longer than the file"
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, AttributeError, LookupError):
            return "its header is no safetensors header"
    expected = _LENGTH_BYTES + length + max(ends, default=0)
    return None if size == expected else f"its header announces {expected} bytes"


def _torch_problem(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_TORCH))
    whole = zipfile.is_zipfile(path) if start.startswith(b"PK") else start == _LEGACY_TORCH
    return None if whole else "truncated, or no torch archive"
