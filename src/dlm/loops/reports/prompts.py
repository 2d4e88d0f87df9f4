"""The question that a prompt asks: of plain texts, chats, and chats rendered with a template."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_SYSTEM: Final = ("system", "developer")
_USER: Final = ("user", "human")

# How a chat template marks what each role says: a pattern whose groups are role and text. In
# this order: ChatML, Llama 3 and 4, Gemma, gpt-oss, Command R, Granite, then Phi with Zephyr, GLM
# and DeepSeek, Alpaca, and Vicuna.
_RENDERED: Final = tuple(
    re.compile(pattern, re.DOTALL | re.MULTILINE)
    for pattern in (
        r"<\|im_start\|>(\w+)(?:<\|im_sep\|>|\n?)(.*?)(?:<\|im_end\|>|\Z|(?=<\|im_start\|>))",
        r"<\|start_header_id\|>(\w+)<\|end_header_id\|>(.*?)(?:<\|eot_id\|>|\Z)",
        r"<\|header_start\|>(\w+)<\|header_end\|>(.*?)(?:<\|eot\|>|\Z)",
        r"<start_of_turn>(\w+)\n?(.*?)(?:<end_of_turn>|\Z)",
        r"<\|start\|>(\w+)[^<]*(?:<\|channel\|>[^<]*)?<\|message\|>(.*?)(?:<\|end\|>|\Z)",
        r"<\|START_OF_TURN_TOKEN\|><\|(\w+)_TOKEN\|>(.*?)(?:<\|END_OF_TURN_TOKEN\|>|\Z)",
        r"<\|start_of_role\|>(\w+)<\|end_of_role\|>(.*?)(?:<\|end_of_text\|>|\Z)",
        r"<[|｜](system|user|assistant|User|Assistant)[|｜]>(.*?)"
        r"(?:<\|end\|>|</s>|<｜end▁of▁sentence｜>|\Z|(?=<[|｜](?:system|user|assistant|User|Ass)))",
        r"^### (System|User|Human|Instruction|Input|Assistant|Response):\n?(.*?)(?=^### |\Z)",
        r"(?:^|(?<=\s))(USER|Human|ASSISTANT|Assistant):(.*?)"
        r"(?=\s(?:USER|Human|ASSISTANT|Assistant):|\Z)",
    )
)
_MARKED: Final = len(_RENDERED) - 2  # the others are texts that a person might write
_INST: Final = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=\[INST\]|\Z)", re.DOTALL)
_SYS: Final = re.compile(r"<<SYS>>(.*?)<</SYS>>", re.DOTALL)
# What is left of the last turn where the marks of the template were taken out.
_BARE: Final = re.compile(
    r"(?:\A|.*(?:\n|(?<=[^\w\s])))user\n+(.*?)\s*assistant(?:\s*<think>)?\Z", re.DOTALL
)
_MARK: Final = re.compile(r"<[|｜][^<>|｜\s]{2,40}[|｜]>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>")
_ROLES: Final = {
    "instruction": "user",
    "input": "user",
    "human": "user",
    "response": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
}

Chat = list[tuple[str, str]]


class Unclear(ValueError):
    """A prompt that is not one question, and why."""


def question_of(prompt: object, *, last: bool = False) -> str:
    """The question that a prompt asks: a text, a chat, or the JSON, YAML or rendering of one.

    What the system says is no part of it. With `last`, turns before the last question are examples
    and left out. Raises Unclear, with the reason, for a prompt that no single question stands for.
    """
    chat = chat_of(prompt)
    if chat is None:
        text = text_of(prompt)
        if text is None:
            raise Unclear("its prompt is empty")
        if mark := _MARK.search(text):
            raise Unclear(f"its prompt is rendered with a chat template not known ({mark[0]})")
        return text
    turns = [(role, text) for role, text in chat if role not in _SYSTEM and text.strip()]
    if not turns or turns[-1][0] != "user":
        raise Unclear("its prompt is a chat that does not end with the user")
    if len(turns) > 1 and not last:
        raise Unclear(
            f"its prompt is a chat in which {len(turns) - 1} turns (worked examples, or earlier "
            "talk) stand before the question"
        )
    return turns[-1][1].strip()


def chat_of(prompt: object) -> Chat | None:
    """The turns of a chat, in any way it is written down; None for a prompt that is no chat.

    Raises Unclear for a turn that holds more than text.
    """
    if isinstance(prompt, dict) and isinstance(prompt.get("messages"), list):
        prompt = prompt["messages"]
    if isinstance(prompt, list):
        if len(prompt) == 1 and isinstance(prompt[0], str):  # how a JSON chat is logged as a tuple
            return chat_of(prompt[0])
        return _messages(prompt)
    if not isinstance(prompt, str):
        return None
    text = prompt.strip()
    if text[:1] in ("[", "{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and not isinstance(value.get("messages"), list):
            value = None
        if value is not None and (chat := chat_of(value)) is not None:
            return chat
    if re.match(r"(?:---\s*\n)?- (?:role|content):", text) and (turns := _yaml(text)):
        return _messages(turns)
    return _rendered(text)


def _messages(turns: Sequence[object]) -> Chat | None:
    chat: Chat = []
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get("role", turn.get("from")), str):
            return None
        role = str(turn.get("role", turn.get("from"))).lower()
        chat.append(
            (_ROLES.get(role, role), _content(turn.get("content", turn.get("value")), role))
        )
    return chat or None


def _content(content: object, role: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        text = part if isinstance(part, str) else _object(part).get("text")
        if not isinstance(text, str):
            if role in _SYSTEM or role == "assistant":
                continue
            kind = _object(part).get("type") or "something"
            raise Unclear(f"its prompt holds more than text ({kind})")
        texts.append(text)
    return "\n".join(texts)


def _yaml(text: str) -> list[Any] | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _rendered(text: str) -> Chat | None:
    """The turns of a text that a chat template wrote; None where none did."""
    for number, pattern in enumerate(_RENDERED):
        found = [(_role(match[1]), match[2]) for match in pattern.finditer(text)]
        roles = {role for role, _ in found}
        if "user" in roles and (number < _MARKED or "assistant" in roles):
            return _cleaned(found)
    if "[INST]" in text:
        return _cleaned(
            [
                (role, said)
                for match in _INST.finditer(text)
                for role, said in (("user", _SYS.sub("", match[1])), ("assistant", match[2]))
            ]
        )
    bare = _BARE.match(text)
    return [("user", bare[1])] if bare else None


def _cleaned(chat: Chat) -> Chat | None:
    """The turns without marks, and without what the model is to go on from."""
    chat = [(role, _MARK.sub("", text).strip()) for role, text in chat]
    if chat and chat[-1][0] == "assistant":
        chat.pop()
    return chat or None


def _role(name: str) -> str:
    return _ROLES.get(name.lower(), name.lower())


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def words(text: str) -> tuple[str, ...]:
    """The names that a line lists."""
    return tuple(text.split())


def text_of(value: object) -> str | None:
    """A text that says something, without the white space around it; None for anything else."""
    return value.strip() if isinstance(value, str) and value.strip() else None


def number_of(value: object) -> float | None:
    """A finite number; None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def numbers(values: Mapping[str, Any], *names: str) -> dict[str, float]:
    """Those of the named values that are numbers."""
    found = {name: number_of(values.get(name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def answers_of(value: object) -> list[str]:
    """The accepted answers that a value holds, the first one best: texts, numbers, true and false.

    Lists of them, the Python or JSON text of such a list, and the objects in which question sets
    keep them (`value` with `aliases`, `text` with `answer_start`) are read too.
    """
    if isinstance(value, str) and value.strip()[:1] == "[" and value.strip()[-1:] == "]":
        value = _list_of(value.strip()) or value
    if isinstance(value, dict):
        value = next((value[key] for key in ("value", "text", "answer") if value.get(key)), None)
    if isinstance(value, list | tuple):
        return [answer for item in value for answer in answers_of(item)[:1]]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int) or number_of(value) is not None:
        return [str(value)]
    text = text_of(value)
    return [text] if text else []


def _list_of(text: str) -> list[Any] | None:
    """The list that a text writes out, in Python or JSON; None for a text that only looks so."""
    import ast

    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return value
    return None
