"""Many clients push to a process that is killed again and again: what was acknowledged arrives."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from push_process import TOKEN
from watch_kit import DLM_ID, TEXT, until

from dlm.doc.parser import parse_file
from dlm.store.edits import queue_depth
from dlm.store.store import Store

SCRIPT = Path(__file__).with_name("push_process.py")


class Server:
    """The process, started again whenever it was killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = ""

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self._path)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the server did not start"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def push(server: Server, prompt: str) -> bool:
    """Whether the probe was acknowledged; a client that heard nothing knows nothing."""
    params = {"prompt": prompt, "reference": f"Answer to {prompt}", "tags": ["kills"]}
    body = json.dumps({"method": "inject_probe", "params": params}).encode()
    request = urllib.request.Request(server.url, body, {"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert json.loads(reply.read())["accepted"] is True
            return True
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 429:
            raise
        time.sleep(0.2)
    except (OSError, http.client.HTTPException):
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("probes", "clients", "kills"),
    [(200, 8, 3), pytest.param(5000, 20, 25, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_what_was_acknowledged_is_in_the_document_exactly_once(
    tmp_path: Path, probes: int, clients: int, kills: int
) -> None:
    path = tmp_path / "shed.dlm"
    path.write_text(TEXT)
    server = Server(path)
    server.start()
    acknowledged: list[str] = []

    def client(number: int) -> None:
        for n in range(probes // clients):
            prompt = f"Question {number}-{n}?"
            while not push(server, prompt):
                pass
            acknowledged.append(prompt)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    rng = random.Random(7)
    for _ in range(kills):
        time.sleep(rng.uniform(0.2, 1.5))
        server.kill()
        server.start()
    for thread in threads:
        thread.join()

    def queue_is_empty() -> bool:
        with Store.open(DLM_ID) as store:
            return queue_depth(store.database) == 0

    try:
        until(queue_is_empty, seconds=120)
    finally:
        server.kill()
    document = parse_file(path)
    found = Counter(pair.question for _, pair in document.pairs())
    assert len(acknowledged) == probes // clients * clients
    assert found == Counter(acknowledged)
    assert document.text.startswith(TEXT)
    assert all(section.auto_harvest for section in document.sections[1:])
