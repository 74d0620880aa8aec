"""Weights of the hub: its cache layout, its offline switch, gated repositories, and a damaged cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from encoder_zoo import seeded
from huggingface_hub import constants
from safetensors.torch import save_file

from vfm_fusion.config.encoders import EncoderConfig, HubWeights
from vfm_fusion.encoders.build import build_encoder, weights_digest
from vfm_fusion.encoders.describe import describe_pretraining
from vfm_fusion.encoders.registry import ARCHITECTURES
from vfm_fusion.encoders.weight_files import weight_file
from vfm_fusion.errors import ConfigError, WeightsError

REVISION = "0123456789abcdef0123456789abcdef01234567"


def hub(architecture: str = "mini_vit", **settings: str) -> EncoderConfig:
    """An encoder of a repository of somebody's own."""
    own = {"repository": "me/mini", "revision": REVISION, "pretraining": "mine"}
    weights = HubWeights(source="hub", **{**own, **settings})
    return EncoderConfig(architecture=architecture, weights=weights)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(build_encoder(seeded("mini_vit", 3)).state_dict(), path)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def fill(cache: Path, content: bytes) -> Path:
    """Puts a file into the cache as the hub's client does: a blob named by its SHA-256, a snapshot's link."""
    folder = cache / "models--me--mini"
    blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    link = folder / "snapshots" / REVISION / "model.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    (folder / "refs").mkdir()
    (folder / "refs" / "v1").write_text(REVISION)
    return link


@pytest.mark.parametrize("revision", [REVISION, "v1"])
def test_a_cached_file_is_used_offline(cache: Path, weights: Path, revision: str) -> None:
    link = fill(cache, weights.read_bytes())
    config = hub(revision=revision)
    assert weight_file("mini", config) == link
    expected = build_encoder(seeded("mini_vit", 3)).state_dict()
    assert all(torch.equal(expected[key], value) for key, value in build_encoder(config).state_dict().items())
    assert weights_digest(config) == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert describe_pretraining(config) == "mine"


def test_what_is_not_cached_is_refused_with_the_command_that_gets_it(cache: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        weight_file("mini", hub())
    message = str(caught.value)
    assert message.startswith("encoders.mini.weights: me/mini at revision 0123")
    assert f"not in the hub's cache ({cache}), and HF_HUB_OFFLINE is set" in message
    assert f"run: HF_HUB_OFFLINE=0 hf download me/mini model.safetensors --revision {REVISION}" in message
    assert "source: file" in message


def test_another_revision_than_the_cached_one_is_not_taken_instead(cache: Path, weights: Path) -> None:
    fill(cache, weights.read_bytes())
    with pytest.raises(WeightsError, match="not in the hub's cache"):
        weight_file("mini", hub(revision="main"))


def test_a_damaged_cache_is_refused(cache: Path, weights: Path) -> None:
    blob = fill(cache, weights.read_bytes()).resolve()
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match=f"the hub's cache expects {blob.name}"):
        build_encoder(hub())
    blob.write_bytes(content[:1000])
    with pytest.raises(WeightsError, match="not a readable weight file"):
        weight_file("mini", hub())


def test_the_registry_pins_repository_revision_and_checksum(cache: Path, weights: Path) -> None:
    published = ARCHITECTURES["dinov2_vitb14"].published.hub
    config = EncoderConfig(architecture="dinov2_vitb14", weights=HubWeights(source="hub"))
    with pytest.raises(WeightsError, match=f"hf download {published.repository} .* {published.revision};"):
        weight_file("dino", config)
    folder = cache / f"models--{published.repository.replace('/', '--')}" / "snapshots" / published.revision
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights.read_bytes())
    with pytest.raises(WeightsError, match=f"the registry expects {published.sha256}"):
        weights_digest(config)


def test_a_moving_branch_is_never_taken_by_default() -> None:
    config = EncoderConfig(architecture="swin_b", weights=HubWeights(source="hub"))
    with pytest.raises(ConfigError, match=r"encoders\.swin\.weights\.revision: no revision .* is pinned"):
        weight_file("swin", config)
    with pytest.raises(ConfigError, match=r"repository: no hub repository is known for mini_vit"):
        weight_file("mini", EncoderConfig(architecture="mini_vit", weights=HubWeights(source="hub")))


class Hub(BaseHTTPRequestHandler):
    """A hub with one public, one gated and no other repository, as its client speaks to it."""

    content = b""

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        """Answers where a file is and what it is."""
        self._answer(with_body=False)

    def do_GET(self) -> None:
        """Sends the file."""
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        if self.path.startswith("/me/gated/"):
            self._say(403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        elif self.path == f"/me/mini/resolve/{REVISION}/model.safetensors":
            digest = hashlib.sha256(self.content).hexdigest()
            self._say(
                200,
                {
                    "X-Repo-Commit": REVISION,
                    "X-Linked-Etag": f'"{digest}"',
                    "ETag": f'"{digest}"',
                    "X-Linked-Size": str(len(self.content)),
                },
                self.content,
                with_body,
            )
        elif self.path.startswith(f"/me/mini/resolve/{REVISION}/"):
            self._say(404, {"X-Error-Code": "EntryNotFound"})
        elif self.path.startswith("/me/mini/resolve/"):
            self._say(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            self._say(404, {"X-Error-Code": "RepoNotFound"})

    def _say(self, status: int, headers: dict[str, str], body: bytes = b"", with_body: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def endpoint(weights: Path) -> Iterator[str]:
    """Address of a hub on this machine."""
    handler = type("Filled", (Hub,), {"content": weights.read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(endpoint: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Looks a weight file up in a process of its own, online."""
    program = (
        "import sys; from vfm_fusion.config.encoders import EncoderConfig\n"
        "from vfm_fusion.encoders.weight_files import weight_file\n"
        "print(weight_file('mini', EncoderConfig.model_validate_json(sys.argv[1])))"
    )
    online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", program, hub(**settings).model_dump_json()]
    return subprocess.run(command, env={**os.environ, **online}, capture_output=True, text=True, timeout=60)


def test_an_online_hub_fills_the_cache(endpoint: str, weights: Path, tmp_path: Path) -> None:
    done = ask(endpoint, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path / "home" / "hub" / "models--me--mini" / "snapshots" / REVISION)
    assert path.read_bytes() == weights.read_bytes()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"repository": "me/gated"},
            "the repository is gated and this login has no access; accept its terms",
        ),
        ({"repository": "me/gated"}, "hf auth login"),
        ({"repository": "me/none"}, "RepositoryNotFoundError"),
        ({"revision": "f" * 40}, "RevisionNotFoundError"),
        (
            {"filename": "other.safetensors"},
            "there is no such file; see https://huggingface.co/me/mini/tree/",
        ),
    ],
)
def test_what_an_online_hub_refuses_is_explained(
    endpoint: str, tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    done = ask(endpoint, tmp_path / "home", **settings)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0
    assert last.startswith("vfm_fusion.errors.WeightsError: encoders.mini.weights: me/"), done.stderr
    assert message in last


@pytest.mark.slow("the client tries for 23 s")
def test_a_hub_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    done = ask("http://127.0.0.1:9", tmp_path / "home")
    last = done.stderr.strip().splitlines()[-1]
    assert "WeightsError" in last
    assert "not to be had (LocalEntryNotFoundError)" in last
