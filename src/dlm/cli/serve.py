"""`dlm serve`, `dlm mcp` and `dlm corrections`: what other programs ask, and what they propose."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dlm.cli.common import find_document, note, print_json, read_document
from dlm.cli.edits_verbs import edits_app
from dlm.cli.options import JsonOption, PathArgument
from dlm.errors import DlmError

if TYPE_CHECKING:
    from dlm.serve.connections import Address
    from dlm.serve.shelf import Shelf


corrections = edits_app(
    ["pushed"],
    "corrections",
    "Corrections that other programs proposed: they wait until you apply them.",
    "What other programs proposed to correct.",
)


def serve(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="The documents. May be left out beside a single .dlm file.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; another than loopback needs a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 7430,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            "--api-key-env", metavar="NAME", help="The environment variable that holds the key."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Train after every save.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Answer over HTTP, as OpenAI's API does."""
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


def mcp(path: PathArgument = None) -> None:
    """Answer an assistant over standard input and output (MCP)."""
    read_document(path)
    try:
        from dlm.neighbours.mcp_server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise DlmError(
            "`dlm mcp` needs the package mcp, which is not installed",
            hint="pip install 'dlm[mcp]'",
        ) from error
    serve(find_document(path))
