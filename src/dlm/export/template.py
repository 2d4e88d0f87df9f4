"""The chat template of an artefact: the base's own, with what dlm does around it written into it.

dlm opens a conversation with the document's system prompt, never lets a model think aloud and knows
one date; another program does none of this, so the template has to.
"""

from __future__ import annotations

import json
import re
from typing import Final

from dlm.data.chat import Codec, Message
from dlm.data.chat_format import JinjaTemplate, fixed_date
from dlm.errors import BaseModelError, DlmError

_DATE: Final = re.compile(r"strftime_now\(\s*(['\"])(.*?)\1\s*\)")
_ROUND: Final[list[Message]] = [
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "Two."},
    {"role": "user", "content": "Three?"},
]
_SYSTEM: Final[Message] = {"role": "system", "content": "Be brief."}


def chat_template(codec: Codec, system_prompt: str | None) -> str:
    """The template under which any program puts a question as dlm does.

    Raises DlmError when the base's template does not allow for one.
    """
    source = codec.template_source
    if source is None:
        template = _system(codec, system_prompt) + _plain(codec)
    else:
        template = _adapted(codec, source, system_prompt)
    rendered = JinjaTemplate(template, codec.special_tokens)
    for messages in (_ROUND[:1], [_SYSTEM, *_ROUND[:1]], _ROUND):
        text = _rendered(rendered, messages)
        if text != codec.opening_text + codec.prompt_text(messages):
            raise DlmError(
                "the chat template of this base model cannot be written for other programs",
                hint="--target peft exports the adapter alone",
            )
    return template


def _rendered(template: JinjaTemplate, messages: list[Message]) -> str | None:
    try:
        return template.render(messages, generation_prompt=True, thinking=True).text
    except BaseModelError:
        return None


def _adapted(codec: Codec, source: str, system_prompt: str | None) -> str:
    """The base's template; unchanged where there is nothing to add."""
    head = _system(codec, system_prompt)
    if "enable_thinking" in source:
        head += "{%- set enable_thinking = false %}"
    if "date_string" in source:  # of Llama 3's; llama.cpp gives the day's
        head += f"{{%- set date_string = {_quoted(fixed_date('%d %b %Y'))} %}}"
    # The newline after a block is no output: the base's template begins a line, as it did.
    head += "\n" if head else ""
    fixed = _DATE.sub(_date, source.replace("strftime_now is defined", "false"))
    if not codec.closes_thought:
        return head + fixed
    tail = "{% if add_generation_prompt %}{{ '\\n</think>\\n\\n' }}{% endif %}"
    return head + fixed.removesuffix("\n") + tail


def _system(codec: Codec, system_prompt: str | None) -> str:
    """What opens a conversation with the system prompt, or begins its first turn with it."""
    head = ""
    if system_prompt:
        head = (
            "{%- if not messages or messages[0]['role'] != 'system' %}"
            f"{{%- set messages = [{{'role': 'system', 'content': {_quoted(system_prompt)}}}]"
            " + messages %}{%- endif %}"
        )
    if codec.takes_system:
        return head
    return head + (
        "{%- if messages | length > 1 and messages[0]['role'] == 'system' %}"
        "{%- set messages = [{'role': messages[1]['role'], 'content': "
        "messages[0]['content'] + '\\n\\n' + messages[1]['content']}] + messages[2:] %}"
        "{%- endif %}"
    )


def _date(match: re.Match[str]) -> str:
    return _quoted(fixed_date(match[2]))


def _quoted(text: str) -> str:
    """A string of the template language."""
    return json.dumps(text, ensure_ascii=False)


def _plain(codec: Codec) -> str:
    """`Question: …` and `Answer: …`, for a base that has no template."""
    end_id = codec.end_of_text_id
    end = "" if end_id is None else codec.decode([end_id], skip_special=False)
    return (
        f"{{{{ {_quoted(codec.opening_text)} }}}}"
        "{%- for message in messages -%}"
        "{%- set text = message['content'] | trim -%}"
        "{%- if message['role'] == 'system' -%}{{ text + '\\n\\n' }}"
        "{%- elif message['role'] == 'user' -%}{{ 'Question: ' + text + '\\n' }}"
        f"{{%- else -%}}{{{{ 'Answer: ' + text + {_quoted(end)} + '\\n\\n' }}}}"
        "{%- endif -%}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ 'Answer:' }}{%- endif -%}"
    )
