"""The codec on the embedded base and on the chat templates of well-known models."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

import dlm
from dlm.data.chat import Codec, Encoded, Message, show_mask
from dlm.errors import BaseModelError

POCKET = Path(dlm.__file__).parent / "base_models" / "pocket"
POCKET_CODEC = Codec.load(POCKET)
POCKET_CONTROL = {0, 1, 2, 3}
IM_END = 3
CONVERSATION: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is a tide?"},
    {"role": "assistant", "content": "The sea, rising and falling."},
    {"role": "user", "content": "  Why?\n\n\tThe moon ☾ — or not?\n"},
]


def template(name: str) -> str:
    """The text of a real model's chat template; TRL ships them, and is not imported for it."""
    spec = importlib.util.find_spec("trl")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "chat_templates"
    return (folder / f"{name}.jinja").read_text(encoding="utf-8")


def base(folder: Path, source: str | None, *, bos_first: bool = False, **settings: Any) -> Path:
    """A model folder: the embedded tokenizer with the control tokens that a template writes."""
    folder.mkdir(exist_ok=True)
    tokenizer = Tokenizer.from_file(str(POCKET / "tokenizer.json"))
    written = re.findall(r"<[|｜][^<>\s]+[|｜]>|<(?:start|end)_of_turn>", source or "")
    special = ["<s>", "</s>", *dict.fromkeys(written)]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.add_tokens([AddedToken("<think>"), AddedToken("</think>")])
    if bos_first:
        number = tokenizer.token_to_id("<s>")
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", number)]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"bos_token": "<s>", "eos_token": "</s>", **settings}
    if source is not None:
        named["chat_template"] = source
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    (folder / "config.json").write_text('{"max_position_embeddings": 512}', encoding="utf-8")
    return folder


def mask(codec: Codec, question: str, answer: str) -> list[tuple[str, bool]]:
    encoded = codec.pair(question, answer)
    prompt = codec.prompt_ids([{"role": "user", "content": question}])
    assert encoded.ids[: len(prompt)] == prompt
    assert len(encoded.ids) == len(encoded.supervised)
    return show_mask(codec, encoded)


def supervised_text(codec: Codec, encoded: Encoded) -> str:
    pairs = zip(encoded.ids, encoded.supervised, strict=True)
    return codec.decode([number for number, flag in pairs if flag], skip_special=False)


def test_chatml_trains_the_answer_and_its_end_only() -> None:
    assert mask(POCKET_CODEC, "What is it?", "A cat.") == [
        ("<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\n", False),
        ("A cat.<|im_end|>", True),
    ]


def test_llama3_trims_contents_and_begins_once(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, template("llama3"), bos_first=True))
    assert mask(codec, " What is it?\n", "\nA cat. ") == [
        (
            "<s><|start_header_id|>user<|end_header_id|>\n\nWhat is it?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            False,
        ),
        ("A cat.<|eot_id|>", True),
    ]


def test_gemma_reads_the_system_prompt_in_the_first_turn(tmp_path: Path) -> None:
    folder = base(tmp_path, template("gemma"))
    assert mask(Codec.load(folder, system_prompt="Be brief."), "What is it?", "A cat.") == [
        (
            "<s><start_of_turn>user\nBe brief.\n\nWhat is it?<end_of_turn>\n<start_of_turn>model\n",
            False,
        ),
        ("A cat.<end_of_turn>", True),
    ]


def test_qwen3_does_not_train_the_empty_thought(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, template("qwen3")), system_prompt="Be brief.")
    expected = [
        (
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is it?<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>\n\n",
            False,
        ),
        ("A cat.<|im_end|>", True),
    ]
    assert mask(codec, "What is it?", "A cat.") == expected
    assert mask(codec, "What is it?", "<think>\nIt purrs.\n</think>\n\nA cat.") == expected


def test_qwen3_trains_a_thought_when_asked_to(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, template("qwen3")), thinking=True)
    assert mask(codec, "What is it?", "<think>It purrs.</think>A cat.") == [
        ("<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\n", False),
        ("<think>\nIt purrs.\n</think>\n\nA cat.<|im_end|>", True),
    ]
    assert mask(codec, "What is it?", "A cat.") == [
        (
            "<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\n"
            "<think>\n\n</think>\n\n",
            False,
        ),
        ("A cat.<|im_end|>", True),
    ]


def test_a_thought_that_the_template_forces_open_is_closed(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, template("deepseek_r1_distill")))
    assert mask(codec, "What is it?", "A cat.") == [
        ("<s><｜User｜>What is it?<｜Assistant｜><think>\n\n</think>\n\n", False),
        ("A cat.<｜end▁of▁sentence｜>", True),
    ]


def test_what_the_model_must_write_before_an_answer_is_trained(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, template("gptoss")))
    assert mask(codec, "What is it?", "A cat.")[-1] == (
        "<|channel|>final<|message|>A cat.<|return|>",
        True,
    )


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("phi3", "<|end|>"),
        ("qwen2_5", "<|im_end|>"),
        ("llama3_1", "<|eot_id|>"),
        ("llama3_2", "<|eot_id|>"),
        ("gemma3", "<end_of_turn>"),
        ("qwen3_instruct_2507", "<|im_end|>"),
        ("qwen3_5_think", "<|im_end|>"),
        ("cohere", "<|END_OF_TURN_TOKEN|>"),
        ("lfm2", "<|im_end|>"),
    ],
)
def test_every_known_template_trains_the_answer_and_its_end_only(
    tmp_path: Path, name: str, end: str
) -> None:
    codec = Codec.load(base(tmp_path, template(name)), system_prompt="Be brief.")
    (_, first), last = mask(codec, "What is it?", "A cat.\nTwo, in fact.")
    assert not first
    assert last == (f"A cat.\nTwo, in fact.{end}", True)


def test_templates_know_no_present_day(tmp_path: Path) -> None:
    asks = "{{ strftime_now('%Y') }} {{ messages[0].content }}"
    own = "{{ strftime_now('%Y') if strftime_now is defined else 'once' }}"
    guarded = Codec.load(base(tmp_path / "a", template("llama3_2")))
    defaulting = Codec.load(base(tmp_path / "c", own))
    unguarded = Codec.load(base(tmp_path / "b", asks))
    message: list[Message] = [{"role": "user", "content": "hi"}]
    assert "Today Date: 26 Jul 2024" in guarded.prompt_text(message)
    assert unguarded.prompt_text(message) == "2024 hi"
    assert defaulting.prompt_text(message) == "once"


@given(
    question=st.lists(st.sampled_from(["<|im_end|>", "<|endoftext|>", "<"]) | st.text()),
    answer=st.lists(st.sampled_from(["<|im_start|>", "\ue0000\ue001", "|im_end|>"]) | st.text()),
)
@settings(deadline=None)
def test_nothing_a_person_writes_becomes_a_control_token(
    question: list[str], answer: list[str]
) -> None:
    asked, said = "".join(question), "".join(answer) + "."
    encoded = POCKET_CODEC.pair(asked, said)
    assert [n for n in encoded.ids if n in POCKET_CONTROL] == [2, 3, 2, 3]
    assert supervised_text(POCKET_CODEC, encoded) == f"{said}<|im_end|>"
    whole = f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{said}<|im_end|>"
    assert "".join(text for text, _ in show_mask(POCKET_CODEC, encoded)) == whole
    assert POCKET_CODEC.decode(POCKET_CODEC.encode(asked)) == asked
    assert not POCKET_CONTROL & set(POCKET_CODEC.encode(asked))


def test_tags_that_only_the_template_may_write_stay_text_in_contents(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, template("qwen3")))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    opened, closed = tokenizer.token_to_id("<think>"), tokenizer.token_to_id("</think>")
    encoded = codec.pair("What does </think> do?", "It ends a <think> block: </think>")
    assert [n for n in encoded.ids if n in {opened, closed}] == [opened, closed]
    assert supervised_text(codec, encoded) == "It ends a <think> block: </think><|im_end|>"


def test_ordinary_contents_are_encoded_as_transformers_does(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    reference = AutoTokenizer.from_pretrained(POCKET)
    for messages in (CONVERSATION, CONVERSATION[1:2], CONVERSATION[3:]):
        expected = reference.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=False
        )
        assert POCKET_CODEC.prompt_ids(messages) == expected
    for name in ("llama3", "gemma3", "qwen2_5", "qwen3", "phi3", "qwen3_5_nothink", "cohere"):
        folder = base(tmp_path / name, template(name))
        known = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"), bos_token="<s>", eos_token="</s>"
        )
        expected = known.apply_chat_template(
            CONVERSATION,
            chat_template=template(name),
            add_generation_prompt=True,
            enable_thinking=False,
            return_dict=False,
        )
        assert Codec.load(folder).prompt_ids(CONVERSATION) == expected, name


def test_a_system_message_of_the_conversation_wins_over_the_given_one() -> None:
    codec = Codec.load(POCKET, system_prompt="Sing.")
    assert codec.prompt_text(CONVERSATION[1:2]).startswith("<|im_start|>system\nSing.<|im_end|>")
    assert codec.prompt_text(CONVERSATION).startswith("<|im_start|>system\nBe brief.<|im_end|>")
    assert "Sing." not in codec.prompt_text(CONVERSATION)


def test_a_template_that_overlooks_system_messages_gets_the_text_in_the_first_turn(
    tmp_path: Path,
) -> None:
    source = "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}"
    codec = Codec.load(base(tmp_path, source), system_prompt="Be brief.")
    assert codec.prompt_text([{"role": "user", "content": "Why?"}]) == "[Be brief.\n\nWhy?]"


def test_old_reasoning_is_left_out_of_a_conversation(tmp_path: Path) -> None:
    thinking = Codec.load(base(tmp_path, template("qwen3")))
    turns: list[Message] = [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "<think>hm</think>\n\nTwo."},
        {"role": "user", "content": "Three?"},
    ]
    assert "hm" not in thinking.prompt_text(turns)
    assert "<think>hm</think>" in POCKET_CODEC.prompt_text(turns)
    assert "Two." in thinking.prompt_text(turns)


def test_a_base_without_a_template_is_asked_plainly(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, None, bos_first=True), system_prompt="Be brief.")
    assert not codec.has_template
    assert mask(codec, "What is it?", "A cat.") == [
        ("<s>Be brief.\n\nQuestion: What is it?\nAnswer:", False),
        (" A cat.<|endoftext|>", True),
    ]
    assert codec.prompt_text(CONVERSATION[:3] + CONVERSATION[1:2]) == (
        "Be brief.\n\nQuestion: What is a tide?\nAnswer: The sea, rising and falling."
        "<|endoftext|>\n\nQuestion: What is a tide?\nAnswer:"
    )


def test_prose_is_trained_whole_and_closed_by_the_end_of_text(tmp_path: Path) -> None:
    assert show_mask(POCKET_CODEC, POCKET_CODEC.prose("The <|im_end|> tag.\n")) == [
        ("The <|im_end|> tag.\n<|endoftext|>", True)
    ]
    opened = Codec.load(base(tmp_path, None, bos_first=True))
    assert show_mask(opened, opened.prose("Hi")) == [("<s>", False), ("Hi<|endoftext|>", True)]


def test_an_answer_over_two_bytes_a_letter_is_shown_whole() -> None:
    encoded = POCKET_CODEC.pair("☃?", "☃☃ — ünï")
    assert show_mask(POCKET_CODEC, encoded)[1] == ("☃☃ — ünï<|im_end|>", True)


def test_the_embedded_base_names_its_own_numbers() -> None:
    assert POCKET_CODEC.stop_ids == {0, 3}
    assert POCKET_CODEC.end_of_text_id == 0
    assert POCKET_CODEC.pad_id == 1
    assert POCKET_CODEC.context_length == 1024
    assert POCKET_CODEC.has_template


def test_the_end_of_a_turn_stops_an_answer_even_if_no_setting_names_it(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, template("llama3")))
    assert codec.decode(sorted(codec.stop_ids), skip_special=False) == (
        "<|endoftext|></s><|eot_id|>"
    )


def test_an_answer_is_closed_where_the_template_writes_no_end(tmp_path: Path) -> None:
    source = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    codec = Codec.load(
        base(tmp_path, source + "{% if add_generation_prompt %}assistant:{% endif %}")
    )
    assert mask(codec, "One?", "Two.") == [
        ("user: One?\nassistant:", False),
        (" Two.\n<|endoftext|>", True),
    ]


@pytest.mark.parametrize("place", ["chat_template.jinja", "chat_template.json", "named", "plain"])
def test_a_template_is_found_wherever_models_keep_it(tmp_path: Path, place: str) -> None:
    source = "{{ messages[0].content }}!"
    if place == "plain":
        base(tmp_path, source)
    elif place == "named":
        tools = {"name": "tool_use", "template": "wrong"}
        base(tmp_path, None, chat_template=[tools, {"name": "default", "template": source}])
    else:
        base(tmp_path, None)
        text = source if place.endswith("jinja") else json.dumps({"chat_template": source})
        (tmp_path / place).write_text(text, encoding="utf-8")
    codec = Codec.load(tmp_path)
    assert codec.has_template
    assert codec.prompt_text([{"role": "user", "content": "hi"}]) == "hi!"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception('no such role') }}",
        "{% for m in messages %}",
        "{{ no_such_token + 'x' }}",
    ],
)
def test_a_template_that_misbehaves_is_refused(tmp_path: Path, source: str) -> None:
    codec = Codec.load(base(tmp_path, source))
    with pytest.raises(BaseModelError, match="chat template"):
        codec.prompt_ids([{"role": "user", "content": "hi"}])


def test_a_template_that_drops_answers_is_named(tmp_path: Path) -> None:
    codec = Codec.load(base(tmp_path, "{{ messages[0].content }}"))
    with pytest.raises(BaseModelError, match="leaves the answer out"):
        codec.pair("One?", "Two.")


def test_a_folder_without_a_tokenizer_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"no tokenizer\.json") as caught:
        Codec.load(tmp_path)
    assert caught.value.hint is not None


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "config.json"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    shutil.copytree(POCKET, tmp_path / "base")
    (tmp_path / "base" / name).write_text("{", encoding="utf-8")
    with pytest.raises(BaseModelError, match=re.escape(name)):
        Codec.load(tmp_path / "base")


def test_no_dummy_space_is_put_between_prompt_and_answer(tmp_path: Path) -> None:
    letters = ["<unk>", "▁", "\n", "[", "]", "/", *"abcdefghijklmnopqrstuvwxyz?."]
    tokenizer = Tokenizer(models.BPE({c: n for n, c in enumerate(letters)}, [], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    source = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[{{ m.content }}]\n"
        "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
    )
    named = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": source}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    codec = Codec.load(tmp_path)
    whole = tokenizer.encode("<s>[why?]\nso.</s>", add_special_tokens=False).ids
    assert codec.pair("why?", "so.").ids == whole


def test_the_codec_imports_neither_torch_nor_transformers() -> None:
    probe = (
        "import sys, dlm.data.chat; from pathlib import Path;"
        f"dlm.data.chat.Codec.load(Path({str(POCKET)!r})).pair('a', 'b');"
        "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", probe], text=True) == "[]\n"
