"""Write what the command line itself says into docs/commands: a page a command, and their list.

    uv run python scripts/command_pages.py

Usage, options and defaults come from the commands. The meaning of an option begins as its help;
what a page says instead stays, and so does all that stands outside of the marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from dlm.cli.commands import command_line

DOCS = Path(__file__).parent.parent / "docs"
FOLDER = DOCS / "commands"
BEGIN, END = "<!-- from the command line -->", "<!-- to here -->"
BLOCK = re.compile(f"{BEGIN}\n.*?{END}\n", re.S)
ROW = re.compile(r"^\| (?P<name>`.*?) \| (?:[^|\n]* \| )?(?P<meaning>[^\n]*) \|$", re.M)
KINDS = {int: "N", float: "X"}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, "utf-8")


def stale_pages() -> list[str]:
    """The pages that the command line would write otherwise, and those of no command."""
    wanted = pages()
    stale = [p.name for p, text in wanted.items() if not p.exists() or p.read_text("utf-8") != text]
    return stale + [path.name for path in FOLDER.glob("*.md") if path not in wanted]


def pages() -> dict[Path, str]:
    """Every page as it should be."""
    group: Any = typer.main.get_command(command_line())
    found = {FOLDER / f"{name}.md": _page(name, one) for name, one in group.commands.items()}
    overview = DOCS / "cli.md"
    rows = [
        f"| [`dlm {name}`](commands/{name}.md) | {_sentence(one)} |\n"
        for name, one in group.commands.items()
    ]
    table = f"{BEGIN}\n\n| command | does |\n|---|---|\n{''.join(rows)}\n{END}\n"
    found[overview] = BLOCK.sub(lambda _: table, overview.read_text("utf-8"))
    return found


def _page(name: str, command: Any) -> str:
    path = FOLDER / f"{name}.md"
    known = path.read_text("utf-8") if path.exists() else ""
    parts = dict(_parts(known))
    wanted = {f"dlm {name}": command}
    wanted |= {f"dlm {name} {sub}": one for sub, one in getattr(command, "commands", {}).items()}
    text = ""
    for title, one in wanted.items():
        old = parts.get(title, f"{_sentence(one)}\n\n{BEGIN}\n{END}\n")
        block = _block(title, one, old)
        body = BLOCK.sub(lambda _, block=block: block, old)  # type: ignore[misc]
        text += ("\n## " if text else "# ") + f"{title}\n\n{body.strip()}\n"
    return text


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """(title, what stands below it) of each command on a page."""
    found = re.split(r"^##? (dlm [\w -]+)\n", text, flags=re.M)
    return zip(found[1::2], found[2::2], strict=True)


def _block(title: str, command: Any, old: str) -> str:
    """Usage and options, with the meanings that the page has already."""
    block = BLOCK.search(old)
    kept = {_key(row["name"]): row["meaning"] for row in ROW.finditer(block[0] if block else "")}
    context = typer.Context(command, info_name=title)
    pieces = " ".join(command.collect_usage_pieces(context)).replace("[[", "[").replace("]]", "]")
    pieces = re.sub(r"\{(\w+)\}", r"\1", pieces).replace("...]...", "...")
    rows = [
        f"| {cell} | {_default(one)} | {kept.get(_key(cell)) or _meaning(one)} |\n"
        for one in command.params
        if (cell := _cell(one, context)) is not None
    ]
    table = f"\n| option | default | meaning |\n|---|---|---|\n{''.join(rows)}" if rows else ""
    return f"{BEGIN}\n\n```text\n{title} {pieces}\n```\n{table}\n{END}\n"


def _cell(parameter: Any, context: Any) -> str | None:
    if parameter.param_type_name == "argument":
        word = parameter.metavar or parameter.name.upper()
        return None if word.strip("[]….") == "PATH" else f"`{word}`"
    names = sorted(parameter.opts, key=len)
    if parameter.is_flag:
        return ", ".join(f"`{name}`" for name in [*names, *parameter.secondary_opts])
    kind = parameter.metavar or KINDS.get(parameter.type_descriptor.annotation, "NAME")
    kind = kind.replace("|", "\\|")
    return ", ".join(f"`{name} {kind}`" for name in names)


def _default(parameter: Any) -> str:
    value = parameter.default
    shown = value not in (None, False, "", ()) and not isinstance(value, list) and value == value
    return f"`{value}`" if shown and value is not True and not callable(value) else ""


def _meaning(parameter: Any) -> str:
    text = str(getattr(parameter, "help", "") or "").rstrip(".")
    return (text[:1].lower() + text[1:] if text[1:2].islower() else text).replace("|", "\\|")


def _key(cell: str) -> str:
    return " ".join(re.findall(r"--?[\w-]+|^`\[?\w+", cell))


def _sentence(command: Any) -> str:
    text: str = (command.short_help or command.help or "").split("\n\n")[0]
    return " ".join(text.split())


if __name__ == "__main__":
    main()
