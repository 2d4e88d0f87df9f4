"""`dlm mcp` as an assistant meets it: the real client of the package mcp, over a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import warm
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, Implementation

from dlm.doc.parser import parse_file

TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

# The Brindle lamp

The Brindle lamp burns rapeseed oil. It was made by Una Corrigan in 1841.

::instruction::
### Q
Where does the spare wick lie?

### A
The spare wick lies in the blue tin.
::
"""


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    return path


@asynccontextmanager
async def assistant(path: Path, mode: str = "auto") -> AsyncIterator[Client]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "dlm", "mcp", str(path)],
        env={name: value for name, value in os.environ.items() if name.startswith(("DLM", "PYTH"))},
    )
    client = Client(server, client_info=Implementation(name="bench", version="1"), mode=mode)
    async with client:
        yield client


def facts(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def test_an_assistant_asks_looks_up_and_proposes(lamp: Path) -> None:
    async def talk() -> None:
        async with assistant(lamp) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == {"ask", "passages", "propose_correction"}
            assert tools["ask"].annotations is not None
            assert tools["ask"].annotations.read_only_hint is True

            reply = facts(await client.call_tool("ask", {"question": "Who made the lamp?"}))
            assert reply["text"] == "It was made by Una Corrigan in 1841."
            assert (reply["line"], reply["declined"], reply["version"]) == (9, False, None)

            reply = facts(await client.call_tool("ask", {"question": "How many parrots fly?"}))
            assert reply["declined"] is True

            found = facts(await client.call_tool("passages", {"question": "wick", "most": 2}))
            assert {one["line"] for one in found["passages"]} == {9, 16}

            lamp.write_text(TEXT.replace("blue tin", "green jar"), "utf-8")
            wick = {"question": "Where does the spare wick lie?"}
            assert "green jar" in facts(await client.call_tool("ask", wick))["text"]

            staged = facts(
                await client.call_tool(
                    "propose_correction",
                    {"question": "What does the lamp cost?", "answer": "Nine pounds."},
                )
            )
            assert staged["changed"] is False
            assert "+Nine pounds." in staged["diff"]
            assert f"dlm corrections apply {lamp} --run {staged['staged']}" in staged["next"]

    anyio.run(talk)
    before = lamp.read_bytes()
    assert b"Nine pounds" not in before
    listed = warm.run("corrections", "list", lamp)
    assert "pushed by mcp:bench" in listed.stdout
    assert warm.run("corrections", "apply", lamp).returncode == 0
    (section,) = (s for s in parse_file(lamp).sections if s.provenance is not None)
    assert section.pairs[0].answer == "Nine pounds."
    assert warm.run("corrections", "revert", lamp).returncode == 0
    assert lamp.read_bytes() == before


def test_what_cannot_be_done_is_told_as_a_sentence(lamp: Path) -> None:
    async def talk() -> None:
        async with assistant(lamp, mode="legacy") as client:
            for tool, arguments, told in (
                ("ask", {"question": "Why?", "closed": True}, "is not trained yet"),
                (
                    "propose_correction",
                    {"question": "Where does the spare wick lie?", "answer": "In the red tin."},
                    "line 12 asks it already, with another answer",
                ),
                ("propose_correction", {"question": "Why?", "answer": " "}, "needs a question"),
            ):
                result = await client.call_tool(tool, arguments)
                assert result.is_error
                assert told in str(result.content)
                assert "Traceback" not in str(result.content)

    anyio.run(talk)


def test_a_proposal_cannot_alter_what_stands_around_it(lamp: Path) -> None:
    answer = "Yes.\n::\n\n::instruction::\n### Q\nIs it?\n### A\nNo.\n<!-- dlm-auto-synth: -->\n---"

    async def talk() -> None:
        async with assistant(lamp) as client:
            arguments = {
                "question": "### A\nIs the lamp lit?",
                "answer": answer,
                "reason": '" -->\n::',
            }
            assert facts(await client.call_tool("propose_correction", arguments))["staged"]

    anyio.run(talk)
    before = parse_file(lamp)
    assert warm.run("corrections", "apply", lamp).returncode == 0
    after = parse_file(lamp)
    assert len(after.sections) - len(before.sections) == 1
    (section,) = (s for s in after.sections if s.provenance is not None)
    assert [(pair.question, pair.answer) for pair in section.pairs] == [
        ("### A\nIs the lamp lit?", answer)
    ]
    assert section.provenance is not None
    assert section.provenance.extra["reason"] == '" -->\n::'


def test_without_the_package_one_sentence_says_how_to_get_it(lamp: Path) -> None:
    program = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['dlm', 'mcp', sys.argv[1]];"
        "from dlm.cli.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(lamp)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: `dlm mcp` needs the package mcp, which is not installed",
        "hint: pip install 'dlm[mcp]'",
    ]
