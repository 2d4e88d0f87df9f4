"""How much of a server a teacher uses, and what it holds: `uv run python benchmarks/teachers.py`.

Servers of 50 ms a reply, each a process of its own, are asked with different numbers of requests
under way; what the concurrency allows is that number times 20 a second. `bare` are sockets that
send the same bytes again and again and look at no answer: what servers and machine give at best.
`stored` keeps the answers as in use. Then 10,000 requests are put to two servers that reply at
once, and the memory of this process is read on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from dlm.data.completion import Request
from dlm.loops.teachers import Cached, Teacher
from dlm.loops.teachers.remote import RemoteTeacher, server_addresses
from dlm.store.database import Database

REPLY = 0.05  # seconds
SECONDS = 3  # a measurement, of which the best of three is shown
CASES = ((1, 1), (1, 8), (2, 8), (1, 32))  # servers, and requests under way at each
MANY = 10_000


def main() -> None:
    if sys.argv[1:2] == ["--server"]:
        serve(float(sys.argv[2]))
        return
    print("servers  at once  allowed      bare           teacher            stored")
    for servers, at_once in CASES:
        allowed = servers * at_once / REPLY
        with running(servers, REPLY) as urls:
            rounds = [
                (
                    bare(urls, at_once),
                    speed(urls, at_once, stored=False),
                    speed(urls, at_once, stored=True),
                )
                for _ in range(3)
            ]
        rates = [max(each) for each in zip(*rounds, strict=True)]
        shown = "".join(f"{rate:9.1f} ({rate / allowed:5.1%})" for rate in rates)
        print(f"{servers:7}  {at_once:7}  {allowed:7.0f}{shown}", flush=True)
    memory()


def bare(urls: list[str], at_once: int) -> float:
    """Requests a second of as many connections that ask and ask again."""
    body = b'{"model": "tiny", "messages": [{"role": "user", "content": "question"}]}'
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    each = int(SECONDS / REPLY)

    async def ask(url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(each):
            writer.write(head.encode() + body)
            await read_message(reader)
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(ask(url) for url in urls for _ in range(at_once)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return each * len(urls) * at_once / (time.perf_counter() - began)


def speed(urls: list[str], at_once: int, *, stored: bool) -> float:
    """Requests a second, after a short start."""
    with teacher(urls, at_once, stored=stored) as one:
        one.complete(questions("start", at_once), lambda index, texts: None)
        requests = questions("question", int(SECONDS * len(urls) * at_once / REPLY))
        began = time.perf_counter()
        answered = 0

        def done(index: int, texts: Sequence[str]) -> None:
            nonlocal answered
            answered += bool(texts)

        one.complete(requests, done)
        took = time.perf_counter() - began
    assert answered == len(requests)
    return answered / took


def memory() -> None:
    """Resident memory after each 1,000 of the requests."""
    requests, held = questions("question", MANY), []
    with running(2, 0.0) as urls, teacher(urls, 8, stored=False) as one:
        count = 0

        def done(index: int, texts: Sequence[str]) -> None:
            nonlocal count
            count += 1
            if count % 1000 == 0:
                held.append(resident())

        began = time.perf_counter()
        one.complete(requests, done)
        took = time.perf_counter() - began
    print(f"{count:,} requests in {took:.0f} s, {count / took:.0f} a second")
    print("MB after each 1,000:", " ".join(f"{each:.1f}" for each in held))


@contextlib.contextmanager
def running(servers: int, seconds: float) -> Iterator[list[str]]:
    command = [sys.executable, __file__, "--server", str(seconds)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(servers)]
    try:
        yield [one.stdout.readline().strip() for one in started if one.stdout]
    finally:
        for one in started:
            one.kill()
            one.communicate()


@contextlib.contextmanager
def teacher(urls: list[str], at_once: int, *, stored: bool) -> Iterator[Teacher]:
    remote = RemoteTeacher(*server_addresses(f"{','.join(urls)}#tiny", None), at_once=at_once)
    with TemporaryDirectory() as folder:
        database = Database.open(Path(folder) / "store.sqlite3")
        yield Cached(remote, database) if stored else remote
        database.close()


def serve(seconds: float) -> None:
    """Reply to each request after so many seconds, until killed, with as little work as can be."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "A lamp."}}
    body = json.dumps({"choices": [choice]}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await read_message(reader)
                await asyncio.sleep(seconds)
                writer.write(head.encode() + body)

    async def forever() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()

    asyncio.run(forever())


async def read_message(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))


def questions(word: str, count: int) -> list[Request]:
    return [Request("Be short.", f"{word} {i}", max_new_tokens=64, seed=i) for i in range(count)]


def resident() -> float:
    """Megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
