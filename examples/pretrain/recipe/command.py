"""How the commands of the recipe speak: progress on stderr, and errors as a sentence and a hint."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlm.errors import DlmError
from dlm.files import write_atomic


def run(main: Callable[[], None]) -> None:
    """Call `main`; a DlmError becomes one sentence, its hint, and exit status 1."""
    try:
        main()
    except DlmError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)


class Clock:
    """Says on stderr what is done, and after how many seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)


def write_json(path: Path, value: Any) -> None:
    """A JSON file a person can read, written whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    write_atomic(path, (text + "\n").encode("utf-8"))


def empty_folder(path: Path, made_by: str) -> Path:
    """A new folder, or one that holds nothing. Raises DlmError rather than mix two runs."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise DlmError(
            f"{path} is not an empty folder",
            hint=f"{made_by} writes a new one: name another, or remove it",
        )
    path.mkdir(parents=True, exist_ok=True)
    return path
