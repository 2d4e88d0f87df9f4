"""`dlm` commands for tests, as processes that need not import torch anew; see `warm_process`."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_SERVER: list[tuple[subprocess.Popen[bytes], Path]] = []


def run(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `dlm` with these arguments to its end."""
    with WarmProcess(*arguments, env=env, cwd=cwd) as process:
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def write_command(folder: Path) -> None:
    """Put a `dlm` into `folder`, for shells."""
    client = Path(__file__).with_name("warm_client.py")
    command = folder / "dlm"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {client} {server_path()} "$@"\n')
    command.chmod(0o755)


class WarmProcess:
    """A running `dlm`, with what tests use of `subprocess.Popen`; leaving its context kills it."""

    def __init__(
        self, *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.args = ["dlm", *map(str, arguments)]
        self.returncode: int | None = None
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        message = {
            "arguments": self.args[1:],
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
        }
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(server_path()))
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            socket.send_fds(
                self._connection,
                [json.dumps(message).encode()],
                [nothing.fileno(), out_end, err_end],
            )
        os.close(out_end)
        os.close(err_end)
        self.stdout: IO[str] = open(out, encoding="utf-8")  # noqa: PTH123, SIM115
        self.stderr: IO[str] = open(err, encoding="utf-8")  # noqa: PTH123, SIM115
        self._answers = self._connection.makefile("r")
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None:
            self._connection.setblocking(False)
            try:
                self._connection.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return None
            finally:
                self._connection.setblocking(True)
            self.returncode = int(self._answers.readline())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read what is left of both streams and wait for the end."""
        read: dict[str, str] = {}
        readers = [
            threading.Thread(target=lambda n=name, s=stream: read.update({n: s.read()}))
            for name, stream in (("out", self.stdout), ("err", self.stderr))
        ]
        for reader in readers:
            reader.start()
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()
            raise
        finally:
            for reader in readers:
                reader.join()
            self.close()
        return read["out"], read["err"]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Close what leads to a process that ended."""
        for stream in (self.stdout, self.stderr, self._answers, self._connection):
            stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self.wait()
        self.close()


def server_path() -> Path:
    """The socket of the warm process, which is started when it is first needed."""
    if not _SERVER:
        folder = Path(tempfile.mkdtemp(prefix="dlm-warm-"))
        path = folder / "socket"
        script = Path(__file__).with_name("warm_process.py")
        process = subprocess.Popen(
            [sys.executable, str(script), str(path)], stdin=subprocess.PIPE, cwd=folder
        )
        _SERVER.append((process, folder))
        atexit.register(_stop)
        deadline = time.monotonic() + 120
        while not path.exists():
            assert process.poll() is None, "the warm process did not start"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    return _SERVER[0][1] / "socket"


def _stop() -> None:
    process, folder = _SERVER.pop()
    assert process.stdin is not None
    process.stdin.close()
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
