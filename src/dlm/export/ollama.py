"""A Modelfile for Ollama: the merged GGUF file, and how a conversation is written.

The template is not translated: the base's own is asked for conversations, and what it writes around
the contents becomes the Go template. So it fits ChatML, Llama 3, Gemma and plain questions alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlm.data.chat import Codec, Message
from dlm.errors import DlmError
from dlm.export.gguf.model import write_gguf
from dlm.export.huggingface import stop_ids
from dlm.export.source import Source
from dlm.export.weights import Precision

MODELFILE: Final = "Modelfile"
_LONGEST_CONTEXT: Final = 8192
_SYSTEM, _ASKED, _SAID, _ASKED_NEXT = "Ssystem0", "Uuser1", "Aanswer2", "Uuser3"
_ACTION: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.S)
_ANSWER: Final = "{{ .Response }}"
_INSTRUCTION: Final = re.compile(
    r'^(FROM|SYSTEM|TEMPLATE|PARAMETER)[ \t]+(?:"""(.*?)"""|([^\n]*))$', re.M | re.S
)


@dataclass(frozen=True, slots=True)
class Modelfile:
    """What a Modelfile says: the weights, the system message and the Go template."""

    weights: str
    system: str
    template: str

    @classmethod
    def read(cls, path: Path) -> Modelfile:
        """Read one as `write_ollama` writes it; DlmError for one that lacks something."""
        said: dict[str, str] = {}
        for name, quoted, plain in _INSTRUCTION.findall(path.read_text(encoding="utf-8")):
            said.setdefault(name, quoted or plain)
        if not said.get("FROM") or not said.get("TEMPLATE"):
            raise DlmError(f"{path} has no FROM or no TEMPLATE")
        return cls(said["FROM"], said.get("SYSTEM", ""), said["TEMPLATE"])

    def prompt(self, question: str) -> str:
        """What the model reads before it answers."""
        return render(self.template, self.system, (), question)


def render(template: str, system: str, rounds: Sequence[tuple[str, str]], question: str) -> str:
    """The prompt that ends where the answer to `question` begins; `rounds` were before it.

    Does what Ollama does with a template that names `.Prompt` and `.Response`: each round is
    rendered by itself, the system message with the first, and the last ends where the answer
    begins. Knows the part of Go's text templates that a Modelfile of ours is made of: fields, `if`,
    literals. Raises DlmError for a template with anything else in it.
    """
    open_end, found, _ = template.rpartition(_ANSWER)
    if not found:
        raise DlmError(f"the template of the Modelfile has no {_ANSWER}")
    text = ""
    for prompt, answer in rounds:
        text += _fill(template, {"System": system, "Prompt": prompt, "Response": answer})
        system = ""
    return text + _fill(open_end, {"System": system, "Prompt": question, "Response": ""})


def write_ollama(source: Source, folder: Path, precision: Precision) -> None:
    """The merged model as GGUF and a Modelfile beside it.

    Raises DlmError for what a GGUF file or a Modelfile cannot say.
    """
    bare = Codec.load(source.folder)
    template, default = _template(bare, _added_opening(source))
    system = source.document.frontmatter.system_prompt or default
    weights = f"{source.name}.gguf"
    lines = [f"FROM ./{weights}", f"TEMPLATE {_quoted(template)}"]
    if system:
        lines.append(f"SYSTEM {_quoted(system)}")
    for number in stop_ids(source):
        stop = source.codec.decode([number], skip_special=False)
        lines.append(f'PARAMETER stop "{stop}"')
    lines.append("PARAMETER temperature 0")
    lines.append(f"PARAMETER num_ctx {min(source.codec.context_length, _LONGEST_CONTEXT)}")
    write_gguf(source, folder / weights, precision)
    text = "\n".join(lines) + "\n"
    (folder / MODELFILE).write_text(text, encoding="utf-8", newline="")
    _verify(source, Modelfile.read(folder / MODELFILE))


def _added_opening(source: Source) -> str:
    """What Ollama puts before a prompt by itself, because the tokenizer does."""
    opening = source.tokens().opening_ids
    return source.codec.decode(opening, skip_special=False) if opening else ""


def _template(codec: Codec, opening: str) -> tuple[str, str]:
    """The Go template, and the system message that the base's template puts in by itself."""
    alone = _prompt(codec, opening, _turn("user", _ASKED))
    with_system = _prompt(codec, opening, _turn("system", _SYSTEM), _turn("user", _ASKED))
    rounds = _prompt(
        codec,
        opening,
        _turn("user", _ASKED),
        _turn("assistant", _SAID),
        _turn("user", _ASKED_NEXT),
    )
    before, after = _around(alone, _ASKED)
    system_before, rest = _around(with_system, _SYSTEM)
    system_after, _ = _around(rest, _ASKED)
    between, _ = _around(_around(rounds, _SAID)[1], _ASKED_NEXT)
    end, asks = _end_of_turn(codec, between)
    default = lead = ""
    if before.startswith(system_before) and before.endswith(system_after):
        default = before[len(system_before) : len(before) - len(system_after)]
    if not default and before.endswith(asks):
        lead = before.removesuffix(asks)
    write = literal
    system = f"{write(system_before)}{{{{ .System }}}}{write(system_after.removesuffix(asks))}"
    otherwise = f"{{{{ else }}}}{write(lead)}" if lead else ""
    if system_after.endswith(asks):
        head = f"{{{{ if .System }}}}{system}{otherwise}{{{{ end }}}}{write(asks)}"
    else:
        told = f"{{{{ if .System }}}}{{{{ .System }}}}{write(system_after)}{{{{ end }}}}"
        head = f"{write(system_before)}{told}"
    return f"{head}{{{{ .Prompt }}}}{write(after)}{{{{ .Response }}}}{write(end)}", default


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _prompt(codec: Codec, opening: str, *messages: Message) -> str:
    text = codec.opening_text + codec.prompt_text(messages)
    return text.removeprefix(opening)


def _around(text: str, content: str) -> tuple[str, str]:
    before, found, after = text.partition(content)
    if not found:
        raise DlmError(
            "the chat template of this base model cannot be said in a Modelfile",
            hint="--target gguf writes the template of the base itself",
        )
    return before, after


def _end_of_turn(codec: Codec, between: str) -> tuple[str, str]:
    """What closes an answer, and what opens the next question."""
    end = codec.turn_end_id
    mark = "" if end is None else codec.decode([end], skip_special=False)
    if not mark or not between.startswith(mark):
        return "", between
    rest = between.removeprefix(mark)
    asks = rest.lstrip()
    return mark + rest[: len(rest) - len(asks)], asks


def _quoted(text: str) -> str:
    if '"""' in text:
        raise DlmError('a Modelfile cannot say a text with """ in it', hint="reword system_prompt")
    return f'"""{text}"""'


def _verify(source: Source, modelfile: Modelfile) -> None:
    """Raise DlmError unless the Modelfile puts a question as the base's template does."""
    opening = _added_opening(source)
    if modelfile.prompt(_ASKED) != _prompt(source.codec, opening, _turn("user", _ASKED)):
        raise DlmError(
            "the chat template of this base model cannot be said in a Modelfile",
            hint="--target gguf writes the template of the base itself",
        )


def literal(text: str) -> str:
    """Text as a Go template writes it."""
    return re.sub(r"\{+", lambda braces: f'{{{{ "{braces[0]}" }}}}', text)


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
