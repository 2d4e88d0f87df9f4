"""`dlm serve`: where it listens on standard output, what happens on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dlm.cli.common import find_document, note, print_json

if TYPE_CHECKING:
    from dlm.serve.connections import Address
    from dlm.serve.shelf import Shelf


def run(
    paths: list[str] | None,
    *,
    host: str,
    port: int,
    api_key_env: str | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Serve until Ctrl-C."""
    from dlm.serve.connections import Address
    from dlm.serve.run import ServeOptions, read_key, serve

    documents = [find_document(path) for path in paths] if paths else [find_document(None)]
    address = Address(host, port)
    options = ServeOptions(address, read_key(api_key_env, address), watch)

    def ready(address: Address, shelf: Shelf) -> None:
        models = [name for name, _ in shelf.models()]
        if as_json:
            print_json({"url": f"{address.url}/v1", "models": models})
        else:
            print(f"{', '.join(models[:6])} at {address.url}/v1; Ctrl-C ends", flush=True)

    if not serve(documents, options, ready=ready, note=note):
        sys.stdout.flush()
        os._exit(0)
