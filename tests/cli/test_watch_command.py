"""`dlm train --watch` and `--listen-rpc` through the real command line."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import warm
from warm import WarmProcess

from dlm.cli.watch import status_line
from dlm.loops.watch_status import Facts

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
PAIR = "\n::instruction::\n### Q !probe\nWhat colour is the shed?\n\n### A\nIt is {}.\n::\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shed.dlm"
    settings = "training:\n  num_epochs: 1\n  rehearsal:\n    enabled: false\n---\n"
    path.write_text(HEAD.removesuffix("---\n") + settings + PAIR.format("teal"))
    return path


def refused(*arguments: str, token: str | None = None) -> tuple[int, str]:
    environment = {k: v for k, v in os.environ.items() if k != "DLM_PROBE_TOKEN"}
    environment |= {"DLM_PROBE_TOKEN": token} if token is not None else {}
    done = warm.run("train", *arguments, env=environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_what_makes_no_sense_together_is_refused(path: Path) -> None:
    rpc = ["--listen-rpc", "127.0.0.1:0"]
    for arguments, named in (
        (rpc, "--max-cycles"),
        (["--max-cycles", "1"], "--watch"),
        (["--watch", "--plan"], "--plan"),
        ([*rpc, "--max-cycles", "0"], "--max-cycles"),
        (["--watch", "--listen-rpc", "nowhere"], "HOST:PORT"),
    ):
        code, said = refused(str(path), *arguments, token="t")
        assert code == 2
        assert named in said


@pytest.mark.parametrize("token", [None, "", " "])
def test_it_does_not_listen_without_a_token(path: Path, token: str | None) -> None:
    rpc = ["--watch", "--listen-rpc", "127.0.0.1:0"]
    code, said = refused(str(path), *rpc, token=token)
    assert code == 1
    assert "DLM_PROBE_TOKEN" in said


def test_the_status_line_says_all_at_a_glance() -> None:
    facts = Facts("waiting", "v0007", "1 new or changed", 0.0213, 2, 3, queue_depth=4, held=1)
    assert status_line(facts) == (
        "v0007 · 1 new or changed · loss 0.021 · probes 2/3 · queue 4 (1 held) · waiting"
    )
    assert status_line(Facts()) == "no version · queue 0 · starting"


class Watching:
    """A process whose output is read as it comes."""

    def __init__(self, path: Path, *arguments: str) -> None:
        self.process = WarmProcess(
            *("train", path, "--watch", "--json", "--watch-max-steps", "2", *arguments),
            env=os.environ | {"DLM_PROBE_TOKEN": "very secret"},
        )
        self.said: list[str] = []
        self.results: list[dict[str, Any]] = []
        self._readers = [
            threading.Thread(target=_read, args=(self.process.stdout, self._result)),
            threading.Thread(target=_read, args=(self.process.stderr, self._say)),
        ]
        for reader in self._readers:
            reader.start()

    def end(self) -> None:
        """Kill it, unless it ended, and read what it said until then."""
        with self.process:
            self.process.kill()
            for reader in self._readers:
                reader.join()

    def _result(self, line: str) -> None:
        self.results.append(json.loads(line))

    def _say(self, line: str) -> None:
        self.said.append(line.rstrip())

    def until(self, holds: Any, seconds: float = 240.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.said
            assert self.process.poll() is None or holds(), self.said
            time.sleep(0.05)

    def address(self) -> str:
        self.until(lambda: any("listening" in line for line in self.said))
        return next(line for line in self.said if "listening" in line).split()[-1]


@contextmanager
def watching(path: Path, *arguments: str) -> Iterator[Watching]:
    watching = Watching(path, *arguments)
    try:
        yield watching
    finally:
        watching.end()


def _read(stream: IO[str], keep: Callable[[str], None]) -> None:
    with stream:
        for line in stream:
            keep(line)


@pytest.mark.timeout(900)
def test_a_save_and_a_push_become_versions_and_ctrl_c_ends_it(path: Path) -> None:
    with watching(path, "--listen-rpc", "0.0.0.0:0") as running:
        url = running.address().replace("0.0.0.0", "127.0.0.1")
        assert any("WARNING" in line for line in running.said)
        running.until(lambda: len(running.results) == 1)
        assert running.results[0]["version"] == "v0001"

        params = {"prompt": "Who owns the shed?", "reference": "The club.", "tags": ["x"]}
        body = json.dumps({"method": "inject_probe", "params": params}).encode()
        asked = urllib.request.Request(url, body, {"Authorization": "Bearer very secret"})
        with urllib.request.urlopen(asked, timeout=60) as reply:
            assert json.loads(reply.read())["accepted"] is True
        running.until(lambda: len(running.results) == 2)
        assert running.results[1]["version"] == "v0002"
        assert path.read_text().count("Who owns the shed?") == 1

        whole = path.read_text()
        path.write_text(whole.replace("::instruction::", "::instrution::", 1))
        running.until(lambda: any(":11:1:" in line for line in running.said))
        path.write_text(whole.replace("teal", "amber"))
        running.until(lambda: len(running.results) == 3)
        assert running.results[2]["version"] == "v0003"
        path.write_text(whole.replace("teal", "amber"))
        running.until(lambda: len(running.results) == 4)
        assert running.results[3]["unchanged"] is True

        running.process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert running.process.wait(timeout=60) == 0
        assert time.monotonic() - began < 30
        time.sleep(0.2)
        assert "v0003 is current" in running.said[-1]
        assert sum("loading" in line for line in running.said) == 1
        assert not any("very secret" in line or "The club" in line for line in running.said)
