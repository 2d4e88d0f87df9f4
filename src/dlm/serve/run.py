"""`dlm serve` from its start to its end: shelf, desk, application, socket, signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.serve.answering import Desk
from dlm.serve.api import api_section
from dlm.serve.app import build_app
from dlm.serve.connections import Address, bind, quiet_server
from dlm.serve.metrics import Metrics
from dlm.serve.page import page_section
from dlm.serve.shelf import Shelf, Speaker
from dlm.serve.training import Trainings

_LOOK_SECONDS: Final = 0.25  # between two looks for a new version
_STOP_SECONDS: Final = 3  # for what is under way when the server is to end


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen, which key to ask for, and whether saves are trained."""

    address: Address
    key: str | None = None
    watch: bool = False


def read_key(variable: str | None, address: Address) -> str | None:
    """The key in the environment variable; DlmError where one is needed and there is none."""
    key = os.environ.get(variable, "").strip() if variable else ""
    if variable and not key:
        raise DlmError(f"${variable} is not set", hint=f"export {variable}=$(openssl rand -hex 16)")
    if not key and not address.is_loopback:
        raise DlmError(
            f"{address.host} can be reached from other machines, and there is no key",
            hint="name the variable that holds one: --api-key-env DLM_API_KEY",
        )
    return key or None


def serve(
    paths: Sequence[Path],
    options: ServeOptions,
    *,
    ready: Callable[[Address, Shelf], None],
    note: Callable[[str], None],
) -> bool:
    """Serve the documents until SIGINT or SIGTERM; `ready` is called when requests are answered.

    Returns whether everything ended: a model that is being loaded cannot be interrupted. Raises
    DlmError when a document cannot be served or the address cannot be had.
    """
    with contextlib.closing(bind(options.address)) as bound:
        shelf = Shelf.open(paths)
        asyncio.run(_serve(shelf, bound, options, ready, note))
        return shelf.has_ended


async def _serve(
    shelf: Shelf,
    bound: socket.socket,
    options: ServeOptions,
    ready: Callable[[Address, Shelf], None],
    note: Callable[[str], None],
) -> None:
    desk, metrics = Desk(shelf), Metrics()
    trainings = Trainings(list(shelf.books.values()) if options.watch else [], note)
    sections = [
        api_section(desk, metrics, trainings),
        page_section(desk, trainings.facts, trainings.pushed),
    ]
    app = build_app(sections, metrics, key=options.key, only_here=options.address.is_loopback)
    server = quiet_server(app, stop_seconds=_STOP_SECONDS)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit  # the second time
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    shelf.start()
    looking = loop.create_task(_look(shelf, note))
    try:
        async with trainings:
            serving = loop.create_task(server.serve(sockets=[bound]))
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            ready(Address(options.address.host, bound.getsockname()[1]), shelf)
            await serving
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        shelf.close()
        desk.close()


async def _look(shelf: Shelf, note: Callable[[str], None]) -> None:
    """Load what answers now, then each version that comes; what cannot be loaded is said."""
    for book in shelf.books.values():
        with _said(note):
            async with shelf.adapter(Speaker(book.name, book, None, book.version)):
                pass
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        with _said(note):
            await shelf.look()


@contextlib.contextmanager
def _said(note: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except DlmError as error:
        note(f"warning: {error}")
