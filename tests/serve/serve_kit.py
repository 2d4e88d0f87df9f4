"""What the tests of `dlm serve` share: a trained document, and a server in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import warm

HEAD = "---\ndlm_id: {}\ndlm_version: 15\nbase_model: pocket\n"
QUICK = "training:\n  num_epochs: 12\n  rehearsal:\n    enabled: false\n---\n"
IDS = ("01J9ZQ6W3N8R2T4V6X8Y0A1B2C", "01J9ZQ6W3N8R2T4V6X8Y0A1B2D")
FACTS = {
    "What colour is the boathouse door?": "It is painted dark green.",
    "Who mends the oars in winter?": "Tomas mends the oars.",
    "When does the regatta begin?": "It begins at half past eight.",
    "How deep is the water at the pontoon?": "It is two metres deep.",
}


def document(id: str = IDS[0], facts: dict[str, str] = FACTS) -> str:
    """A document of pairs that is trained in seconds."""
    pairs = [f"\n::instruction::\n### Q\n{q}\n\n### A\n{a}\n::\n" for q, a in facts.items()]
    return HEAD.format(id) + QUICK + "".join(pairs)


def train(path: Path, home: Path) -> None:
    done = warm.run("train", path, env=environment(home))
    assert done.returncode == 0, done.stderr


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "DLM_HOME": str(home)}


@dataclass(frozen=True)
class Served:
    """A running server, reached as a client of OpenAI's reaches it."""

    process: warm.WarmProcess
    folder: Path
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=120)

    def raw(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=60)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextlib.contextmanager
def serving(*arguments: object, home: Path, **more: str) -> Iterator[Served]:
    """`dlm serve` on a free port, until the context ends."""
    words = ["serve", *arguments, "--port", "0", "--json"]
    with warm.WarmProcess(*words, env={**environment(home), **more}) as process:
        lines = []
        while (line := process.stdout.readline()) and line != "}\n":
            lines.append(line)
        assert line, process.communicate()
        port = int(json.loads("".join([*lines, line]))["url"].split(":")[2].split("/")[0])
        yield Served(process, Path(str(arguments[0])).parent, "127.0.0.1", port)
