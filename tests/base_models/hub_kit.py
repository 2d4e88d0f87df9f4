"""A small stand-in for the Hugging Face hub, and a small model to put on it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "vocab_size": 16,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}


def write_model(folder: Path, *, config: Mapping[str, object] = CONFIG) -> Path:
    """A whole model folder, small enough for a test: 16 x 8 embeddings and one 8 x 8 matrix."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text('{"version": "1.0"}', encoding="utf-8")
    numbers = np.arange(128, dtype=np.float32)
    save_file(
        {"embed.weight": numbers.reshape(16, 8), "layer.weight": numbers[:64].reshape(8, 8).copy()},
        folder / "model.safetensors",
    )
    return folder


def cache_model(root: Path, hf_id: str, *, commit: str = COMMIT, branch: str = "main") -> Path:
    """A model in a Hugging Face cache below `root`."""
    repository = root / f"models--{hf_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / branch).write_text(commit, encoding="utf-8")
    return write_model(repository / "snapshots" / commit)


@contextmanager
def hub(folder: Path, *, status: int = 200, error: str = "") -> Iterator[str]:
    """Serve the files of `folder` as every model of a hub; or answer all with an error."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def log_message(self, *_: object) -> None:
            return

        def _answer(self, *, body: bool) -> None:
            name = self.path.split("?")[0].rsplit("/", 1)[-1]
            if status != 200:
                headers, data = {"X-Error-Code": error, "X-Error-Message": error}, b"{}"
            elif "/api/" in self.path:
                headers, data = {"Content-Type": "application/json"}, self._listing()
            else:
                data = files[name]
                headers = {"ETag": f'"{_blob_id(data)}"', "X-Repo-Commit": COMMIT}
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def _listing(self) -> bytes:
            if "/tree/" not in self.path:
                return json.dumps({"id": "org/tiny", "sha": COMMIT, "siblings": []}).encode()
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": _blob_id(data)}
                for name, data in files.items()
            ]
            return json.dumps(entries).encode()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def locate_online(key: str, cache: Path, endpoint: str) -> tuple[str, str, str]:
    """What `local_folder` says with the network allowed, in a process of its own, since the hub's
    client reads its environment on import: folder, message, hint."""
    program = (
        "import sys\n"
        "from dlm.base_models import resolve\n"
        "from dlm.base_models.locate import local_folder\n"
        "from dlm.errors import BaseModelError\n"
        "try:\n"
        "    print(local_folder(resolve(sys.argv[1])))\n"
        "except BaseModelError as error:\n"
        "    print('', error.message, error.hint, sep='\\n')\n"
    )
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": endpoint,
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, key],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    lines = [*done.stdout.split("\n"), "", ""]
    return lines[0], lines[1], lines[2]


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
