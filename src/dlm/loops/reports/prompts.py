"""The question that a prompt asks: of plain texts, chats, and chats rendered with a template."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from dlm.loops.chat_logs.messages import ASSISTANT, USER, pieces, role_of
from dlm.loops.reports.values import Unclear, object_of, text_of

_SYSTEM: Final = ("system", "developer")

# How a chat template marks what each role says: a pattern whose groups are role and text. In
# this order: ChatML, Llama 3 and 4, Gemma, gpt-oss, Command R, Granite, Kimi, EXAONE, then Phi with
# Zephyr, GLM and DeepSeek, Alpaca, and Vicuna.
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
        r"<\|im_(system|user|assistant)\|>\w+<\|im_middle\|>(.*?)(?:<\|im_end\|>|\Z)",
        r"\[\|(\w+)\|\](.*?)(?:\[\|endofturn\|\]|\Z|(?=\[\|\w+\|\]))",
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
# What is left where the marks of the template were taken out: roles alone on their lines.
_BARE_END: Final = re.compile(r"\s*(?:assistant|model)\s*(?:<think>\s*)?\Z")
_BARE: Final = re.compile(r"(?:^|(?<=[^\w\s]))(system|user|assistant|model)\n+", re.MULTILINE)
_YAML: Final = re.compile(r"(?:---\s*\n)?(?:messages:\s*\n\s*)?- [\"']?(?:role|content)[\"']?:")
_MARK: Final = re.compile(
    r"<[|｜][^<>|｜\s]{2,40}[|｜]>|\[/?INST\]|\[\|\w+\|\]|</?s>|<(?:start|end)_of_turn>"
)
_OTHERS: Final = {"instruction": USER, "input": USER, "response": ASSISTANT}  # of templates

_ROLE_KEYS: Final = ("role", "from", "type")
_CONTENT_KEYS: Final = ("content", "value", "parts", "text")

Chat = list[tuple[str, str]]


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
    if turns and turns[-1][0] == ASSISTANT:
        turns.pop()  # the beginning of an answer, or the answer that is judged
    if not turns or turns[-1][0] != USER:
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
    if isinstance(prompt, dict):
        lists = (prompt.get(key) for key in ("messages", "contents", "input", "conversation"))
        prompt = next((each for each in lists if isinstance(each, list)), None)
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
        if value is not None and (chat := chat_of(value)) is not None:
            return chat
    if _YAML.match(text) and (turns := _yaml(text)):
        return chat_of(turns)
    return _rendered(text)


def _messages(turns: Sequence[object]) -> Chat | None:
    chat: Chat = []
    for turn in map(object_of, turns):
        role = next((turn[key] for key in _ROLE_KEYS if isinstance(turn.get(key), str)), None)
        if role is None:
            return None
        said = next((turn[key] for key in _CONTENT_KEYS if turn.get(key) is not None), None)
        chat.append((_role(role), _content(said, _role(role))))
    return chat or None


def _content(content: object, role: str) -> str:
    texts: list[str] = []
    for kind, text in pieces(content):
        if kind == "text":
            texts.append(text)
        elif role == USER:
            raise Unclear(f"its prompt holds more than text ({kind})")
    return "\n".join(texts)


def _yaml(text: str) -> list[Any] | dict[str, Any] | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        return None
    return value if isinstance(value, list | dict) else None


def _rendered(text: str) -> Chat | None:
    """The turns of a text that a chat template wrote; None where none did."""
    for number, pattern in enumerate(_RENDERED):
        found = [(_role(match[1]), match[2]) for match in pattern.finditer(text)]
        roles = {role for role, _ in found}
        if USER in roles and (number < _MARKED or ASSISTANT in roles):
            return _cleaned(found)
    if "[INST]" in text:
        return _cleaned(
            [
                (role, said)
                for match in _INST.finditer(text)
                for role, said in (("user", _SYS.sub("", match[1])), ("assistant", match[2]))
            ]
        )
    end = _BARE_END.search(text)
    parts = _BARE.split(text[: end.start()]) if end else []
    if len(parts) < 3 or parts[0].strip():
        return None
    return _cleaned(
        [(_role(role), said) for role, said in zip(parts[1::2], parts[2::2], strict=True)]
    )


def _cleaned(chat: Chat) -> Chat | None:
    """The turns without marks, and without what the model is to go on from."""
    chat = [(role, _MARK.sub("", text).strip()) for role, text in chat]
    if chat and chat[-1][0] == ASSISTANT:
        chat.pop()
    return chat or None


def _role(name: str) -> str:
    return role_of(name) or _OTHERS.get(name.lower(), name.lower())
