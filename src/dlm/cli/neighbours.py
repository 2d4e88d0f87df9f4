"""`dlm mcp`, and `dlm corrections`: what other programs ask, and what they propose."""

from __future__ import annotations

from dlm.cli.common import find_document, read_document
from dlm.cli.options import PathArgument, edits_app
from dlm.errors import DlmError

corrections = edits_app(
    ["pushed"],
    "corrections",
    "Corrections that other programs proposed: they wait until you apply them.",
)


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
