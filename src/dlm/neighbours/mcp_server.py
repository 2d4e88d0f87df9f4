"""A server of tools for assistants, over standard input and output (Model Context Protocol).

It answers, shows passages, and stages corrections; it never writes the document.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from dlm import __version__
from dlm.doc.document import Document
from dlm.engine.asking import Engine
from dlm.errors import DlmError

_LONGEST = 20_000
Question = Annotated[str, Field(description="One question.", min_length=1, max_length=_LONGEST)]
Corrected = Annotated[
    str, Field(description="The right answer.", min_length=1, max_length=_LONGEST)
]
Reason = Annotated[str, Field(description="Where it is known from.", max_length=2_000)]
Most = Annotated[int, Field(description="How many at most.", ge=1, le=20)]
Closed = Annotated[
    bool, Field(description="Ask the trained model alone, without looking into the notes.")
]

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_STAGES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)


def serve(path: Path) -> None:
    """Serve the tools of one document until standard input ends."""
    make_server(path).run("stdio")


def make_server(path: Path) -> MCPServer[Any]:
    """The server of one document; DlmError when it cannot be read."""
    tools = _Tools(path)
    name = path.name
    server: MCPServer[Any] = MCPServer(
        "dlm",
        title=name,
        version=__version__,
        instructions=f"Answers questions from the notes in {name}, each with the line it stands "
        "in. What the notes do not say is declined.",
        log_level="ERROR",
    )
    server.add_tool(
        tools.ask,
        description=f"Answer a question from {name}, with the line where the answer stands.",
        annotations=_READS,
    )
    server.add_tool(
        tools.passages,
        description=f"The passages of {name} that may answer a question, the likeliest first.",
        annotations=_READS,
    )
    server.add_tool(
        tools.propose_correction,
        description=f"Propose a question and its right answer for {name}. Nothing is changed: a "
        "person looks at it and applies it.",
        annotations=_STAGES,
    )
    return server


class _Tools:
    """The three tools; an expected failure reaches the assistant as its sentence and hint."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = Engine(Document.open(path))
        self._one_at_a_time = threading.Lock()  # each call comes in a thread of its own

    def ask(self, question: Question, closed: Closed = False) -> dict[str, Any]:
        with self._one_at_a_time, _told():
            reply = asdict(self._engine.ask(question, closed=closed))
        reply["document"] = str(self._path)
        return reply

    def passages(self, question: Question, most: Most = 4) -> dict[str, Any]:
        with self._one_at_a_time, _told():
            found = self._engine.passages(question, most=most)
        return {"document": str(self._path), "passages": [asdict(one) for one in found]}

    def propose_correction(
        self, question: Question, answer: Corrected, context: Context, reason: Reason = ""
    ) -> dict[str, Any]:
        from dlm.loops.edits import diff, stage
        from dlm.loops.push import propose_correction
        from dlm.store.records import now
        from dlm.store.store import writable_store

        with self._one_at_a_time, _told():
            document = Document.open(self._path)
            plan = propose_correction(
                document, question, answer, by=_client(context), at=now(), reason=reason
            )
            with writable_store(document) as store:
                stage(store.database, plan)
        return {
            "staged": plan.run,
            "changed": False,
            "diff": diff(document, plan),
            "next": f"The owner runs `dlm corrections apply {self._path} --run {plan.run}` to "
            f"write it, or `dlm corrections discard {self._path} {plan.run}`.",
        }


@contextmanager
def _told() -> Iterator[None]:
    """An expected failure becomes what the assistant is told."""
    try:
        yield
    except DlmError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise ToolError(f"{error}{hint}") from error


def _client(context: Context) -> str:
    """The name by which the assistant's program introduced itself."""
    info = context.session.client_params
    name = info.client_info.name if info is not None else ""
    return f"mcp:{name}" if name else "mcp"
