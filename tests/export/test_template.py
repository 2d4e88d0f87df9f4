"""An exported template puts a question as dlm does, whatever dlm does around the base's own."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from families import CHATML, GEMMA, write_pieces, write_tokenizer

from dlm.data.chat import Codec, Message
from dlm.errors import DlmError
from dlm.export import ollama
from dlm.export.gguf.vocabulary import WAYS
from dlm.export.template import chat_template

THINKS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
ALWAYS_THINKS = CHATML.replace("assistant\n' }}{% endif %}", "assistant\n<think>\n' }}{% endif %}")
DATED = (
    "{% if not date_string is defined %}{% if strftime_now is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% else %}"
    "{% set date_string = '26 Jul 2024' %}{% endif %}{% endif %}"
    "{{ 'Today: ' + date_string + '\n' }}" + CHATML
)
DATED_TOO = '{{ "On " + strftime_now("%d %B %Y") + "\n" }}' + CHATML
DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are nice.<|im_end|>\n' }}{% endif %}" + CHATML
)
LLAMA_3 = (
    "{{ '<|im_start|>system\n\nToday: 26 Jul 2024\n' }}{% if messages[0]['role'] == 'system' %}"
    "{{ messages[0]['content'] }}{% set messages = messages[1:] %}{% endif %}{{ '<|im_end|>' }}"
) + CHATML
TEMPLATES = {
    "llama 3": LLAMA_3,
    "chatml": CHATML,
    "default system": DEFAULT,
    "thinks": THINKS,
    "always thinks": ALWAYS_THINKS,
    "dated": DATED,
    "dated too": DATED_TOO,
    "gemma": GEMMA,
    "plain": None,
}
SYSTEMS = [None, 'Say "sir".\nBe {{ brief }} — {% always %}.']
ROUND: list[Message] = [{"role": "user", "content": "Who guards it?"}]
TWO: list[Message] = [
    *ROUND,
    {"role": "assistant", "content": "Old Marten."},
    {"role": "user", "content": "Why?"},
]


def tokenizer_in(folder: Path, template: str | None) -> None:
    if template == GEMMA:
        write_pieces(folder)
        return
    write_tokenizer(folder, copy.deepcopy(WAYS["smollm"]))
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_bytes())
    settings.pop("chat_template")
    if template:
        settings["chat_template"] = template
    file.write_text(json.dumps(settings), encoding="utf-8")


def as_transformers_does(folder: Path, template: str, messages: list[Message]) -> str:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    tokenizer.chat_template = template
    text: Any = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return str(text)


@pytest.mark.parametrize("system", SYSTEMS, ids=["bare", "with a system prompt"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_transformers_renders_it_to_the_prompt_of_dlm(
    name: str, system: str | None, tmp_path: Path
) -> None:
    tokenizer_in(tmp_path, TEMPLATES[name])
    codec = Codec.load(tmp_path, system_prompt=system)
    template = chat_template(codec, system)
    for messages in (ROUND, TWO):
        assert as_transformers_does(tmp_path, template, messages) == codec.prompt_text(messages)


def test_a_template_that_needs_nothing_is_the_base_s_own(tmp_path: Path) -> None:
    tokenizer_in(tmp_path, DEFAULT)
    assert chat_template(Codec.load(tmp_path), None) == DEFAULT


def test_a_template_that_cannot_be_held_to_it_is_refused(tmp_path: Path) -> None:
    counts = CHATML + "{% if messages | length == 1 %}{{ messages[0]['content'] }}{% endif %}"
    tokenizer_in(tmp_path, counts)
    with pytest.raises(DlmError, match="cannot be written for other programs"):
        chat_template(Codec.load(tmp_path, system_prompt="Be brief."), None)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_modelfile_says_it_too(name: str, tmp_path: Path) -> None:
    tokenizer_in(tmp_path, TEMPLATES[name])
    codec = Codec.load(tmp_path)
    opening = "<bos>" if name == "gemma" else ""
    template, default = ollama._template(codec, opening)
    assert default == ("You are nice." if name == "default system" else "")
    rendered = ollama.render(template, default, (), "Who guards it?")
    assert opening + rendered == codec.prompt_text(ROUND)
    with_system = ollama.render(template, "Be {{ brief }}.", (), "Who guards it?")
    system: Message = {"role": "system", "content": "Be {{ brief }}."}
    assert opening + with_system == codec.prompt_text([system, *ROUND])
    if name in ("chatml", "default system", "gemma"):
        rounds = [("Who guards it?", "Old Marten.")]
        later = ollama.render(template, default, rounds, "Why?")
        assert opening + later == codec.prompt_text(TWO)
