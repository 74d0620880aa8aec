"""Weight files of the Hugging Face hub: from its cache, or fetched where the hub is online."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vfm_fusion.config.encoders import EncoderConfig, HubWeights
from vfm_fusion.encoders.published import HubWeights as HubSource
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.errors import ConfigError, WeightsError


def hub_source(key: str, encoder: EncoderConfig) -> HubSource:
    """Returns which file of the hub an encoder's weights are: the registry's, with what the user overrides.

    Args:
        key: path of the weights' settings, for the message.
        encoder: an encoder with hub weights.

    Raises:
        ConfigError: no repository or no revision is known.
    """
    weights: HubWeights = encoder.weights
    published = ARCHITECTURES[encoder.architecture].published
    source = None if published is None else published.hub
    if weights.repository is not None and (source is None or weights.repository != source.repository):
        source = HubSource(weights.repository)
    if source is None:
        raise ConfigError(
            f"{key}.repository: no hub repository is known for {encoder.architecture}; "
            "name one, or use source: file"
        )
    if weights.revision not in (None, source.revision) or weights.filename != source.filename:
        source = replace(source, revision=weights.revision or source.revision, sha256=None)
    if source.revision is None:
        raise ConfigError(
            f"{key}.revision: no revision of {source.repository} is pinned; name a commit of "
            f"https://huggingface.co/{source.repository}/commits/main"
        )
    return replace(source, filename=weights.filename, sha256=weights.sha256 or source.sha256)


def hub_file(key: str, encoder: EncoderConfig) -> Path:
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


def blob_sha256(path: Path) -> str | None:
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
