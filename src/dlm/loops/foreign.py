"""Files that other tools wrote: reports of evaluations, logs of chats."""

from __future__ import annotations

from pathlib import Path

from dlm.errors import DlmError


def text_of_file(path: Path, kind: str, *, hint: str) -> str:
    """The whole text; DlmError, with `hint` on where such files come from, when it is missing,
    unreadable, or not UTF-8.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DlmError(f"there is no {kind} {path}", hint=hint) from error
    except OSError as error:
        raise DlmError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DlmError(
            f"{path}:{line}: this is not UTF-8 text",
            hint="an archive has to be unpacked first, and other encodings saved as UTF-8",
        ) from error
