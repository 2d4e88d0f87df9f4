"""The part of Go's text templates that a Modelfile of ours is made of: fields, `if`, literals.

What Ollama does with a template that names `.Prompt` and `.Response` is done here: each round is
rendered by itself, the system message with the first, and the last ends where the answer begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from dlm.errors import DlmError

_ACTION: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.S)
_ANSWER: Final = "{{ .Response }}"


def literal(text: str) -> str:
    """Text as a template writes it."""
    return re.sub(r"\{+", lambda braces: f'{{{{ "{braces[0]}" }}}}', text)


def render(template: str, system: str, rounds: Sequence[tuple[str, str]], question: str) -> str:
    """The prompt that ends where the answer to `question` begins; `rounds` were before it.

    Raises DlmError for a template with anything else in it.
    """
    open_end, found, _ = template.rpartition(_ANSWER)
    if not found:
        raise DlmError(f"the template of the Modelfile has no {_ANSWER}")
    text = ""
    for prompt, answer in rounds:
        text += _fill(template, {"System": system, "Prompt": prompt, "Response": answer})
        system = ""
    return text + _fill(open_end, {"System": system, "Prompt": question, "Response": ""})


def _fill(template: str, fields: Mapping[str, str]) -> str:
    text, shown = "", [True]
    for index, piece in enumerate(_ACTION.split(template)):
        if index % 2 == 0:
            text += piece if all(shown) else ""
        elif piece.startswith("if ."):
            shown.append(bool(_field(piece.removeprefix("if "), fields)))
        elif piece == "else" and len(shown) > 1:
            shown[-1] = not shown[-1]
        elif piece == "end" and len(shown) > 1:
            shown.pop()
        elif piece.startswith('"'):
            text += json.loads(piece) if all(shown) else ""
        else:
            text += _field(piece, fields) if all(shown) else ""
    if len(shown) > 1:
        raise DlmError("an {{ if }} in the template of the Modelfile has no {{ end }}")
    return text


def _field(name: str, fields: Mapping[str, str]) -> str:
    found = fields.get(name.removeprefix(".")) if name.startswith(".") else None
    if found is None:
        raise DlmError(
            f"the template of the Modelfile says {{{{ {name} }}}}, which is not read here"
        )
    return found
